"""Repeated training on a few utterances: in memory, compiled once.

Updates, batches, augmentation and losses are those of `speechtl.training.trainer.Trainer`, without what takes most time
for a minute of speech: checkpoints, pipelines, and a new graph for every run.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from speechtl.adaptation.config import AdaptationConfig
from speechtl.alignment.ctc import choose_pronunciations, chosen_labels, frames_needed
from speechtl.batches.augmentation import augment, draw
from speechtl.batches.config import BatchConfig
from speechtl.batches.padding import pad_features, pad_labels
from speechtl.batches.pipeline import Batch
from speechtl.batches.plan import plan_epoch, plan_once
from speechtl.batches.source import Source
from speechtl.errors import ModelError
from speechtl.experiment.experiment import Experiment
from speechtl.models.weights import arrays_of
from speechtl.training.evaluate import forward_function
from speechtl.training.frozen_outputs import frozen_outputs, move_masks
from speechtl.training.layer_rates import rate_factors
from speechtl.training.objective import Objective, ctc_losses
from speechtl.training.optimizer import cosine_schedule, make_optimizer
from speechtl.training.update import Update

_FINAL_RATE, _CLIP_NORM = 0.1, 5.0
# Maximum number of utterances that are drawn from for replay: few enough to be read in a second.
_REPLAYED = 200


@dataclasses.dataclass
class Speech:
    """Utterances in memory.

    Attributes:
        ids: utterance ids.
        features: of each utterance, ``(frames, bins)``, normalised; or the outputs of frozen blocks for them.
        labels: of each utterance, units; empty where it is unlabelled.
        frames: of the features of each utterance, by which batches are planned.
    """

    ids: list[str]
    features: list[np.ndarray]
    labels: list[list[int]]
    frames: list[int] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.frames = self.frames or [len(matrix) for matrix in self.features]

    @classmethod
    def read(cls, source: Source, indices: Sequence[int] | None = None) -> "Speech":
        """Read some utterances of a source, or all."""
        chosen = range(len(source)) if indices is None else indices
        labels = [source.labels[index] if source.labels else [] for index in chosen]
        return cls([source.utterance_ids[index] for index in chosen], [source.features(i) for i in chosen], labels)

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, indices: Sequence[int]) -> "Speech":
        """Return some of the utterances."""
        columns = (self.ids, self.features, self.labels, self.frames)
        return Speech(*([column[i] for i in indices] for column in columns))  # type: ignore[arg-type]

    def __add__(self, other: "Speech") -> "Speech":
        """Return the utterances of both."""
        frames = self.frames + other.frames
        return Speech(self.ids + other.ids, self.features + other.features, self.labels + other.labels, frames)

    def batch(self) -> Batch:
        """Return all utterances as one batch."""
        features, lengths = pad_features(self.features, self.features[0].shape[1])
        labels, counts = pad_labels(self.labels)
        unused = tf.zeros([len(self)], tf.int32)
        speech = tf.constant(features), tf.constant(lengths), tf.constant(labels), tf.constant(counts)
        labelled = tf.constant(np.count_nonzero(counts), tf.int32)
        return Batch(*speech, unused, unused, unused, tf.constant(len(self)), labelled)


@dataclasses.dataclass
class Outputs:
    """Outputs of a model for some utterances.

    Attributes:
        posteriors: by utterance, log-posteriors ``(frames, units)``.
        losses: by utterance, the CTC loss in nats.
    """

    posteriors: dict[str, np.ndarray]
    losses: dict[str, float]

    @property
    def loss(self) -> float:
        """Sum of the losses."""
        return sum(self.losses.values())

    def select(self, names: Sequence[str]) -> "Outputs":
        """Return some of the utterances."""
        return Outputs({name: self.posteriors[name] for name in names}, {name: self.losses[name] for name in names})


class Learner:
    """A model prepared by a method of adaptation, which can be trained from the same state any number of times."""

    def __init__(self, experiment: Experiment, config: AdaptationConfig, language: str):
        """Prepare the model.

        Args:
            experiment: the source, whose model is changed; load the experiment again to keep the source.
            config: settings of the adaptation.
            language: whose head is used.
        """
        self.experiment, self.config, self.language = experiment, config, language
        tf.keras.utils.set_random_seed(config.seed)
        self.model = experiment.model
        # Undo whatever earlier methods have frozen in the source.
        for _, layer in self.model.layers():
            layer.trainable = True
        self.methods = config.transfer(str(experiment.path))
        for method in self.methods:
            self.model = method.prepare(self.model)
        self.frozen = frozen_outputs(self.model, self.methods, config.cache_frozen)
        self.masks = experiment.config.augmentation if config.augment else None
        if self.masks is not None:
            # In front of the first block that learns, so that all below it is computed once; noise needs the features.
            last = "input" if self.frozen is None or self.masks.noise else self.frozen.blocks[-1]
            self.masks = move_masks(self.model, self.masks, last)
            if last == "input":
                self.frozen = frozen_outputs(self.model, self.methods, config.cache_frozen, self.masks)
        # What of the model runs in training.
        trained = self.model if self.frozen is None else self.frozen.model
        self.variables = self.model.trainable_variables()
        self.start = {name: tf.identity(variable.value) for name, variable in self.variables.items()}
        factors = rate_factors(self.model, config.rates, config.layer_decay)
        self.optimizer = make_optimizer(config.learning_rate, self.variables, kind=config.optimizer, factors=factors)
        seed = config.seed if config.dropout else None
        self.update = Update(
            Objective(trained, self.methods),
            self.variables,
            self.optimizer,
            clip_norm=_CLIP_NORM,
            seed=seed,
        )
        self.forward, self.output_lengths = forward_function(trained, language), trained.output_lengths
        self.replay: Speech | None = None

    @property
    def parameters(self) -> int:
        """Number of trained weights."""
        return sum(int(tf.size(value)) for value in self.start.values())

    def reset(self) -> None:
        """Return to the initial state."""
        for name, variable in self.variables.items():
            variable.assign(self.start[name])
        for variable in self.optimizer.variables:
            if variable is not self.optimizer.learning_rate:
                variable.assign(tf.zeros_like(variable.value))

    def learn(self, speech: Speech, epochs: int, seed: int = 0) -> Iterator[int]:
        """Train from the initial state; yield the number of completed epochs after each.

        Args:
            speech: with labels.
            epochs: number of epochs over which the learning rate decays; stop iterating to stop earlier.
            seed: of the order of the utterances, in addition to that of the config.

        Raises:
            ModelError: the loss became NaN or infinite.
        """
        self.reset()
        lengths = np.array(speech.frames)
        batches = BatchConfig(frames=self.config.frames)
        step, steps, rate = 0, 0, None
        for epoch in range(epochs):
            plan = plan_epoch([lengths], [1.0], batches, self.config.seed + 1000 * seed, epoch)
            steps = steps or epochs * len(plan)
            rate = rate or cosine_schedule(np.array(self.config.learning_rate), steps, final_rate=_FINAL_RATE)
            for planned in plan:
                part, keys = self._with_replay(speech, list(planned.utterances), (self.config.seed, seed, step))
                batch = self._augmented(part.batch(), keys, seed, epoch)
                self.optimizer.learning_rate.assign(float(rate(step)))
                values = self.update([batch], self.language, step, min(step / steps, 1.0))
                if not all(map(math.isfinite, values.values())):
                    names = ", ".join(speech.ids[index] for index in planned.utterances)
                    raise ModelError(f"the loss is not finite at {names}; lower learning_rate or leave them out")
                step += 1
            yield epoch + 1

    def evaluate(self, speech: Speech) -> Outputs:
        """Return the outputs of the model in its present state."""
        outputs = Outputs({}, {})
        lengths = np.array(speech.frames)
        for planned in plan_once([lengths], BatchConfig()):
            part = speech.select(planned.utterances)
            batch = part.batch()
            logits, valid = self.forward(batch.features, batch.lengths)
            losses = ctc_losses(logits, valid, batch.labels, batch.label_lengths).numpy()
            scores = tf.nn.log_softmax(logits).numpy()
            for row, name in enumerate(part.ids):
                outputs.posteriors[name] = scores[row, : int(valid[row])].copy()
                outputs.losses[name] = float(losses[row])
        return outputs

    def read(self, source: Source, indices: Sequence[int] | None = None) -> Speech:
        """Read some utterances, or all: what `learn` and `evaluate` take."""
        speech = Speech.read(source, indices)
        return (
            speech
            if self.frozen is None
            else dataclasses.replace(speech, features=self.frozen.outputs(speech.features))
        )

    def speech(self, source: Source, indices: Sequence[int] | None = None) -> Speech:
        """Read some utterances, or all, with each word labelled by the pronunciation that fits it best."""
        speech = self.read(source, indices)
        variants = source.variants if indices is None else [source.variants[index] for index in indices]
        if any(len(word) > 1 for words in variants for word in words):
            posteriors = self.evaluate(speech).posteriors
            for place, name in enumerate(speech.ids):
                frames = len(posteriors[name])
                chosen = choose_pronunciations(posteriors[name], variants[place])
                speech.labels[place] = chosen_labels(variants[place], chosen, frames) or speech.labels[place]
        return speech

    def set_replay(self, source: Source) -> None:
        """Set the speech that replayed utterances are drawn from: a sample of the source's training speech."""
        if self.config.replay:
            order = np.random.default_rng(self.config.seed).permutation(len(source))
            sample = self.speech(source, [int(index) for index in order[:_REPLAYED]])
            short = set(self.too_short(sample))
            self.replay = sample.select([place for place, name in enumerate(sample.ids) if name not in short])

    def too_short(self, speech: Speech) -> list[str]:
        """Return the utterances with fewer frames than CTC needs for their labels."""
        frames = [int(self.output_lengths(len(matrix))) for matrix in speech.features]
        pairs = zip(speech.ids, frames, speech.labels, strict=True)
        return [name for name, count, labels in pairs if count < max(frames_needed(labels), 1)]

    def weights(self) -> dict[str, np.ndarray]:
        """Return the trained weights in their present state."""
        return arrays_of(self.variables)

    def _with_replay(self, speech: Speech, indices: list[int], seed: tuple[int, ...]) -> tuple[Speech, list[int]]:
        """Return the utterances of a batch, with as many of the source's training speech, and a key for each."""
        count = self.config.replay
        if self.replay is None or not count:
            return speech.select(indices), indices
        # The speaker's utterances are repeated to match; masks and dropout make the repetitions differ.
        indices = indices * max(1, round(count / len(indices)))
        old = np.random.default_rng(seed).choice(len(self.replay), min(count, len(self.replay)), replace=False)
        return speech.select(indices) + self.replay.select(old.tolist()), list(range(len(indices) + len(old)))

    def _augmented(self, batch: Batch, keys: Sequence[int], seed: int, epoch: int) -> Batch:
        masks = self.masks
        if masks is None:
            return batch
        sizes = () if self.frozen is None else self.frozen.sizes
        draws = np.stack([draw(masks, (self.config.seed, seed, epoch, int(key))) for key in keys])
        return batch._replace(features=augment(batch.features, batch.lengths, tf.constant(draws), masks, sizes))
