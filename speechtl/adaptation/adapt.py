"""The whole way: read recordings, choose a method, hold out, train, compare, store."""

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.adaptation.config import AdaptationConfig, choose_config
from speechtl.adaptation.held_out import Verdict, cross_validate
from speechtl.adaptation.learner import Heard, Learner, Speech
from speechtl.adaptation.pseudo_labels import label
from speechtl.adaptation.recordings import LONGEST, read_recordings
from speechtl.adaptation.report import Comparison, as_json, table_lines, verdict_line
from speechtl.adaptation.result import require_free, save_experiment, save_notes, save_speaker_alone
from speechtl.adaptation.scorer import Scorer
from speechtl.batches.config import DataConfig
from speechtl.batches.labelling import Labelling
from speechtl.batches.source import Source
from speechtl.data.datadir import DataDir
from speechtl.data.tables import write_table
from speechtl.decoding.config import DecodingConfig
from speechtl.errors import DataError, LexiconError, list_problems
from speechtl.experiment.experiment import Experiment
from speechtl.features.archives import read_double_matrix
from speechtl.features.cmvn import add
from speechtl.grammar.ngram import NgramModel
from speechtl.lang.lexicon import Lexicon
from speechtl.layout import ExperimentLayout


@dataclasses.dataclass(frozen=True)
class Request:
    """What is wanted; every field but the first three has a default.

    Attributes:
        source: experiment directory of the model to adapt.
        data: recordings, see `read_recordings`.
        out: folder of the result.
        method: see `AdaptationConfig`; None for what suits the amount of speech.
        settings: ``key=value`` over the method's.
        language: which head; may be None if there is only one.
        lexicon: of the words; None for the source's own.
        new_words: words that it lacks, with their pronunciations.
        lm: the language model, or None.
        decoding: settings of the search; None for the source's.
        test: recordings of the same speaker that nothing is learnt from, or None.
        replay: speech that the source was trained on, with transcripts and features, for methods that repeat some of
            it; None for what its config names, if that is there.
        source_speech: recordings of the speakers that the source was made for, to see what was forgotten, or None.
        unsupervised: learn from what the source hears, even if there are transcripts.
        confidence: that an utterance's words must have on average, to be learnt from without a transcript.
        allow_pipes: run the commands of ``wav.scp``.
        overwrite: replace another result in ``out``.
    """

    source: Path
    data: Path
    out: Path
    method: str | None = None
    settings: tuple[str, ...] = ()
    language: str | None = None
    lexicon: Lexicon | None = None
    new_words: Lexicon | None = None
    lm: NgramModel | None = None
    decoding: DecodingConfig | None = None
    test: Path | None = None
    replay: Path | None = None
    source_speech: Path | None = None
    unsupervised: bool = False
    confidence: float = 0.7
    allow_pipes: bool = False
    overwrite: bool = False


@dataclasses.dataclass(frozen=True)
class Adapted:
    """What came out.

    Attributes:
        config: the settings used.
        seconds: of speech learnt from.
        utterances: learnt from.
        epochs: of training; 0 if the source was kept.
        comparisons: before and after, on each kind of speech.
        warnings: what the user should know.
        lines: the report.
        parameters: weights that were trained.
        file: what was stored of them.
    """

    config: AdaptationConfig
    seconds: float
    utterances: int
    epochs: int
    comparisons: list[Comparison]
    warnings: list[str]
    lines: list[str]
    parameters: int
    file: Path


def adapt(request: Request) -> Adapted:
    """Adapt a model to the speaker of some recordings; the source is only read.

    Writes into ``out``: ``speaker.h5`` for speaker layers, a whole experiment for other methods; ``report.txt``,
    ``adaptation.json``, what was decoded, and ``data``, the tables and features that were used.

    Raises:
        SpeechtlError: source or recordings are missing, damaged or of no use; ``out`` is the source, or holds another
            result that is not to be replaced.
    """
    started = time.monotonic()
    require_free(request.out, request.source, request.overwrite)
    experiment = Experiment.load(request.source)
    language = experiment.language(request.language)
    lexicon = _lexicon(request, experiment, language)
    inventory = experiment.inventory(language)
    scorer = Scorer(inventory, lexicon, request.lm, request.decoding or experiment.config.decoding)
    features, source_path = experiment.config.features, str(request.source)

    supervised = not request.unsupervised
    recordings = read_recordings(
        request.data,
        request.out / "data",
        features,
        allow_pipes=request.allow_pipes,
        need_text=supervised,
    )
    warnings = [f"{name}: left out: {reason}" for name, reason in recordings.left_out.items()]
    data = recordings.data
    if supervised:
        data = _with_known_words(data, lexicon, inventory.phones, warnings)
    seconds = sum(data.utt2num_frames.values()) * features.frame_shift_ms / 1000
    config = choose_config(seconds, request.method, request.settings)
    learner = Learner(experiment, config, language)

    def read(where: DataDir, labelled: bool) -> Source:
        table = DataConfig(language=language)
        labelling = Labelling(inventory, lexicon) if labelled else None
        return Source([where.path], table, experiment.normaliser, features, labelling)

    if request.unsupervised:
        speech = Speech.read(read(data, False))
        before = learner.hear(speech)
        speech = label(speech, before, scorer, inventory, request.confidence, warnings)
    else:
        speech = learner.speech(read(data, True))
    short = set(learner.too_short(speech))
    warnings += [f"{name}: left out: too short for its transcript" for name in sorted(short)]
    speech = speech.select([place for place, name in enumerate(speech.ids) if name not in short])
    if not len(speech):
        raise DataError(list_problems(f"{request.data}: no recording can be learnt from", warnings))
    before = learner.hear(speech)
    _remember(learner, request, experiment, lexicon, warnings)

    verdict = _verdict(learner, speech, before, recordings.text, scorer, warnings)
    comparisons = []
    if verdict.before is not None and verdict.after is not None:
        comparisons.append(Comparison("held out", verdict.before, verdict.after))

    others = _other_speech(request, learner, features, read)
    learner.reset()
    heard_before = {title: learner.hear(one) for title, (one, _) in others.items()}
    if verdict.epochs:
        for done in learner.learn(speech, config.epochs):
            if done == verdict.epochs:
                break
    for title, (one, text) in others.items():
        first, second = heard_before[title].posteriors, learner.hear(one).posteriors
        comparisons.append(Comparison(title, scorer.score(text, first), scorer.score(text, second)))
        _write_texts(request.out / title.replace(" ", "_"), scorer, first, second)

    if config.stored_alone:
        stats = add([read_double_matrix(place) for place in data.cmvn_scp.values()]) if data.cmvn_scp else None
        file = save_speaker_alone(request.out, learner.model, source_path, stats)
    else:
        file = save_experiment(request.out, experiment, source_path, learner, data.path, lexicon)
    if request.new_words is not None and lexicon is not None:
        lexicon.save(ExperimentLayout(request.out).lexicon(language))
    taken = time.monotonic() - started
    result = Adapted(config, seconds, len(speech), verdict.epochs, comparisons, warnings, [], learner.parameters, file)
    result.lines.extend(_lines(result, request, taken))
    save_notes(request.out, result.lines, _numbers(result, request, verdict, taken))
    return result


def _lexicon(request: Request, experiment: Experiment, language: str) -> Lexicon | None:
    has_own = experiment.directory.lexicon(language).is_file()
    lexicon = request.lexicon or (experiment.lexicon(language) if has_own else None)
    if lexicon is not None and request.new_words is not None:
        lexicon.merge(request.new_words)
    return lexicon


def _with_known_words(data: DataDir, lexicon: Lexicon | None, phones: tuple[str, ...], warnings: list[str]) -> DataDir:
    """Leave out utterances with words (or, without a lexicon, phones) that the model knows nothing about."""
    known = set(phones) if lexicon is None else set(lexicon.words)
    unknown: dict[str, list[str]] = {}
    for name, text in data.text.items():
        for word in text.split():
            if word not in known:
                unknown.setdefault(word, []).append(name)
    if not unknown:
        return data
    affected = {name for names in unknown.values() for name in names}
    lines = [f"{word} (in {names[0]}{_hint(word, known)})" for word, names in sorted(unknown.items())]
    what = "words that the lexicon lacks" if lexicon is not None else "phones that the model lacks"
    advice = "; have them guessed (--g2p) or write them (--word WORD=PHONES)" if lexicon is not None else ""
    if len(affected) == len(data):
        raise LexiconError(list_problems(f"{data.path}: every transcript has {what}{advice}", lines))
    heading = f"{len(affected)} of {len(data)} recordings are left out, since they have {what}{advice}:"
    warnings.append(list_problems(heading, lines, limit=20))
    kept = data.select(name for name in data.utterance_ids if name not in affected)
    kept.save(data.path)
    return DataDir.load(data.path)


def _hint(word: str, known: set[str]) -> str:
    near = next((variant for variant in (word.lower(), word.upper(), word.capitalize()) if variant in known), None)
    return f"; '{near}' is known" if near else ""


def _remember(
    learner: Learner, request: Request, experiment: Experiment, lexicon: Lexicon | None, warnings: list[str]
) -> None:
    """Give the learner speech that the source was trained on, where it can be had."""
    if not learner.config.replay:
        return
    trained = next(table for table in experiment.config.data if table.language == learner.language)
    # Speed-perturbed or not, a sample of a few hundred is the same; the first directory will do.
    directory = request.replay or Path(trained.train[0])
    if not (directory / "feats.scp").is_file():
        if request.replay is not None:
            raise DataError(f"{directory}: no data directory with features (feats.scp is missing)")
        warnings.append(
            f"{directory}, which the source was trained on, is not here, so nothing of it is repeated; name it with "
            "--replay: the result is better on words that were not recorded"
        )
        return
    inventory = experiment.inventory(learner.language)
    table = DataConfig(language=learner.language)
    labelling = Labelling(inventory, lexicon)
    learner.remember(Source([directory], table, experiment.normaliser, experiment.config.features, labelling))


def _verdict(
    learner: Learner,
    speech: Speech,
    before: Heard,
    references: Mapping[str, str],
    scorer: Scorer,
    warnings: list[str],
) -> Verdict:
    if len(speech) > 1:
        return cross_validate(learner, speech, before, references, scorer)
    warnings.append(
        "one utterance alone: nothing can be held out, so it was trained for a number of epochs that was good for "
        "other speakers, and whether it helps is not known; give other recordings with --test, or more of them"
    )
    return Verdict(learner.config.epochs_alone, None, None, [before.loss])


def _other_speech(request: Request, learner: Learner, features, read) -> dict[str, tuple[Speech, dict[str, str]]]:
    """Read the speech that errors are counted on besides the recordings."""
    found = {}
    for title, path in (("test", request.test), ("source speech", request.source_speech)):
        if path is not None:
            folder = request.out / f"data_{title.replace(' ', '_')}"
            data = read_recordings(path, folder, features, allow_pipes=request.allow_pipes).data
            found[title] = Speech.read(read(data, False)), dict(data.text)
    return found


def _write_texts(folder: Path, scorer: Scorer, before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> None:
    for name, posteriors in (("before", before), ("after", after)):
        words = {key: " ".join(one.words) for key, one in scorer.hypotheses(posteriors).items()}
        if words:
            write_table(folder / name / "text", words)


def _lines(result: Adapted, request: Request, taken: float) -> list[str]:
    config = result.config
    lines = [
        f"{result.utterances} recordings, {result.seconds:.1f} s of speech; method {config.method}, "
        f"{result.parameters:,} parameters, learning rate {config.learning_rate:g}"
    ]
    if result.comparisons:
        lines += ["", *table_lines(result.comparisons), ""]
        lines += [verdict_line(comparison) for comparison in result.comparisons]
    if not result.epochs:
        lines.append("adaptation did not help on held-out speech: the source model is kept as it is")
    else:
        lines.append(f"trained on everything for {result.epochs} of at most {config.epochs} epochs")
    size = result.file.stat().st_size
    how = f"decode {request.source} --speaker {request.out}" if config.stored_alone else f"decode {request.out}"
    lines.append(f"{result.file}: {size / 1000:.1f} kB; {taken:.1f} s. Use it: speechtl {how}")
    return lines


def _numbers(result: Adapted, request: Request, verdict: Verdict, taken: float) -> dict[str, Any]:
    return {
        "source": str(request.source),
        "data": str(request.data),
        "method": json.loads(result.config.model_dump_json()),
        "unsupervised": request.unsupervised,
        "utterances": result.utterances,
        "seconds": round(result.seconds, 2),
        "epochs": result.epochs,
        "kept_source": not result.epochs,
        "held_out_losses": [round(value, 4) for value in verdict.losses],
        "parameters": result.parameters,
        "bytes": result.file.stat().st_size,
        "seconds_taken": round(taken, 2),
        "longest": LONGEST,
        "results": {comparison.title: as_json(comparison) for comparison in result.comparisons},
        "warnings": result.warnings,
    }
