"""How much each method buys with how much speech: an experiment over speakers, amounts and choices of utterances."""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from speechtl.adaptation.config import choose_config
from speechtl.adaptation.draws import Draw, draws
from speechtl.adaptation.held_out import cross_validate
from speechtl.adaptation.learner import Learner, Outputs, Speech
from speechtl.adaptation.scorer import Scorer, Scores
from speechtl.adaptation.study_results import Origin, study_results
from speechtl.batches.config import DataConfig
from speechtl.batches.labelling import Labelling
from speechtl.batches.source import Source
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.language_choice import open_language
from speechtl.grammar.coverage import tell_coverage
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.read import read_language_model
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.phone_mapping import MissingPhones, fit_lexicon
from speechtl.models.weights import arrays_of
from speechtl.pieces import Here, Workers, spread
from speechtl.progress import progress_bar
from speechtl.transfer.speaker_layers import fingerprint, speaker_size


@dataclasses.dataclass(frozen=True)
class Study:
    """What is tried.

    Attributes:
        source: experiment directory, trained on other speakers.
        data: data directory of several speakers, with features.
        systems: name -> method and settings: ``{"lhuc": ("lhuc", ()), "lhuc fast": ("lhuc", ("learning_rate=0.1",))}``;
            the method ``default`` is what `adapt` does, held-out speech and all.
        counts: utterances to learn from; 0 stands for all that are not tested on.
        folds: parts that a speaker's utterances are dealt into. Each is the test once, so that every utterance is
            tested on once for each count; what is trained on is drawn from the other parts.
        source_speech: speech of the source's own speakers, to see what was forgotten, or None.
        replay: speech that the source was trained on, for systems that go on learning from it; or None.
        every_epoch: whether the test is listened to after every epoch, or after the last alone.
        seeds: the splits, the draws and the training are repeated for each.
    """

    source: Path
    data: Path
    systems: dict[str, tuple[str, tuple[str, ...]]]
    counts: tuple[int, ...] = (1, 2, 5, 10, 0)
    folds: int = 4
    source_speech: Path | None = None
    replay: Path | None = None
    every_epoch: bool = False
    seeds: tuple[int, ...] = (1,)

    def origin(self, options: Mapping[str, Any]) -> Origin:
        """Return what its results are results of, with further options."""
        paths = {"data": self.data, "source speech": self.source_speech, "replay": self.replay}
        named = {name: None if path is None else str(path.resolve()) for name, path in paths.items()}
        systems = {name: ",".join([method, *settings]) for name, (method, settings) in self.systems.items()}
        return Origin({**named, "folds": self.folds, **options}, systems)


def run_study(
    study: Study,
    out: Path,
    lexicon: Lexicon | None,
    lm: NgramModel | None,
    decoding: Any,
    language: str | None,
    missing_phones: MissingPhones = "nearest",
    workers: Workers | None = None,
) -> list[dict[str, Any]]:
    """Run everything that ``out`` does not have yet.

    Args:
        study: what to try.
        out: ``results.jsonl`` grows there by a line for each draw (and epoch), so a stopped study continues.
        lexicon: of the words; None for the source's own.
        lm: the language model, or None.
        decoding: settings of the search.
        language: which head, or None for the only one.
        missing_phones: of the lexicon, that the model lacks; see `fit_lexicon`.
        workers: that adapt; None for this process.

    Returns:
        All lines.

    Raises:
        DataError: no speaker has two utterances with features, or another process writes into ``out``, or results there
            are of something else.
    """
    data = DataDir.load(study.data)
    source = Experiment.load(study.source)
    language = open_language(source, language, lexicon)
    inventory = source.inventory(language)
    own = source.directory.language_model(language)
    if lexicon is None and source.directory.lexicon(language).is_file():
        lexicon = source.directory.own_lexicon(language)
        if lm is None and own.is_file():
            lm = read_language_model(own)
            lexicon = lexicon.only(lm.vocabulary | {word for text in data.text.values() for word in text.split()})
    if lexicon is not None:
        lexicon = fit_lexicon(lexicon, inventory, missing_phones)
        tell_coverage(lm, lexicon, "the language model")
    options = {
        # Wherever it is: a model that comes with speechtl is in the cache.
        "weights of the model": fingerprint(source.model),
        "language": language,
        "lexicon": None if lexicon is None else lexicon.summary(),
        "n-grams": None if lm is None else len(lm),
        **{f"decoding.{name}": value for name, value in decoding.model_dump(mode="json").items()},
    }
    with study_results(out, study.origin(options)) as results:
        for system, (method, settings) in study.systems.items():
            bench = _Bench(study, method, settings, data, lexicon, lm, decoding, language, inventory)
            todo = [one for one in bench.draws if (system, *one.key) not in results.done]
            with progress_bar(system, len(todo)) as advance:
                for one, lines in spread(workers or Here(), bench, todo, lambda draw: len(draw.learn), 1.0):
                    for line in lines:
                        results.add((system, *one.key), line)
                    advance()
        return results.lines


class _Bench:
    """One system with everything that its draws share."""

    def __init__(
        self,
        study: Study,
        method: str,
        settings: tuple[str, ...],
        data: DataDir,
        lexicon: Lexicon | None,
        lm: NgramModel | None,
        decoding: Any,
        language: str,
        inventory: PhoneInventory,
    ):
        self._made_of = study, method, settings, data, lexicon, lm, decoding, language, inventory
        self.study, self.method, self.settings = study, None if method == "default" else method, settings
        self.language, self.inventory = language, inventory
        experiment = self._load()
        self.model = experiment.model
        self.scorer = Scorer(inventory, lexicon, lm, decoding)
        self.shift = experiment.config.features.frame_shift_ms / 1000
        self.learners: dict[str, Learner] = {}
        self.replay: Source | None = None
        table = DataConfig(language=self.language)
        features = experiment.config.features
        labelling = Labelling(inventory, lexicon)
        if study.replay is not None:
            self.replay = Source([study.replay], table, experiment.normaliser, features, labelling)
        self.source = Source([study.data], table, experiment.normaliser, features, labelling)
        self.others: Source | None = None
        if study.source_speech is not None:
            self.others = Source([study.source_speech], table, experiment.normaliser, features)
        self.speech: dict[str, tuple[Speech, Speech | None]] = {}
        learner = self._learner(0.0)
        speech, _ = self._speech(learner)
        problems = [f"{name}: too short for its transcript" for name in learner.too_short(speech)]
        if problems:
            raise DataError(list_problems(f"{study.data}: leave these out (speechtl data subset --exclude)", problems))
        self.text = dict(data.text)
        self.before = learner.evaluate(speech)
        self.draws = [one for seed in study.seeds for one in draws(data, speech.ids, study.counts, study.folds, seed)]
        if not self.draws:
            raise DataError(f"{study.data}: no speaker has two utterances; give speakers with more")
        if study.source_speech is not None:
            self.other_text = dict(DataDir.load(study.source_speech).text)
            learner.reset()
            self.other_before = self._errors_on_source(learner)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Bench, self._made_of

    def __call__(self, draws: Iterable[Draw]) -> Iterator[tuple[Draw, list[dict[str, Any]]]]:
        """Yield the results of each draw."""
        return ((draw, list(self.run(draw))) for draw in draws)

    def _learner(self, seconds: float) -> Learner:
        """Return the learner for an amount of speech, compiled once for all draws with the same settings."""
        config = choose_config(seconds, self.method, self.settings, self.model)
        key = config.model_dump_json()
        if key not in self.learners:
            learner = Learner(self._load(), config, self.language)
            self.learners[key] = learner
            if self.replay is not None:
                learner.set_replay(self.replay)
        return self.learners[key]

    def _load(self) -> Experiment:
        """Return the source, with a head for a language that is new to it."""
        experiment = Experiment.load(self.study.source)
        if not experiment.model.has_head(self.language):
            experiment.add_language(self.language, self.inventory)
        return experiment

    def _speech(self, learner: Learner) -> tuple[Speech, Speech | None]:
        """Return the speech, and that of the source's speakers if wanted, as a learner takes them."""
        key = "" if learner.frozen is None else learner.frozen.key
        if key not in self.speech:
            others = None if self.others is None else learner.read(self.others)
            self.speech[key] = learner.speech(self.source), others
        return self.speech[key]

    def run(self, draw: Draw) -> Iterator[dict[str, Any]]:
        """Yield the errors after the last epoch, and, if wanted, after every epoch."""
        seconds = self.shift * int(self.source.frames[list(draw.learn)].sum())
        learner = self._learner(seconds)
        speech, _ = self._speech(learner)
        learn, test = speech.select(draw.learn), speech.select(draw.test)
        config = learner.config
        facts: dict[str, Any] = {
            "seconds": round(seconds, 2),
            "method": config.method,
            "parameters": learner.parameters,
            "bytes": stored_bytes(learner),
        }
        started, processor = time.perf_counter(), time.process_time()
        epochs = config.epochs
        if self.method is None:
            epochs = config.epochs_alone
            if len(learn) > 1:
                before = self.before.select(learn.ids)
                epochs = cross_validate(learner, learn, before, self.text, self.scorer).epochs
        learner.reset()
        for epoch in learner.learn(learn, config.epochs, seed=draw.seed - 1) if epochs else ():
            if epoch == epochs:
                break
            if self.study.every_epoch:
                yield facts | {"epoch": epoch, "last": False, "after": self._numbers(learner.evaluate(test))}
        taken = {"wall": time.perf_counter() - started, "processor": time.process_time() - processor}
        facts |= {key: round(value, 3) for key, value in taken.items()}
        facts |= {"before": self._numbers(self.before.select(test.ids)), "after": self._numbers(learner.evaluate(test))}
        if self.others is not None and draw.part == 0:
            facts |= {"source_before": self.other_before, "source_after": self._errors_on_source(learner)}
        yield facts | {"epoch": epochs, "last": True}

    def _errors_on_source(self, learner: Learner) -> dict[str, Any]:
        _, speech = self._speech(learner)
        return _numbers(self.scorer.score(self.other_text, learner.evaluate(speech).posteriors)) if speech else {}

    def _numbers(self, outputs: Outputs) -> dict[str, Any]:
        text = {name: self.text[name] for name in outputs.posteriors}
        return {"loss": round(outputs.loss, 3)} | _numbers(self.scorer.score(text, outputs.posteriors))


def stored_bytes(learner: Learner) -> int:
    """Return the size of what is kept of a speaker: a file of speaker layers, or all weights."""
    if not learner.config.stored_alone:
        return sum(array.nbytes for array in arrays_of(learner.model.variables()).values())
    return speaker_size(learner.model)


def _numbers(score: Scores) -> dict[str, Any]:
    rates = (("words", score.words), ("phones", score.phones))
    return {name: [rate.total.errors, rate.reference_length] for name, rate in rates if rate is not None}
