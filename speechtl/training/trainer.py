"""The training loop."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from speechtl.batches.pipeline import Batch
from speechtl.batches.plan import PlannedBatch
from speechtl.batches.source import Source
from speechtl.errors import DataError, ModelError, list_problems
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import arrays_of, assign, average, digest, save_arrays
from speechtl.progress import progress_bar
from speechtl.scoring.feature_error_rate import describe_unknown
from speechtl.training.config import TrainingConfig
from speechtl.training.evaluate import evaluate, forward_function, held_out, terms_function, unmeasured_phones
from speechtl.training.framewise_criterion import FramewiseCriterion
from speechtl.training.layer_rates import first_epochs, rate_factors
from speechtl.training.objective import Objective
from speechtl.training.optimizer import cosine_schedule, make_optimizer
from speechtl.training.pronunciation_choice import apply_choices, choose_anew
from speechtl.training.state import Progress, load_state, save_state
from speechtl.training.training_data import TrainingData, check_lengths
from speechtl.training.training_log import TrainingLog, describe_epoch
from speechtl.training.update import Update
from speechtl.transfer.method import TransferMethod

logger = logging.getLogger(__name__)

# Steps between two entries of the log.
_LOG_EVERY = 20


class Trainer:
    """One training run: a model, its data, and a directory that holds everything needed to continue."""

    def __init__(
        self,
        model: AcousticModel,
        methods: Sequence[TransferMethod],
        data: TrainingData,
        config: TrainingConfig,
        directory: Path,
        strategy: tf.distribute.Strategy | None = None,
    ):
        """Check the data and prepare the optimizer.

        Args:
            model: already prepared by every method.
            methods: whose loss terms are added.
            data: the speech; its seed is that of dropout as well.
            config: ``[training]``.
            directory: the experiment, on a file system that all workers share; only the chief worker writes to it.
            strategy: the one in whose scope the model was made; by default the current one.

        Raises:
            DataError: utterances too short for their labels (all listed), or nothing to train on.
            ConfigError: rates or unfreeze name what is not there.
            ModelError: every weight is frozen.
        """
        self.model, self.methods, self.data, self.config = model, methods, data, config
        self.layout, self.strategy = ExperimentLayout(directory), strategy or tf.distribute.get_strategy()
        self.is_chief = is_chief(self.strategy)
        self.is_labelled = data.is_labelled
        self._check_data()
        self.criterion = _criterion(config, data, model)
        # Frame by frame, there are as many labels as frames.
        check_lengths(model, data.dev if self.criterion else [*data.train, *data.dev])
        self.variables = model.trainable_variables()
        if not self.variables:
            raise ModelError("nothing to train: every weight is frozen; check the transfer methods")
        everything = model.variables()
        self.frozen = digest(arrays_of({name: v for name, v in everything.items() if name not in self.variables}))
        self.steps = config.epochs * len(data.plan(0))
        rate = cosine_schedule(config.learning_rate, self.steps, warmup=config.warmup, final_rate=config.final_rate)
        factors, starts = rate_factors(model, config.rates, config.layer_decay), self._starts()
        with self.strategy.scope():
            self.optimizer = make_optimizer(rate, self.variables, config.weight_decay, factors=factors, starts=starts)
        self.update = Update(
            Objective(model, methods, self.criterion),
            self.variables,
            self.optimizer,
            clip_norm=config.clip_norm,
            seed=data.seed,
            strategy=self.strategy,
            jit=config.jit,
            starts=starts,
            targets=data.target_sizes(model.inputs),
            pieces=config.accumulate,
        )
        languages = dict.fromkeys(source.language for source in [*data.train, *data.dev])
        self.forward = {language: forward_function(model, language) for language in languages}
        self.readers = [
            data.reader(number, model.inputs, self.strategy, config.accumulate) for number in range(len(data.train))
        ]
        self.held_out = held_out(model, data.dev, data.batches) if data.dev else []
        objective = Objective(model, methods)
        self.terms = {source.language: terms_function(objective, source.language) for source in data.dev}
        if unmeasured := unmeasured_phones(model, data.dev):
            logger.info(describe_unknown(unmeasured))

    def run(self) -> dict[str, Any]:
        """Train to the end, from the checkpoint if there is one.

        Returns:
            The last evaluation: of the averaged model.

        Raises:
            ModelError: the loss became NaN or infinite; names the utterances of the batch.
        """
        progress = Progress()
        checkpoint = self.layout.checkpoint
        if checkpoint.exists():
            progress = load_state(checkpoint, self.variables, self.optimizer, self.frozen)
            apply_choices(self.data.train, progress.choices)
        log = TrainingLog(self.layout.path, progress) if self.is_chief else None
        try:
            while progress.epoch < self.config.epochs and not self._is_worse(progress):
                self._train_epoch(progress, log)
            result = self._finish(progress, log)
        finally:
            if log is not None:
                log.close()
        return result

    def _check_data(self) -> None:
        if not sum(map(len, self.data.train)):
            raise DataError("no training speech; name data directories under [[data]] train")
        if not self.methods and not self.is_labelled:
            raise DataError("no labelled speech, and no [[transfer]] method to learn from other; name some under train")

    def _starts(self) -> dict[str, int]:
        """Return the number of updates before the first of each weight that learns later than others, by path."""
        epochs = first_epochs(self.model, self.config.unfreeze)
        before = {last: sum(len(self.data.plan(epoch)) for epoch in range(last - 1)) for last in set(epochs.values())}
        return {path: before[epoch] for path, epoch in epochs.items()}

    def _train_epoch(self, progress: Progress, log: TrainingLog | None) -> None:
        data, plan = self.data, self.data.plan(progress.epoch)
        remaining = plan[progress.position :]
        streams = [read(remaining, progress.epoch) for read in self.readers]
        saved = window_start = time.monotonic()
        window_frames = 0
        with progress_bar(f"epoch {progress.epoch + 1}/{self.config.epochs}", len(plan)) as advance:
            advance(progress.position)
            for planned in remaining:
                source = data.train[planned.source]
                values = self._step(source, next(streams[planned.source]), progress, planned)
                self._count(progress, source, planned, values)
                window_frames += int(source.feature_frames[list(planned.utterances)].sum())
                rate = window_frames / max(time.monotonic() - window_start, 1e-9)
                advance(1, f"loss {progress.train_loss:.2f}, {rate:,.0f} frames/s")
                if log is not None and progress.step % _LOG_EVERY == 0:
                    learning_rate = float(self.optimizer.learning_rate)
                    log.write("step", progress.step, **values, learning_rate=learning_rate, frames_per_second=rate)
                    window_frames, window_start = 0, time.monotonic()
                if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                    self._save(progress, log)
                    saved = time.monotonic()
        self._end_epoch(progress, log)

    def _count(self, progress: Progress, source: Source, planned: PlannedBatch, values: Mapping[str, float]) -> None:
        """Add the values of one step to the progress."""
        progress.position += 1
        progress.step += 1
        # Of the criterion, or where nothing is labelled of the loss terms of the methods.
        counted = [index for index in planned.utterances if source.labels[index] or not self.is_labelled]
        progress.loss_sum += values[self.config.criterion if self.is_labelled else "loss"] * len(counted)
        progress.loss_count += len(counted)
        progress.add(values, len(planned.utterances))

    def _end_epoch(self, progress: Progress, log: TrainingLog | None) -> None:
        progress.epoch += 1
        entry = {"epoch": progress.epoch, "train_loss": progress.train_loss, **progress.means(), **self._evaluate()}
        progress.history.append(entry)
        progress.position, progress.loss_sum, progress.loss_count = 0, 0.0, 0
        progress.values = {}
        if log is not None:
            log.write("epoch", progress.step, **entry)
        if progress.epoch in self.config.choose_pronunciations:
            changed = choose_anew(self.data, self.model.inputs, self.forward, progress.choices)
            if log is not None:
                log.write("pronunciations", progress.step, changed=changed)
        if self.is_chief:
            save_arrays(self.layout.epoch_weights(progress.epoch), arrays_of(self.variables))
            for number in set(range(1, progress.epoch + 1)) - set(self._to_average(progress)):
                self.layout.epoch_weights(number).unlink(missing_ok=True)
        self._save(progress, log)
        logger.info(describe_epoch(entry, self.config.epochs))

    def _finish(self, progress: Progress, log: TrainingLog | None) -> dict[str, Any]:
        """Average the kept epochs into the final weights and evaluate the result."""
        self._wait_for_all()
        epochs = self._to_average(progress)
        averaged: Mapping[str, np.ndarray] = average(self.layout.epoch_weights(epoch) for epoch in epochs)
        for method in self.methods:
            averaged = method.finish(averaged)
        assign(self.variables, averaged, str(self.layout.path))
        result = self._evaluate()
        if log is not None:
            log.write("final", progress.step, epochs_averaged=len(epochs), **result)
        if self.is_chief:
            dropped = tuple(f"{path}/" for path in self.model.training_only)
            kept = {name: v for name, v in self.model.variables().items() if not name.startswith(dropped)}
            save_arrays(self.layout.weights, arrays_of(kept))
        # Who ends earlier would look dead to the others.
        self._wait_for_all()
        return result

    def _evaluate(self) -> dict[str, float]:
        return evaluate(self.model, self.held_out, self.forward, self.terms) if self.held_out else {}

    def _wait_for_all(self) -> None:
        """Wait until every worker is here, so that all of them see what the chief has written before."""
        if self.strategy.cluster_resolver is not None and self.strategy.num_replicas_in_sync > 1:
            ones = self.strategy.run(tf.function(lambda: tf.constant(1.0), autograph=False))
            self.strategy.reduce(tf.distribute.ReduceOp.SUM, ones, axis=None).numpy()

    def _to_average(self, progress: Progress) -> list[int]:
        """Return the epochs whose weights are averaged, as far as is known now."""
        history = progress.history
        if self.config.average_of == "best" and self.data.dev:
            history = sorted(history, key=lambda entry: entry["dev_loss"])[: self.config.average]
        return sorted(entry["epoch"] for entry in history[-self.config.average :])

    def _is_worse(self, progress: Progress) -> bool:
        """Whether dev loss has not improved for ``patience`` epochs."""
        if not self.config.patience or not self.data.dev or not progress.history:
            return False
        best = min(progress.history, key=lambda entry: entry["dev_loss"])
        return progress.epoch - best["epoch"] >= self.config.patience

    def _save(self, progress: Progress, log: TrainingLog | None) -> None:
        if log is not None:
            progress.logged = log.lines
            save_state(self.layout.checkpoint, progress, self.variables, self.optimizer, self.frozen)

    def _step(
        self, source: Source, batch: Sequence[Batch], progress: Progress, planned: PlannedBatch
    ) -> dict[str, float]:
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


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tell whether this process is the one of a cluster that writes; alone, it is."""
    cluster = strategy.cluster_resolver
    return cluster is None or not cluster.task_type or (cluster.task_type == "worker" and cluster.task_id == 0)


def _criterion(config: TrainingConfig, data: TrainingData, model: AcousticModel) -> FramewiseCriterion | None:
    if config.criterion != "framewise":
        return None
    units = {language: model.heads[head].units for language, head in model.head_of.items()}
    return FramewiseCriterion(data.train, units, model.subsampling, config.prior_weight)
