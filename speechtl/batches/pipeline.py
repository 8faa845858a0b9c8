"""From planned batches to tensors, through tf.data."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from speechtl.batches.augmentation import augment, draw, numbers
from speechtl.batches.config import AugmentationConfig
from speechtl.batches.plan import PlannedBatch
from speechtl.batches.source import Source


class Batch(NamedTuple):
    """Padded utterances of one language (the language itself is known to whoever asked for the batch).

    Attributes:
        features: ``(batch, frames, bins)`` float32, normalised.
        lengths: ``(batch,)`` int32 valid frames.
        labels: ``(batch, labels)`` int32 units, padded with 0.
        label_lengths: ``(batch,)`` int32; 0 means unlabelled.
        utterances: ``(batch,)`` int32 indices into the source.
        speakers: ``(batch,)`` int32 indices into the source's sorted speakers.
        domains: ``(batch,)`` int32 indices into the source's sorted domains.
        total: scalar int32, utterances of the whole batch over all replicas.
        labelled: scalar int32, how many of these have labels.
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


def make_dataset(
    source: Source,
    batches: Sequence[PlannedBatch],
    bins: int,
    *,
    augmentation: AugmentationConfig | None = None,
    seed: tuple[int, ...] = (),
    replicas: Sequence[int] = (0,),
    replica_count: int = 1,
    parallel: int = 2,
) -> tf.data.Dataset:
    """Load, pad and augment batches of one source.

    Args:
        source: where the utterances are.
        batches: in order; all of this source.
        bins: feature dimension.
        augmentation: noise and masks, or None.
        seed: of the augmentation, for example ``(run seed, epoch)``.
        replicas: which replicas' parts to give: for each batch, one element per replica, in this order.
        replica_count: parts that every batch is dealt into, like cards.
        parallel: batches loaded at a time.

    Returns:
        A dataset of `Batch`; an empty part has one all-padding row, with label length 0 and length 0.
    """
    speakers = {name: number for number, name in enumerate(sorted(set(source.speakers)))}
    domains = {name: number for number, name in enumerate(sorted(set(source.domains)))}
    no_matrix = np.zeros((0, bins), np.float32)
    pairs = numbers(augmentation)

    def parts() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for batch in batches:
            counts = np.array([len(batch.utterances), sum(bool(source.labels[i]) for i in batch.utterances)], np.int32)
            for replica in replicas:
                own = np.array(batch.utterances[replica::replica_count], np.int32)
                draws = np.zeros((max(len(own), 1), pairs, 2), np.float32)
                for row, index in enumerate(own):
                    if augmentation is not None:
                        draws[row] = draw(augmentation, (*seed, int(index)))
                yield own, draws, counts

    def load(own: np.ndarray):
        rows = max(len(own), 1)
        matrices = [source.features(index) for index in own] if source.reader is None else [no_matrix] * len(own)
        lengths = np.zeros(rows, np.int32)
        features = np.zeros((rows, max([len(matrix) for matrix in matrices] or [1]), bins), np.float32)
        label_lengths = np.zeros(rows, np.int32)
        labels = np.zeros((rows, max([len(source.labels[index]) for index in own] or [0])), np.int32)
        ids = np.zeros((3, rows), np.int32)
        for row, (index, matrix) in enumerate(zip(own, matrices, strict=True)):
            features[row, : len(matrix)], lengths[row] = matrix, len(matrix)
            labels[row, : len(source.labels[index])], label_lengths[row] = (
                source.labels[index],
                len(source.labels[index]),
            )
            ids[:, row] = index, speakers[source.speakers[index]], domains[source.domains[index]]
        return features, lengths, labels, label_lengths, ids

    def build(own, draws, counts) -> Batch:
        types = [tf.float32, tf.int32, tf.int32, tf.int32, tf.int32]
        features, lengths, labels, label_lengths, ids = tf.numpy_function(load, [own], types)
        features = tf.ensure_shape(features, (None, None, bins))
        lengths, label_lengths = tf.ensure_shape(lengths, (None,)), tf.ensure_shape(label_lengths, (None,))
        labels, ids = tf.ensure_shape(labels, (None, None)), tf.ensure_shape(ids, (3, None))
        if source.reader is not None:
            # A part without utterances still has one row, of length 0: it computes the first utterance and hides it.
            shown = tf.size(own) > 0
            features, lengths = source.reader.read(tf.cond(shown, lambda: own, lambda: tf.zeros(1, tf.int32)))
            lengths *= tf.cast(shown, tf.int32)
        if augmentation is not None:
            features = augment(features, lengths, draws, augmentation)
        return Batch(features, lengths, labels, label_lengths, *tf.unstack(ids), *tf.unstack(counts))

    signature = (
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None, pairs, 2), tf.float32),
        tf.TensorSpec((2,), tf.int32),
    )
    dataset = tf.data.Dataset.from_generator(parts, output_signature=signature)
    return dataset.map(build, num_parallel_calls=parallel, deterministic=True).prefetch(2)
