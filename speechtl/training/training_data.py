"""The speech of a training run, and how it is divided into batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from speechtl.alignment.ctc import frames_needed
from speechtl.batches.config import AugmentationConfig, BatchConfig
from speechtl.batches.pipeline import Batch, Reading, Shard, make_dataset, read_batches
from speechtl.batches.plan import PlannedBatch, plan_epoch
from speechtl.batches.source import Source
from speechtl.errors import DataError, list_problems
from speechtl.models.acoustic_model import AcousticModel

EpochReader = Callable[[Sequence[PlannedBatch], int], Iterator[tuple[Batch, ...]]]


@dataclass(frozen=True)
class TrainingData:
    """The speech of a training run, and how it is divided into batches.

    Attributes:
        train: training speech, one source per language.
        dev: held-out speech, likewise.
        batches: ``[batches]``.
        augmentation: ``[augmentation]``.
        seed: of the order of the batches and of the augmentation.
    """

    train: Sequence[Source]
    dev: Sequence[Source]
    batches: BatchConfig
    augmentation: AugmentationConfig
    seed: int

    @property
    def is_labelled(self) -> bool:
        """Whether any training utterance has a transcript."""
        return any(any(source.labels) for source in self.train)

    def target_sizes(self, bins: int) -> dict[str, int]:
        """Return the sizes of the targets in batches by name, given the feature dimension."""
        return {name: sum(other.sizes) or bins for name, other in self.train[0].targets.items()}

    def plan(self, epoch: int) -> list[PlannedBatch]:
        """Return the batches of an epoch, in order."""
        frames, weights = [source.feature_frames for source in self.train], [source.weight for source in self.train]
        return plan_epoch(frames, weights, self.batches, self.seed, epoch, [source.shards for source in self.train])

    def reader(self, number: int, bins: int, strategy: tf.distribute.Strategy, pieces: int = 1) -> EpochReader:
        """Return what reads this process's part of the batches of one training source, one epoch after the other.

        Args:
            number: of the source.
            bins: feature dimension.
            strategy: how batches are distributed over replicas.
            pieces: into how many parts every replica's part is divided.

        Returns:
            A function of the batches of an epoch, of which those of other sources are skipped, and of the number of the
            epoch, which says what augmentation is drawn. It yields one element per local replica; all of an epoch are
            taken before it is called again.
        """
        source, replicas, reading = self.train[number], strategy.num_replicas_in_sync, Reading()

        def make(context: tf.distribute.InputContext | None = None) -> tf.data.Dataset:
            pipelines = context.num_input_pipelines if context else 1
            local = replicas // pipelines
            first = local * (context.input_pipeline_id if context else 0)
            mine = [piece * replicas + first + place for piece in range(pieces) for place in range(local)]
            shard = Shard(mine, replicas * pieces)
            return make_dataset(source, reading, bins, augmentation=self.augmentation, shard=shard, targets=True)

        one = make() if replicas == 1 else None

        def read(planned: Sequence[PlannedBatch], epoch: int) -> Iterator[tuple[Batch, ...]]:
            reading.batches = [batch for batch in planned if batch.source == number]
            reading.seed = self.seed, epoch
            dataset = strategy.distribute_datasets_from_function(make) if one is None else one
            parts = read_batches(dataset, source, [batch for batch in reading.batches for _ in range(pieces)])
            return zip(*[parts] * pieces, strict=True)

        return read


def check_lengths(model: AcousticModel, sources: Sequence[Source]) -> None:
    """Check that every utterance has enough frames for its labels, which CTC needs.

    Raises:
        DataError: lists all utterances that have not.
    """
    problems = []
    for source in sources:
        available = np.asarray(model.output_lengths(source.frames))
        for name, frames, labels in zip(source.utterance_ids, available, source.labels, strict=True):
            needed = max(frames_needed(labels), 1)
            if labels and frames < needed:
                problems.append(f"{name}: {frames} frames after subsampling, its {len(labels)} labels need {needed}")
    if problems:
        heading = (
            f"{len(problems)} utterances are too short for their transcripts; correct the transcripts, leave these "
            "out (speechtl data subset --exclude ID,ID) or use a smaller model.encoder.subsampling.factor"
        )
        raise DataError(list_problems(heading, problems))
