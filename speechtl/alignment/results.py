"""Write an aligned corpus: CTM, TextGrid and a log."""

import json
from pathlib import Path
from typing import Any

from speechtl.alignment.align_corpus import CorpusAlignment
from speechtl.alignment.aligned_utterance import AlignedUtterance
from speechtl.data.ctm import write_ctm
from speechtl.data.datadir import DataDir
from speechtl.data.textgrid import write_textgrid
from speechtl.files import atomic_write, file_name


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
            file.write(json.dumps(_as_json(utterance, utterances[utterance]), ensure_ascii=False) + "\n")


def _as_json(utterance: str, one: AlignedUtterance) -> dict[str, Any]:
    return {
        "utterance": utterance,
        "score": round(one.score, 3),
        "score_per_frame": round(one.score / max(one.frames, 1), 4),
        "confidence": round(sum(phone.confidence or 0.0 for phone in one.phones) / max(len(one.phones), 1), 4),
        "refined": one.refined,
        "words": len(one.words),
        "phones": len(one.phones),
        "speech_seconds": round(sum(phone.end - phone.start for phone in one.phones), 3),
    }
