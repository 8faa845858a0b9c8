"""The one training loop."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from speechtl.alignment.ctc import choose_pronunciations, chosen_labels, frames_needed
from speechtl.batches.config import AugmentationConfig, BatchConfig
from speechtl.batches.pipeline import Batch, Shard, make_dataset
from speechtl.batches.plan import PlannedBatch, plan_epoch, plan_once
from speechtl.batches.source import Source
from speechtl.errors import DataError, ModelError, list_problems
from speechtl.files import remove_half_written
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import arrays_of, assign, average, save_arrays
from speechtl.progress import progress_bar
from speechtl.training.config import TrainingConfig
from speechtl.training.evaluate import evaluate, forward_function, terms_function
from speechtl.training.framewise_criterion import FramewiseCriterion
from speechtl.training.log import TrainingLog
from speechtl.training.objective import Objective
from speechtl.training.optimizer import make_optimizer
from speechtl.training.state import Progress, load_state, save_state
from speechtl.training.update import Update
from speechtl.transfer.method import TransferMethod


class Trainer:
    """One run: a model, its data, and a directory in which everything it needs to continue is kept."""

    def __init__(
        self,
        model: AcousticModel,
        methods: Sequence[TransferMethod],
        train: Sequence[Source],
        dev: Sequence[Source],
        config: TrainingConfig,
        batches: BatchConfig,
        augmentation: AugmentationConfig,
        directory: Path,
        seed: int,
        strategy: tf.distribute.Strategy,
    ):
        """Check the data and prepare the optimizer.

        Args:
            model: prepared by every method already.
            methods: whose loss terms are added.
            train: one source per language.
            dev: likewise, held out.
            config: ``[training]``.
            batches: ``[batches]``.
            augmentation: ``[augmentation]``.
            directory: the experiment, on a file system that all workers share; only the chief worker writes to it.
            seed: of everything random.
            strategy: the strategy in whose scope the model was made.

        Raises:
            DataError: utterances too short for their labels (all listed), or nothing to train on.
        """
        self.model, self.methods, self.train, self.dev = model, methods, train, dev
        self.config, self.batches, self.augmentation = config, batches, augmentation
        self.directory, self.seed, self.strategy = directory, seed, strategy
        self.state_path = ExperimentLayout(directory).checkpoint
        cluster = strategy.cluster_resolver
        self.is_chief = (
            cluster is None or not cluster.task_type or (cluster.task_type == "worker" and cluster.task_id == 0)
        )
        self.is_labelled = any(any(source.labels) for source in train)
        if not sum(map(len, train)):
            raise DataError("no training speech; name data directories under [[data]] train")
        if not methods and not self.is_labelled:
            raise DataError("no labelled speech, and no [[transfer]] method to learn from other; name some under train")
        self.criterion = None
        if config.criterion == "framewise":
            units = {language: model.heads[head].units for language, head in model.head_of.items()}
            self.criterion = FramewiseCriterion(train, units, model.subsampling, config.prior_weight)
        # Frame by frame, there are as many labels as frames.
        check_lengths(model, dev if self.criterion else [*train, *dev])
        self.variables = model.trainable_variables()
        if not self.variables:
            raise ModelError("nothing to train: every weight is frozen; check the transfer methods")
        steps = config.epochs * len(self._plan(0))
        with strategy.scope():
            self.optimizer = make_optimizer(config, steps, self.variables)
        self.steps = steps
        self.update = Update(
            Objective(model, methods, self.criterion), self.variables, self.optimizer, config, seed, strategy
        )
        self.forward = {source.language: forward_function(model, source.language) for source in [*train, *dev]}
        self.terms = {source.language: terms_function(Objective(model, methods), source.language) for source in dev}

    def run(self) -> dict[str, Any]:
        """Train to the end, from the checkpoint if there is one.

        Returns:
            The last evaluation: of the averaged model.

        Raises:
            ModelError: the loss became NaN or infinite; names the utterances of the batch.
        """
        progress = Progress()
        if self.is_chief:
            remove_half_written(self.state_path.parent)
        if self.state_path.exists():
            progress = load_state(self.state_path, self.model.variables(), self.optimizer)
            self._restore_choices(progress)
        log = TrainingLog(self.directory, progress.step) if self.is_chief else None
        try:
            while progress.epoch < self.config.epochs and not self._is_worse(progress):
                self._train_epoch(progress, log)
            result = self._finish(progress, log)
        finally:
            if log is not None:
                log.close()
        return result

    def _plan(self, epoch: int) -> list[PlannedBatch]:
        frames, weights = [s.frames for s in self.train], [s.weight for s in self.train]
        return plan_epoch(frames, weights, self.batches, self.seed, epoch)

    def _train_epoch(self, progress: Progress, log: TrainingLog | None) -> None:
        plan = self._plan(progress.epoch)
        remaining = plan[progress.position :]
        streams = [
            self._stream(source, [batch for batch in remaining if batch.source == number], progress.epoch)
            for number, source in enumerate(self.train)
        ]
        saved = time.monotonic()
        window_frames, window_start, window_terms = 0, time.monotonic(), {}
        name = f"epoch {progress.epoch + 1}/{self.config.epochs}"
        with progress_bar(name, len(plan)) as advance:
            advance(progress.position)
            for planned in remaining:
                source = self.train[planned.source]
                values = self._step(source, next(streams[planned.source]), progress, planned)
                progress.position += 1
                progress.step += 1
                # Of the criterion, or where nothing is labelled of what the methods learn from.
                counted = [i for i in planned.utterances if source.labels[i] or not self.is_labelled]
                progress.loss_sum += values[self.config.criterion if self.is_labelled else "loss"] * len(counted)
                progress.loss_count += len(counted)
                progress.add(values, len(planned.utterances))
                window_frames += int(source.frames[list(planned.utterances)].sum())
                window_terms = values
                rate = window_frames / max(time.monotonic() - window_start, 1e-9)
                advance(1, f"loss {progress.loss_sum / max(progress.loss_count, 1):.2f}, {rate:,.0f} frames/s")
                if log is not None and progress.step % 20 == 0:
                    rate_now = float(self.optimizer.learning_rate)
                    log.write("step", progress.step, **window_terms, learning_rate=rate_now, frames_per_second=rate)
                    window_frames, window_start = 0, time.monotonic()
                if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                    self._save(progress)
                    saved = time.monotonic()
        self._end_epoch(progress, log)

    def _end_epoch(self, progress: Progress, log: TrainingLog | None) -> None:
        progress.epoch += 1
        entry = {"epoch": progress.epoch, "train_loss": progress.loss_sum / max(progress.loss_count, 1)}
        entry |= progress.means()
        entry |= evaluate(self.model, self.dev, self.batches, self.forward, self.terms) if self.dev else {}
        progress.history.append(entry)
        progress.position, progress.loss_sum, progress.loss_count = 0, 0.0, 0
        progress.values = {}
        if log is not None:
            log.write("epoch", progress.step, **entry)
        if progress.epoch in self.config.choose_pronunciations:
            changed = self._choose_pronunciations(progress)
            if log is not None:
                log.write("pronunciations", progress.step, changed=changed)
        if self.is_chief:
            save_arrays(self._epoch_path(progress.epoch), arrays_of(self.variables))
            for number in set(range(1, progress.epoch + 1)) - set(self._to_average(progress)):
                self._epoch_path(number).unlink(missing_ok=True)
        self._save(progress)
        print(_describe(entry, self.config.epochs), flush=True)

    def _finish(self, progress: Progress, log: TrainingLog | None) -> dict[str, Any]:
        """Average the kept epochs into ``weights.h5`` and measure the result."""
        self._wait_for_all()
        epochs = self._to_average(progress)
        averaged: Mapping[str, np.ndarray] = average(self._epoch_path(epoch) for epoch in epochs)
        for method in self.methods:
            averaged = method.finish(averaged)
        assign(self.variables, averaged, str(self.directory))
        result = evaluate(self.model, self.dev, self.batches, self.forward, self.terms) if self.dev else {}
        if log is not None:
            log.write("final", progress.step, epochs_averaged=len(epochs), **result)
        if self.is_chief:
            dropped = tuple(f"{path}/" for path in self.model.training_only)
            kept = {name: v for name, v in self.model.variables().items() if not name.startswith(dropped)}
            save_arrays(ExperimentLayout(self.directory).weights, arrays_of(kept))
        return result

    def _wait_for_all(self) -> None:
        """Wait until every worker is here, so that what the chief has written before is there for all."""
        if self.strategy.cluster_resolver is not None and self.strategy.num_replicas_in_sync > 1:
            ones = self.strategy.run(tf.function(lambda: tf.constant(1.0), autograph=False))
            self.strategy.reduce(tf.distribute.ReduceOp.SUM, ones, axis=None).numpy()

    def _to_average(self, progress: Progress) -> list[int]:
        history = progress.history
        if self.config.average_of == "best" and self.dev:
            history = sorted(history, key=lambda entry: entry["dev_loss"])[: self.config.average]
        return sorted(entry["epoch"] for entry in history[-self.config.average :])

    def _is_worse(self, progress: Progress) -> bool:
        """Whether dev loss has not improved for ``patience`` epochs."""
        if not self.config.patience or not self.dev or not progress.history:
            return False
        best = min(progress.history, key=lambda entry: entry["dev_loss"])
        return progress.epoch - best["epoch"] >= self.config.patience

    def _epoch_path(self, epoch: int) -> Path:
        return ExperimentLayout(self.directory).epoch_weights(epoch)

    def _save(self, progress: Progress) -> None:
        if self.is_chief:
            save_state(self.state_path, progress, self.model.variables(), self.optimizer)

    def _stream(self, source: Source, batches: list[PlannedBatch], epoch: int):
        """Yield this process's part of the batches: one element per local replica."""
        count = self.strategy.num_replicas_in_sync

        def make(context: tf.distribute.InputContext | None = None) -> tf.data.Dataset:
            pipelines = context.num_input_pipelines if context else 1
            local = count // pipelines
            first = local * (context.input_pipeline_id if context else 0)
            return make_dataset(
                source,
                batches,
                self.model.inputs,
                augmentation=self.augmentation,
                seed=(self.seed, epoch),
                shard=Shard(range(first, first + local), count),
            )

        return iter(make() if count == 1 else self.strategy.distribute_datasets_from_function(make))

    def _step(self, source: Source, batch: Batch, progress: Progress, planned: PlannedBatch) -> dict[str, float]:
        values = self.update(batch, source.language, progress.step, progress.step / max(self.steps, 1))
        if not np.all(np.isfinite(list(values.values()))):
            ids = [source.utterance_ids[index] for index in planned.utterances]
            shown = ", ".join(f"{name} {value}" for name, value in values.items())
            raise ModelError(
                list_problems(
                    f"step {progress.step + 1}: the loss or its gradient is not finite ({shown}); the last checkpoint "
                    "is kept; look at these utterances or lower training.learning_rate",
                    ids,
                )
            )
        return values

    def _choose_pronunciations(self, progress: Progress) -> int:
        """Train on the pronunciations that the recordings fit best from now on; return how many words changed."""
        changed = 0
        for number, source in enumerate(self.train):
            # Read from the start: the choice replaces what was chosen before.
            chosen_before = progress.choices.get(source.language, {})
            choices: dict[str, list[int]] = {}
            several = {i for i, words in enumerate(source.variants) if any(len(word) > 1 for word in words)}
            plan = [p for p in plan_once([s.frames for s in self.train], self.batches) if p.source == number]
            plan = [p for p in plan if several.intersection(p.utterances)]
            for batch in make_dataset(source, plan, self.model.inputs):
                logits, lengths = self.forward[source.language](batch.features, batch.lengths)
                log_posteriors = tf.nn.log_softmax(logits).numpy()
                for row, index in enumerate(batch.utterances.numpy()):
                    if int(index) not in several:
                        continue
                    frames = int(lengths[row])
                    chosen = choose_pronunciations(log_posteriors[row, :frames], source.variants[index])
                    if chosen_labels(source.variants[index], chosen, frames) is None:
                        continue
                    name = source.utterance_ids[index]
                    before = chosen_before.get(name, [0] * len(chosen))
                    changed += sum(new != old for new, old in zip(chosen, before, strict=True))
                    choices[name] = chosen
            progress.choices[source.language] = choices
        self._restore_choices(progress)
        return changed

    def _restore_choices(self, progress: Progress) -> None:
        for source in self.train:
            choices = progress.choices.get(source.language, {})
            for index, name in enumerate(source.utterance_ids):
                if name in choices:
                    words = zip(source.variants[index], choices[name], strict=True)
                    source.labels[index] = [unit for word, chosen in words for unit in word[chosen]]


def check_lengths(model: AcousticModel, sources: Sequence[Source]) -> None:
    """Raise DataError with every utterance whose frames are too few for its labels, which CTC cannot train on."""
    problems = []
    for source in sources:
        available = np.asarray(model.output_lengths(source.frames))
        for name, frames, labels in zip(source.utterance_ids, available, source.labels, strict=True):
            needed = max(frames_needed(labels), 1)
            if labels and frames < needed:
                problems.append(f"{name}: {frames} frames after subsampling, its {len(labels)} labels need {needed}")
    if problems:
        heading = (
            f"{len(problems)} utterances are too short for their transcripts; correct the transcripts, keep the "
            "others alone (speechtl data subset --utterance-list) or use a smaller model.encoder.subsampling.factor"
        )
        raise DataError(list_problems(heading, problems))


def _describe(entry: dict[str, Any], epochs: int) -> str:
    text = f"epoch {entry['epoch']}/{epochs}: train loss {entry['train_loss']:.3f}"
    if "dev_loss" in entry:
        text += f", dev loss {entry['dev_loss']:.3f}"
    if "dev_per" in entry:
        text += f", dev PER {entry['dev_per']:.2f} %"
    by_language = [name for name in entry if name.startswith("dev_per_")]
    rates = [f"{name.removeprefix('dev_per_')} {entry[name]:.2f}" for name in by_language]
    if rates:
        text += f" ({', '.join(rates)})"
    return text
