"""``speechtl.align``: forced alignment of recordings with transcripts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from speechtl.api.paths import StrPath, optional_path, recogniser_path
from speechtl.api.words import read_vocabulary

if TYPE_CHECKING:
    from speechtl.alignment.align_corpus import CorpusAlignment
    from speechtl.lang.lexicon import Notation
    from speechtl.lang.phone_mapping import MissingPhones


def align(
    model: StrPath,
    data: StrPath,
    out: StrPath,
    *,
    lexicon: StrPath | None = None,
    add_words: Sequence[str] = (),
    notation: "Notation" = "ipa",
    missing_phones: "MissingPhones" = "nearest",
    g2p: StrPath | None = None,
    rules: str | None = None,
    phones: bool = False,
    language: str | None = None,
    speaker: StrPath | None = None,
    refine: Literal["auto", "always", "never"] = "auto",
    textgrids: bool = True,
    channel: str | int | None = None,
    allow_pipes: bool = False,
    jobs: int = 1,
    cluster: str | None = None,
) -> "CorpusAlignment":
    """Align transcripts with their speech: when was each word and phone said?

    Args:
        model: the experiment directory, or the name of a model that comes with speechtl.
        data: a data directory with transcripts, a folder of audio with ``.txt``, ``.lab`` or ``.TextGrid`` files, or a
            CSV of file and text. Features that are not there yet are computed into ``out/data``.
        out: folder of the results: ``ctm``, ``phones.ctm``, ``textgrid/``, ``log.jsonl``.
        lexicon: pronunciations of the words; by default the model's own.
        add_words: words that it lacks, ``"WORD=PHONES"`` or ``"WORD"``.
        notation: how ``lexicon`` and ``add_words`` write phones.
        missing_phones: of the lexicon, that the model lacks: take the ``"nearest"`` that it has, or ``"refuse"``.
        g2p: a grapheme-to-phoneme model that guesses.
        rules: spelling rules that guess.
        phones: transcripts are phones of the model; no lexicon is used.
        language: of the model's; by default the only one.
        speaker: adapted layers of the speaker, to put on top.
        refine: refine boundaries with phone models trained on the data itself; ``"auto"`` if it has enough speech.
        textgrids: write a TextGrid of each utterance.
        channel: of recordings with several, ``"mix"``, ``"first"`` or a number from 0; None for what the model's
            features take.
        allow_pipes: run the shell commands in ``wav.scp``.
        jobs: threads.
        cluster: that aligns, see `decode`; boundaries are refined in this process.

    Raises:
        SpeechtlError: something is missing or wrong, or no utterance could be aligned.
    """
    from speechtl.cluster.open_workers import open_workers
    from speechtl.recognition.forced_alignment import AlignRequest, align_data

    vocabulary = read_vocabulary(lexicon, add_words, notation, missing_phones, g2p, rules)
    request = AlignRequest(
        model=recogniser_path(model, speaker),
        data=Path(data),
        out=Path(out),
        vocabulary=vocabulary,
        phones=phones,
        language=language,
        speaker=optional_path(speaker),
        refine=refine,
        textgrids=textgrids,
        channel=channel,
        allow_pipes=allow_pipes,
        jobs=jobs,
    )
    with open_workers(cluster) as workers:
        return align_data(request, workers)
