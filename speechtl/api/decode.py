"""``speechtl.decode``: recordings to phones and words, with files of the results."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath, optional_path, recogniser_path
from speechtl.api.words import read_vocabulary

if TYPE_CHECKING:
    from speechtl.lang.lexicon import Notation
    from speechtl.lang.phone_mapping import MissingPhones
    from speechtl.recognition.decoded import Decoded


def decode(
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
    lm: StrPath | None = None,
    grammar: StrPath | None = None,
    inventory: StrPath = "auto",
    language: str | None = None,
    speaker: StrPath | None = None,
    config: StrPath | None = None,
    settings: Sequence[str] = (),
    tune_on: StrPath | None = None,
    grid: Sequence[str] = (),
    posteriors: Sequence[StrPath] = (),
    save_posteriors: StrPath | None = None,
    nbest: int = 1,
    times: bool = True,
    channel: str | int | None = None,
    allow_pipes: bool = False,
    jobs: int | None = None,
    cluster: str | None = None,
) -> "Decoded":
    """Decode recordings: phones, and words where there is a lexicon (or added words).

    Args:
        model: the experiment directory, or the name of a model that comes with speechtl.
        data: a data directory, a folder of audio (with ``.txt``, ``.lab`` or ``.TextGrid`` files), or a CSV of file and
            text. Features that are not there yet are computed into ``out/data``.
        out: folder of the results: ``phones``, ``text``, ``ctm``, ``phones.ctm``, ``log.jsonl``, ``decoding.toml``.
        lexicon: pronunciations of the words to find; without it and added words, phones alone.
        add_words: see `load`, as for the next ones.
        notation: of the lexicon and the added words.
        missing_phones: of the lexicon, that the model lacks: take the ``"nearest"`` that it has, or ``"refuse"``.
        g2p: a model that guesses pronunciations.
        rules: spelling rules that guess them.
        lm: a language model.
        grammar: in its place, a grammar of commands.
        inventory: the phones to recognise, see `load`.
        language: of the model's; by default the only one, what ``utt2lang`` says, or what is recognised.
        speaker: adapted layers of the speaker, to put on top.
        config: a TOML file whose ``[decoding]`` overrides the experiment's.
        settings: ``"decoding.key=value"`` over the config's and the experiment's.
        tune_on: the same with transcripts, on which weights and penalties are chosen first.
        grid: with it, the values to try of a setting, ``"lm_weight=0.5,1,2"``.
        posteriors: scp tables of stored posteriors; the model is not run.
        save_posteriors: a folder that keeps the posteriors.
        nbest: length of the N-best lists.
        times: also find times and confidence of words.
        channel: of recordings with several, ``"mix"``, ``"first"`` or a number from 0; None for what the model's
            features take.
        allow_pipes: run the shell commands in ``wav.scp``.
        jobs: threads of the search; by default as many as there are processors.
        cluster: that computes, ``"local:8"``, ``"tcp://scheduler:8786"``, ``"slurm:partition=cpu,jobs=40"``; its
            workers search with one thread each. By default this process.

    Raises:
        SpeechtlError: something is missing or wrong, or options do not fit each other.
    """
    from speechtl.cluster.open_workers import open_workers
    from speechtl.recognition.corpus_decoder import decode_corpus
    from speechtl.recognition.decode_request import DecodeRequest

    vocabulary = read_vocabulary(lexicon, add_words, notation, missing_phones, g2p, rules, lm, grammar, inventory)
    request = DecodeRequest(
        model=recogniser_path(model, speaker),
        data=Path(data),
        out=Path(out),
        vocabulary=vocabulary,
        language=language,
        speaker=optional_path(speaker),
        config=optional_path(config),
        settings=tuple(settings),
        tune_on=optional_path(tune_on),
        grid=tuple(grid),
        posteriors=tuple(map(Path, posteriors)),
        save_posteriors=optional_path(save_posteriors),
        nbest=nbest,
        times=times,
        channel=channel,
        allow_pipes=allow_pipes,
        jobs=jobs,
    )
    with open_workers(cluster, (jobs or 1) if cluster else 1) as workers:
        return decode_corpus(request, workers)
