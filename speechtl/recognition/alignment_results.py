"""Write an aligned corpus: CTM, TextGrid and a log."""

import json
from pathlib import Path

from speechtl.alignment.align_corpus import CorpusAlignment
from speechtl.data.ctm import write_ctm
from speechtl.data.datadir import DataDir
from speechtl.data.textgrid import write_textgrid
from speechtl.files import atomic_write, file_name
from speechtl.recognition.result_json import aligned_as_json


def write_alignment(out: str | Path, alignment: CorpusAlignment, data: DataDir, *, textgrids: bool = True) -> None:
    """Write ``ctm`` (where the transcripts are words), ``phones.ctm``, ``textgrid/`` and ``log.jsonl`` into a folder.

    Args:
        out: the folder.
        alignment: of ``data``.
        data: for the times of recordings.
        textgrids: whether to write a TextGrid of each utterance.

    Raises:
        DataError: a file cannot be written.
    """
    out, utterances = Path(out), alignment.utterances
    if alignment.has_words:
        write_ctm(out / "ctm", {utterance: one.words for utterance, one in utterances.items()}, data)
    write_ctm(out / "phones.ctm", {utterance: one.phones for utterance, one in utterances.items()}, data)
    for utterance, one in utterances.items() if textgrids else ():
        tiers = {"words": one.words} if alignment.has_words else {}
        path = out / "textgrid" / f"{file_name(utterance)}.TextGrid"
        write_textgrid(path, tiers | {"phones": one.phones}, one.duration)
    with atomic_write(out / "log.jsonl") as file:
        for utterance in sorted(utterances):
            file.write(json.dumps(aligned_as_json(utterance, utterances[utterance], data), ensure_ascii=False) + "\n")
