"""speechtl: speech transfer learning.

A model trained on many speakers, languages or recordings is made to work for few: one speaker, a small language, words
that no one has ever transcribed.

    >>> import speechtl
    >>> recogniser = speechtl.load("exp/base")
    >>> recogniser.add_word("Kubernetes", "k u b ə n ɛ t i z")
    >>> print(recogniser.transcribe("talk.wav").text)

This is the public face: a function for each verb of the command line, with a result that can be looked into. Whatever
they need is imported when they are called. Paths may be strings; a mistake of the user is a `SpeechtlError`. What a
user should know on the way is logged (``logging.getLogger("speechtl")``).
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from speechtl.adaptation.result import Adapted
    from speechtl.experiment.train import Trained
    from speechtl.recognition.corpus_results import Decoded
    from speechtl.recognition.recogniser import Audio, Recogniser
    from speechtl.recognition.transcript import Transcript
    from speechtl.scoring.report import Score

__version__ = "0.1.0"
__all__ = ["adapt", "decode", "load", "score", "train", "transcribe"]

StrPath = str | PathLike[str]
Notation = Literal["ipa", "arpabet", "xsampa"]


def load(
    model: StrPath,
    *,
    lexicon: StrPath | None = None,
    add_words: Sequence[str] = (),
    notation: Notation = "ipa",
    g2p: StrPath | None = None,
    rules: str | None = None,
    lm: StrPath | None = None,
    grammar: StrPath | None = None,
    inventory: Literal["model", "lexicon"] = "model",
    words: bool | None = None,
    language: str | None = None,
    speaker: StrPath | None = None,
    one_speaker: bool = False,
    whole: bool = False,
    config: StrPath | None = None,
    settings: Sequence[str] = (),
    nbest: int = 1,
    jobs: int = 1,
) -> "Recogniser":
    """Load a trained model, ready to transcribe audio.

    Args:
        model: the experiment directory.
        lexicon: pronunciations of the words to find, a file or a folder with ``LANGUAGE.txt``; by default the lexicon
            that the model was trained with.
        add_words: more words, ``"WORD=PHONES"``, or ``"WORD"`` to have its phones guessed; see also
            `Recogniser.add_word`.
        notation: how ``lexicon`` and added words write phones.
        g2p: a grapheme-to-phoneme model to guess with; by default one is trained on the lexicon when it is needed.
        rules: in its place, the code of a language whose spelling rules are used.
        lm: a language model, ARPA or a trie of KenLM; by default any word may follow any word.
        grammar: in its place, a grammar of commands, JSGF or OpenFst text.
        inventory: ``"model"``, the phones of a trained head; ``"lexicon"``, all phones of the lexicon, in training or
            not (needs the transfer method ``attributes``).
        words: False for phones alone; True to insist on a lexicon; None for words if there is a lexicon.
        language: of the model's; by default the only one, or that which is recognised in each segment.
        speaker: adapted layers of the speaker, to put on top.
        one_speaker: all recordings are of one speaker, and normalised together.
        whole: recordings are not cut at pauses.
        config: a TOML file whose ``[decoding]`` overrides the experiment's, and whose ``[segmentation]`` is used.
        settings: ``"decoding.key=value"`` and ``"segmentation.key=value"`` over both.
        nbest: length of the N-best lists.
        jobs: threads of the search.

    Raises:
        SpeechtlError: the model, the lexicon or another file is missing or wrong, or options do not fit each other.
    """
    from speechtl.recognition.recogniser import Recogniser, RecogniserOptions
    from speechtl.recognition.vocabulary import Vocabulary

    vocabulary = Vocabulary(
        lexicon=_path(lexicon),
        add_words=tuple(add_words),
        notation=notation,
        g2p=_path(g2p),
        rules=rules,
        lm=_path(lm),
        grammar=_path(grammar),
        inventory=inventory,
    )
    options = RecogniserOptions(
        speaker=_path(speaker),
        language=language,
        words=words,
        whole=whole,
        one_speaker=one_speaker,
        nbest=nbest,
        jobs=jobs,
        config=_path(config),
        settings=tuple(settings),
    )
    return Recogniser.load(Path(model), vocabulary, options)


def transcribe(model: "StrPath | Recogniser", audio: "Audio", rate: int | None = None, **options: Any) -> "Transcript":
    """Transcribe one recording; to transcribe several, `load` the model once and call its ``transcribe``.

    Args:
        model: an experiment directory, or what `load` returned.
        audio: a path, an open binary file, or samples ``(samples,)`` or ``(samples, channels)``.
        rate: Hz, of samples.
        **options: of `load`.

    Raises:
        SpeechtlError: the model or the audio is missing or wrong.
    """
    recogniser = load(model, **options) if isinstance(model, str | PathLike) else model
    return recogniser.transcribe(audio, rate)


def train(config: StrPath, out: StrPath, *, settings: Sequence[str] = ()) -> "Trained":
    """Train an acoustic model, or continue where a run stopped; a finished one is left alone.

    Args:
        config: TOML file that describes the experiment.
        out: the experiment directory.
        settings: ``"section.key=value"`` over the config.

    Raises:
        SpeechtlError: the config, the data, the lexicons or the sources are wrong.
    """
    from speechtl.experiment.config import load_config
    from speechtl.experiment.train import Trained
    from speechtl.experiment.train import train as run

    result = run(load_config(Path(config), settings), Path(out))
    return Trained(Path(out), result.get("dev_loss"), result.get("dev_per"))


def decode(
    model: StrPath,
    data: StrPath,
    out: StrPath,
    *,
    lexicon: StrPath | None = None,
    add_words: Sequence[str] = (),
    notation: Notation = "ipa",
    g2p: StrPath | None = None,
    rules: str | None = None,
    lm: StrPath | None = None,
    grammar: StrPath | None = None,
    inventory: Literal["model", "lexicon"] = "model",
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
    jobs: int = 1,
) -> "Decoded":
    """Decode a data directory with features: phones, and words where there is a lexicon (or added words).

    Args:
        model: the experiment directory.
        data: the data directory.
        out: folder of the results: ``phones``, ``text``, ``ctm``, ``phones.ctm``, ``log.jsonl``, ``decoding.toml``.
        lexicon: pronunciations of the words to find; without it and added words, phones alone.
        add_words: see `load`, as for the next ones.
        notation: of the lexicon and the added words.
        g2p: a model that guesses pronunciations.
        rules: spelling rules that guess them.
        lm: a language model.
        grammar: in its place, a grammar of commands.
        inventory: the phones of the model, or those of the lexicon.
        language: of the model's; by default the only one, what ``utt2lang`` says, or what is recognised.
        speaker: adapted layers of the speaker, to put on top.
        config: a TOML file whose ``[decoding]`` overrides the experiment's.
        settings: ``"decoding.key=value"`` over the config's and the experiment's.
        tune_on: data directory with transcripts, on which weights and penalties are chosen first.
        grid: with it, the values to try of a setting, ``"lm_weight=0.5,1,2"``.
        posteriors: scp tables of stored posteriors; the model is not run.
        save_posteriors: a folder that keeps the posteriors.
        nbest: length of the N-best lists.
        times: also find times and confidence of words.
        jobs: threads of the search.

    Raises:
        SpeechtlError: something is missing or wrong, or options do not fit each other.
    """
    from speechtl.recognition.corpus import DecodeRequest, decode_corpus
    from speechtl.recognition.vocabulary import Vocabulary

    vocabulary = Vocabulary(
        lexicon=_path(lexicon),
        add_words=tuple(add_words),
        notation=notation,
        g2p=_path(g2p),
        rules=rules,
        lm=_path(lm),
        grammar=_path(grammar),
        inventory=inventory,
    )
    request = DecodeRequest(
        model=Path(model),
        data=Path(data),
        out=Path(out),
        vocabulary=vocabulary,
        language=language,
        speaker=_path(speaker),
        config=_path(config),
        settings=tuple(settings),
        tune_on=_path(tune_on),
        grid=tuple(grid),
        posteriors=tuple(map(Path, posteriors)),
        save_posteriors=_path(save_posteriors),
        nbest=nbest,
        times=times,
        jobs=jobs,
    )
    return decode_corpus(request)


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
    notation: Notation = "ipa",
    g2p: StrPath | None = None,
    rules: str | None = None,
    lm: StrPath | None = None,
    config: StrPath | None = None,
    test: StrPath | None = None,
    source_speech: StrPath | None = None,
    replay: StrPath | None = None,
    unsupervised: bool = False,
    confidence: float = 0.7,
    allow_pipes: bool = False,
    overwrite: bool = False,
) -> "Adapted":
    """Adapt a model to the speaker of some recordings; the model itself is only read.

    Adaptation is cross-validated on the recordings; if it does not help, the source model is kept.

    Args:
        model: experiment directory of the source model.
        recordings: a data directory, a folder of audio with ``.txt`` or ``.lab`` files, or a CSV of file and text.
        out: folder of the result: ``speaker.h5`` (to be given as ``speaker``), or a whole experiment; and a report.
        method: ``fine_tuning``, ``conservative_training``, ``layer_transfer``, ``lhuc``, ``lin``, ``adapter`` or
            ``lora``; by default what suits the amount of speech.
        settings: ``"key=value"`` over the method's, and ``"decoding.key=value"``.
        language: of the model's; by default the only one.
        lexicon: pronunciations of the words; by default the model's own.
        add_words: words that it lacks, ``"WORD=PHONES"`` or ``"WORD"``.
        notation: how ``lexicon`` and ``add_words`` write phones.
        g2p: a grapheme-to-phoneme model: all out-of-vocabulary words of the transcripts are guessed.
        rules: the same with the spelling rules of a language.
        lm: a language model.
        config: a TOML file whose ``[decoding]`` overrides the experiment's.
        test: other recordings of the speaker, to compare on.
        source_speech: recordings of the model's own speakers, to measure forgetting.
        replay: training speech of the model, for methods that repeat some of it.
        unsupervised: train on what the model recognises.
        confidence: without transcripts, the least mean confidence of an utterance's words.
        allow_pipes: run the shell commands in ``wav.scp``.
        overwrite: replace another result in ``out``.

    Returns:
        The result, with errors ``before`` and ``after`` on speech that was not trained on.

    Raises:
        SpeechtlError: the model or the recordings are missing, damaged or of no use, or ``out`` holds another result.
    """
    from speechtl.adaptation.adapt import adapt as run
    from speechtl.adaptation.request import read_request

    request = read_request(
        Path(model),
        Path(recordings),
        Path(out),
        settings=settings,
        language=language,
        lexicon=_path(lexicon),
        add_words=add_words,
        notation=notation,
        g2p=_path(g2p),
        rules=rules,
        lm=_path(lm),
        config=_path(config),
        method=method,
        test=_path(test),
        source_speech=_path(source_speech),
        replay=_path(replay),
        unsupervised=unsupervised,
        confidence=confidence,
        allow_pipes=allow_pipes,
        overwrite=overwrite,
    )
    return run(request)


def score(
    reference: StrPath,
    hypothesis: StrPath,
    *,
    unit: Literal["word", "character", "phone"] = "word",
    utt2spk: StrPath | None = None,
    lexicon: StrPath | None = None,
    notation: Notation = "ipa",
    resample: Literal["speaker", "utterance"] | None = None,
    samples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 1,
) -> "Score":
    """Score what a system found against references, with a bootstrap confidence interval.

    Args:
        reference: a text table, or a data directory with one.
        hypothesis: a text table, or a folder that `decode` wrote.
        unit: what is counted.
        utt2spk: speakers of the utterances; by default those of the data directory.
        lexicon: with ``unit="phone"``, references are words, each of which counts as its best-matching pronunciation.
        notation: how the lexicon writes phones.
        resample: what the bootstrap draws; by default speakers if two or more are known, else utterances.
        samples: of the bootstrap.
        confidence: level of the interval.
        seed: of the bootstrap.

    Raises:
        SpeechtlError: a file is missing or wrong, or the hypotheses are of another test.
    """
    from speechtl.scoring.report import Scoring
    from speechtl.scoring.report import score as run

    scoring = Scoring(unit, _path(utt2spk), _path(lexicon), notation, resample, samples, confidence, seed)
    return run(Path(reference), Path(hypothesis), scoring)


def _path(path: StrPath | None) -> Path | None:
    return None if path is None else Path(path)
