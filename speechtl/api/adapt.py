"""``speechtl.adapt``: a trained model to one speaker."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath, model_path, optional_path

if TYPE_CHECKING:
    from speechtl.adaptation.result import Adapted
    from speechtl.lang.lexicon import Notation
    from speechtl.lang.phone_mapping import MissingPhones


def adapt(
    model: StrPath,
    recordings: StrPath,
    out: StrPath,
    *,
    method: str | None = None,
    settings: Sequence[str] = (),
    language: str | None = None,
    lexicon: StrPath | None = None,
    add_words: Sequence[str] = (),
    notation: "Notation" = "ipa",
    missing_phones: "MissingPhones" = "nearest",
    g2p: StrPath | None = None,
    rules: str | None = None,
    lm: StrPath | None = None,
    config: StrPath | None = None,
    test: StrPath | None = None,
    source_speech: StrPath | None = None,
    replay: StrPath | None = None,
    unsupervised: bool = False,
    confidence: float = 0.7,
    channel: str | int | None = None,
    allow_pipes: bool = False,
    overwrite: bool = False,
    export: bool = True,
) -> "Adapted":
    """Adapt a model to the speaker of some recordings; the model itself is only read.

    Adaptation is cross-validated on the recordings; if it does not help, the source model is kept.

    Args:
        model: experiment directory of the source model, or the name of one that comes with speechtl.
        recordings: a data directory, a folder of audio with ``.txt`` or ``.lab`` files, or a CSV of file and text.
        out: folder of the result: ``speaker.h5`` (to be given as ``speaker``), or a whole experiment; and a report.
        method: ``fine_tuning``, ``conservative_training``, ``layer_transfer``, ``lhuc``, ``lin``, ``adapter`` or
            ``lora``; by default what suits the amount of speech.
        settings: ``"key=value"`` over the method's, and ``"decoding.key=value"``.
        language: of the model's; by default the only one.
        lexicon: pronunciations of the words; by default the model's own.
        add_words: words that it lacks, ``"WORD=PHONES"`` or ``"WORD"``.
        notation: how ``lexicon`` and ``add_words`` write phones.
        missing_phones: of the lexicon, that the model lacks: take the ``"nearest"`` that it has, or ``"refuse"``.
        g2p: a grapheme-to-phoneme model: all out-of-vocabulary words of the transcripts are guessed.
        rules: the same with the spelling rules of a language.
        lm: a language model.
        config: a TOML file whose ``[decoding]`` overrides the experiment's.
        test: other recordings of the speaker, to compare on.
        source_speech: recordings of the model's own speakers, to measure forgetting.
        replay: training speech of the model, for methods that repeat some of it.
        unsupervised: train on what the model recognises.
        confidence: without transcripts, the least mean confidence of an utterance's words.
        channel: of recordings with several, ``"mix"``, ``"first"`` or a number from 0; None for what the model's
            features take.
        allow_pipes: run the shell commands in ``wav.scp``.
        overwrite: replace another result in ``out``.
        export: also export the result into ``out``, so that it recognises speech without TensorFlow.

    Returns:
        The result, with errors ``before`` and ``after`` on speech that was not trained on.

    Raises:
        SpeechtlError: the model or the recordings are missing, damaged or of no use, or ``out`` holds another result.
    """
    from speechtl.adaptation.adapt import adapt as run
    from speechtl.adaptation.request import read_request

    request = read_request(
        model_path(model),
        Path(recordings),
        Path(out),
        settings=settings,
        language=language,
        lexicon=optional_path(lexicon),
        add_words=add_words,
        notation=notation,
        missing_phones=missing_phones,
        g2p=optional_path(g2p),
        rules=rules,
        lm=optional_path(lm),
        config=optional_path(config),
        method=method,
        test=optional_path(test),
        source_speech=optional_path(source_speech),
        replay=optional_path(replay),
        unsupervised=unsupervised,
        confidence=confidence,
        channel=channel,
        allow_pipes=allow_pipes,
        overwrite=overwrite,
        export=export,
        name=str(model),
    )
    return run(request)
