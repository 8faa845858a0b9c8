"""End-to-end speaker adaptation: read recordings, choose a method, cross-validate, train, compare, store."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from speechtl.adaptation.config import choose_config
from speechtl.adaptation.held_out import Verdict, cross_validate
from speechtl.adaptation.learner import Learner, Speech
from speechtl.adaptation.pseudo_labels import label
from speechtl.adaptation.report import BeforeAfter
from speechtl.adaptation.request import Request
from speechtl.adaptation.result import (
    RESULTS,
    Adapted,
    lines_of,
    numbers_of,
    require_free,
    save_experiment,
    save_notes,
    save_speaker_alone,
)
from speechtl.adaptation.scorer import Scorer
from speechtl.adaptation.vocabulary import with_known_words
from speechtl.batches.config import DataConfig
from speechtl.batches.labelling import Labelling
from speechtl.batches.source import Source
from speechtl.data.datadir import DataDir
from speechtl.data.tables import write_table
from speechtl.errors import DataError, list_problems
from speechtl.exchange.recordings import DATA, Recordings, read_recordings
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.language_choice import open_language
from speechtl.exporting.export_graphs import export_at_the_end
from speechtl.features.archives import read_double_matrix
from speechtl.features.cmvn import add
from speechtl.files import replacing_together
from speechtl.lang.missing_words import in_known_spelling
from speechtl.lang.phone_mapping import fit_lexicon
from speechtl.layout import ExperimentLayout
from speechtl.lock import alone_in


def adapt(request: Request) -> Adapted:
    """Adapt a model to the speaker of some recordings; the source is only read.

    Writes into ``out``: ``speaker.h5`` for speaker layers, a whole experiment for other methods; ``report.txt``,
    ``adaptation.json``, what was decoded, ``data``, the tables and features that were used, and the graphs of
    `speechtl.exporting.export_graphs`.

    Raises:
        SpeechtlError: source or recordings are missing, damaged or of no use; ``out`` is the source, holds another
            result that is not to be replaced, or another process writes there.
    """
    with alone_in(request.out):
        require_free(request.out, request.source, request.overwrite)
        result = Adaptation(request).run()
        if request.export:
            alone = result.config.stored_alone
            export_at_the_end(*((request.source, request.out) if alone else (request.out,)))
        return result


class Adaptation:
    """One adaptation, step by step."""

    def __init__(self, request: Request):
        """Load the source."""
        self.started = time.monotonic()
        self.request = request
        self.warnings: list[str] = []
        self.experiment = Experiment.load(request.source)
        self.language = open_language(self.experiment, request.language, request.lexicon)
        self.inventory = self.experiment.inventory(self.language)
        self.features = self.experiment.config.features
        self.lexicon = request.lexicon
        if self.lexicon is None and self.experiment.directory.lexicon(self.language).is_file():
            self.lexicon = self.experiment.lexicon(self.language)
        if self.lexicon is not None:
            self.lexicon = fit_lexicon(self.lexicon, self.inventory, request.missing_phones)
            if request.new_words is not None:
                self.lexicon.merge(request.new_words)
        decoding = request.decoding or self.experiment.config.decoding
        searched = self.lexicon
        if searched is not None and request.own_lm and request.lm is not None:
            searched = searched.only(request.lm.vocabulary | set(request.new_words.words if request.new_words else ()))
        self.scorer = Scorer(self.inventory, searched, request.lm, decoding)

    def run(self) -> Adapted:
        """Adapt; see `adapt`."""
        request = self.request
        data, transcripts = self._recordings()
        seconds = sum(data.utt2num_frames.values()) * self.features.frame_shift_ms / 1000
        config = choose_config(seconds, request.method, request.settings, self.experiment.model)
        learner = Learner(self.experiment, config, self.language)
        speech = self._speech(learner, data)
        self._repeat_training_speech(learner)
        verdict = self._verdict(learner, speech, transcripts)
        comparisons = []
        if verdict.before is not None and verdict.after is not None:
            comparisons.append(BeforeAfter("held out", verdict.before, verdict.after))
        comparisons += self._train(learner, speech, verdict.epochs)
        # Together: a half of one result and a half of another would be a model, too.
        with replacing_together(request.out, RESULTS) as new:
            file = self._store(new, learner, data)
            result = Adapted(
                config=config,
                seconds=seconds,
                utterances=len(speech),
                epochs=verdict.epochs,
                comparisons=comparisons,
                warnings=self.warnings,
                lines=[],
                parameters=learner.parameters,
                file=request.out / file.relative_to(new),
                size=file.stat().st_size,
            )
            taken = time.monotonic() - self.started
            result.lines.extend(lines_of(result, request, taken))
            save_notes(new, result.lines, numbers_of(result, request, verdict.losses, taken))
        return result

    def _recordings(self) -> tuple[DataDir, Mapping[str, str]]:
        """Return the recordings to train on, with features, and their transcripts."""
        request, supervised = self.request, not self.request.unsupervised
        recordings = read_recordings(
            request.data,
            request.out / DATA,
            self.features,
            channel=request.channel,
            allow_pipes=request.allow_pipes,
            need_text=supervised,
        )
        self.warnings += [f"{name}: left out: {reason}" for name, reason in recordings.left_out.items()]
        recordings = self._spelled(recordings)
        data = recordings.data
        if supervised:
            data = with_known_words(data, self.lexicon, self.inventory.phones, self.warnings)
        return data, recordings.text

    def _spelled(self, recordings: Recordings) -> Recordings:
        """Return recordings whose transcripts are spelled as the lexicon spells their words."""
        if self.lexicon is None:
            return recordings
        text, changed = in_known_spelling(recordings.text, self.lexicon)
        self.warnings += changed
        if text != recordings.text:
            recordings.data.text = {name: text[name] for name in recordings.data.text}
            recordings.data.save(recordings.data.path)
        return dataclasses.replace(recordings, text=text)

    def _read(self, directory: Path, labelled: bool) -> Source:
        labelling = Labelling(self.inventory, self.lexicon) if labelled else None
        table = DataConfig(language=self.language)
        return Source([directory], table, self.experiment.normaliser, self.features, labelling)

    def _speech(self, learner: Learner, data: DataDir) -> Speech:
        """Return the utterances to train on with their labels: of the transcripts, or of what the source recognises."""
        if self.request.unsupervised:
            speech = learner.read(self._read(data.path, False))
            outputs = learner.evaluate(speech)
            speech = label(speech, outputs, self.scorer, self.inventory, self.request.confidence, self.warnings)
        else:
            speech = learner.speech(self._read(data.path, True))
        short = set(learner.too_short(speech))
        self.warnings += [f"{name}: left out: too short for its transcript" for name in sorted(short)]
        speech = speech.select([place for place, name in enumerate(speech.ids) if name not in short])
        if not len(speech):
            raise DataError(list_problems(f"{self.request.data}: no recording can be learnt from", self.warnings))
        return speech

    def _repeat_training_speech(self, learner: Learner) -> None:
        """Give the learner speech that the source was trained on, where it can be had."""
        if not learner.config.replay:
            return
        request = self.request
        # Speed-perturbed or not, a sample of a few hundred is the same; the first directory will do.
        trained = self.experiment.directory.data.get(self.language)
        directory = request.replay or (Path(trained.train[0]) if trained and trained.train else None)
        if directory is None:
            # A language that is new to the model: there is nothing to repeat.
            return
        if not (directory / "feats.scp").is_file():
            if request.replay is not None:
                raise DataError(
                    f"{directory}: has no features; run speechtl features {directory} --model {request.called}"
                )
            self.warnings.append(
                f"{directory}, which the source was trained on, is not here, so nothing of it is repeated; name it "
                "with --replay: the result is better on words that were not recorded"
            )
            return
        learner.set_replay(self._read(directory, True))

    def _verdict(self, learner: Learner, speech: Speech, transcripts: Mapping[str, str]) -> Verdict:
        before = learner.evaluate(speech)
        if len(speech) > 1:
            return cross_validate(learner, speech, before, transcripts, self.scorer)
        self.warnings.append(
            "one utterance alone: nothing can be held out, so it was trained for a number of epochs that was good for "
            "other speakers, and whether it helps is not known; give other recordings with --test, or more of them"
        )
        return Verdict(learner.config.epochs_alone, None, None, [before.loss])

    def _train(self, learner: Learner, speech: Speech, epochs: int) -> list[BeforeAfter]:
        """Train on everything, and compare before and after on other speech."""
        others = self._other_speech(learner)
        learner.reset()
        before = {title: learner.evaluate(one).posteriors for title, (one, _) in others.items()}
        if epochs:
            for done in learner.learn(speech, learner.config.epochs):
                if done == epochs:
                    break
        comparisons = []
        for title, (one, text) in others.items():
            after = learner.evaluate(one).posteriors
            first, second = self.scorer.score(text, before[title]), self.scorer.score(text, after)
            comparisons.append(BeforeAfter(title, first, second))
            folder = self.request.out / title.replace(" ", "_")
            self._write_texts(folder / "before", before[title])
            self._write_texts(folder / "after", after)
        return comparisons

    def _other_speech(self, learner: Learner) -> dict[str, tuple[Speech, dict[str, str]]]:
        """Read the speech that errors are counted on besides the recordings."""
        request, found = self.request, {}
        for title, path in (("test", request.test), ("source speech", request.source_speech)):
            if path is not None:
                folder = request.out / f"data_{title.replace(' ', '_')}"
                others = self._spelled(
                    read_recordings(
                        path, folder, self.features, channel=request.channel, allow_pipes=request.allow_pipes
                    )
                )
                found[title] = learner.read(self._read(others.data.path, False)), others.text
        return found

    def _write_texts(self, folder: Path, posteriors: dict[str, np.ndarray]) -> None:
        words = {key: " ".join(one.words) for key, one in self.scorer.hypotheses(posteriors).items()}
        if words:
            write_table(folder / "text", words)

    def _store(self, out: Path, learner: Learner, data: DataDir) -> Path:
        """Write the speaker's layers, or a whole experiment, into a folder."""
        request, source = self.request, str(self.request.source)
        if learner.config.stored_alone:
            stats = add([read_double_matrix(place) for place in data.cmvn_scp.values()]) if data.cmvn_scp else None
            file = save_speaker_alone(out, learner.model, source, stats)
        else:
            file = save_experiment(out, self.experiment, source, learner, data.path, self.lexicon)
        if request.new_words is not None and self.lexicon is not None:
            self.lexicon.save(ExperimentLayout(out).lexicon(self.language), any_name=True)
        return file
