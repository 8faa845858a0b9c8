"""From planned batches to tensors, with tf.data."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from speechtl.batches.augmentation import augment, draw, numbers
from speechtl.batches.config import AugmentationConfig
from speechtl.batches.padding import pad_features, pad_labels
from speechtl.batches.plan import PlannedBatch
from speechtl.batches.source import Source

# Batches that are loaded at a time.
_PARALLEL = 2


class Batch(NamedTuple):
    """Padded utterances of one language (which is known to the caller).

    Attributes:
        features: ``(batch, frames, bins)`` float32, normalised.
        lengths: ``(batch,)`` int32 valid frames.
        labels: ``(batch, labels)`` int32 units, padded with 0.
        label_lengths: ``(batch,)`` int32; 0 means unlabelled.
        utterances: ``(batch,)`` int32 indices into the source.
        speakers: ``(batch,)`` int32 indices into the source's sorted speakers.
        domains: ``(batch,)`` int32 indices into the source's sorted domains.
        total: scalar int32, number of utterances in the batch over all replicas.
        labelled: scalar int32, number of these with labels.
        targets: what teachers give or are given, by the names in `Source.targets`: ``(batch, frames, size)`` float32.
            ``"input"`` is the features before augmentation.
    """

    features: tf.Tensor
    lengths: tf.Tensor
    labels: tf.Tensor
    label_lengths: tf.Tensor
    utterances: tf.Tensor
    speakers: tf.Tensor
    domains: tf.Tensor
    total: tf.Tensor
    labelled: tf.Tensor
    targets: Mapping[str, tf.Tensor] = {}


class Shard(NamedTuple):
    """The part of every batch that this process computes.

    Every batch is dealt to all replicas like cards; this process runs some of them.

    Attributes:
        replicas: numbers of the replicas of this process; each gets one element per batch, in this order.
        of: number of replicas in all.
    """

    replicas: Sequence[int] = (0,)
    of: int = 1


@dataclass
class Reading:
    """What a dataset yields when it is read next.

    So one dataset serves all epochs: to make it takes longer than an epoch of little speech.

    Attributes:
        batches: in order; all of one source.
        seed: of the augmentation, as that of `make_dataset`.
    """

    batches: Sequence[PlannedBatch] = ()
    seed: tuple[int, ...] = ()


def make_dataset(
    source: Source,
    batches: Sequence[PlannedBatch] | Reading,
    bins: int,
    *,
    augmentation: AugmentationConfig | None = None,
    seed: tuple[int, ...] = (),
    shard: Shard = Shard(),  # noqa: B008 (immutable)
    targets: bool = False,
) -> tf.data.Dataset:
    """Load, pad and augment batches of one source.

    Args:
        source: the utterances.
        batches: in order, all of this source; or a `Reading`, which is looked at whenever reading begins.
        bins: feature dimension.
        augmentation: noise and masks, or None.
        seed: of the augmentation, for example ``(run seed, epoch)``; a `Reading` has its own.
        shard: the part of every batch to yield.
        targets: whether batches have those of the source.

    Returns:
        A dataset of `Batch`; an empty part has one all-padding row, with label length 0 and length 0.
    """
    reading = batches if isinstance(batches, Reading) else Reading(batches, seed)
    loader = _Loader(source, bins, augmentation, source.targets if targets else {})
    signature = (
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None, loader.pairs, 2), tf.float32),
        tf.TensorSpec((2,), tf.int32),
        tf.TensorSpec((None,), tf.string),
    )
    dataset = tf.data.Dataset.from_generator(lambda: loader.parts(reading, shard), output_signature=signature)
    return dataset.map(loader.build, num_parallel_calls=_PARALLEL, deterministic=True).prefetch(2)


def read_batches(batches: Iterable[Batch], source: Source, planned: Sequence[PlannedBatch]) -> Iterator[Batch]:
    """Yield the batches of a dataset; say which utterance it is whose audio stops one that computes features.

    Args:
        batches: of `make_dataset`, or distributed over replicas.
        source: their utterances.
        planned: what they were planned as.

    Raises:
        DataError: audio cannot be read in the graph; names utterances and files.
    """
    iterator = iter(batches)
    for plan in planned:
        try:
            batch = next(iterator)
        except tf.errors.OpError as error:
            if source.reader is None:
                raise
            raise source.reader.explain(error, [(source.utterance_ids[i], i) for i in plan.utterances]) from error
        yield batch


class _Loader:
    """The steps from a planned batch to a `Batch`."""

    def __init__(
        self,
        source: Source,
        bins: int,
        augmentation: AugmentationConfig | None,
        targets: Mapping[str, Source],
    ):
        self.source, self.bins, self.augmentation, self.targets = source, bins, augmentation, targets
        self.pairs = numbers(augmentation)
        self._speakers = {name: number for number, name in enumerate(sorted(set(source.speakers)))}
        self._domains = {name: number for number, name in enumerate(sorted(set(source.domains)))}

    def parts(self, reading: Reading, shard: Shard) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, list[bytes]]]:
        """Yield each replica's part of each batch.

        Yields:
            Its utterances, their random numbers, `Batch`'s totals, and what features are computed from.
        """
        labels, reader = self.source.labels, self.source.reader
        batches, seed = reading.batches, reading.seed
        with contextlib.ExitStack() as stack:
            contents = None if reader is None else stack.enter_context(reader.opened(batches))
            for number, batch in enumerate(batches):
                totals = np.array([len(batch.utterances), sum(bool(labels[i]) for i in batch.utterances)], np.int32)
                for replica in shard.replicas:
                    part = np.array(batch.utterances[replica :: shard.of], np.int32)
                    draws = np.zeros((max(len(part), 1), self.pairs, 2), np.float32)
                    if self.augmentation is not None:
                        for row, index in zip(draws, part):
                            row[:] = draw(self.augmentation, (*seed, int(index)))
                    yield part, draws, totals, [] if contents is None else contents(number, part)

    def build(self, part: tf.Tensor, draws: tf.Tensor, totals: tf.Tensor, contents: tf.Tensor) -> Batch:
        """Turn an element of `parts` into a `Batch`, inside the graph of tf.data."""
        types = [tf.float32, tf.int32, tf.int32, tf.int32, tf.int32]
        features, lengths, labels, label_lengths, ids = tf.numpy_function(self._load, [part], types)
        features = tf.ensure_shape(features, (None, None, self.bins))
        lengths, label_lengths = tf.ensure_shape(lengths, (None,)), tf.ensure_shape(label_lengths, (None,))
        labels, ids = tf.ensure_shape(labels, (None, None)), tf.ensure_shape(ids, (3, None))
        if self.source.reader is not None:
            features, lengths = self.source.reader.read(part, contents)
        targets = {
            name: features if other is self.source else self._target(part, other)
            for name, other in self.targets.items()
        }
        if self.augmentation is not None:
            features = augment(features, lengths, draws, self.augmentation, self.source.sizes)
        utterances, speakers, domains = tf.unstack(ids)
        total, labelled = tf.unstack(totals)
        speech = features, lengths, labels, label_lengths, utterances, speakers, domains
        return Batch(*speech, total, labelled, targets)

    def _target(self, part: tf.Tensor, source: Source) -> tf.Tensor:
        """Read the outputs of a teacher for some utterances."""
        size = sum(source.sizes)

        def load(indices: np.ndarray) -> np.ndarray:
            return pad_features([source.features(index) for index in indices], size, rows=max(len(indices), 1))[0]

        return tf.ensure_shape(tf.numpy_function(load, [part], tf.float32), (None, None, size))

    def _load(self, part: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Read and pad features and labels; the last array has rows of utterances, speakers and domains."""
        source = self.source
        # Features that are computed in the graph are not read here.
        matrices = [source.features(index) for index in part] if source.reader is None else []
        features, lengths = pad_features(matrices, self.bins, rows=max(len(part), 1))
        labels, label_lengths = pad_labels([source.labels[index] for index in part], rows=max(len(part), 1))
        ids = np.zeros((3, len(lengths)), np.int32)
        for row, index in enumerate(part):
            ids[:, row] = index, self._speakers[source.speakers[index]], self._domains[source.domains[index]]
        return features, lengths, labels, label_lengths, ids
