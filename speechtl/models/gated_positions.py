"""The gated bias of attention for relative positions (WavLM, Chen et al. 2022)."""

import math

import keras
import numpy as np
import tensorflow as tf


class GatedPositions(keras.layers.Layer):
    """What attention adds to its scores: ``g(query frame) · table[bucket(key frame − query frame)]``, by head.

    The gate opens with what the query frame holds: of the sums ``a`` and ``b`` of four linear outputs each,
    ``g = σ(a) · (σ(b) · constant − 1) + 2``. All blocks of WavLM read one table. Here each block has its own, so that
    it is whole when it is copied, frozen or replaced alone; those that come of a checkpoint begin as the same.
    """

    def __init__(self, heads: int, width: int, buckets: int, distance: int, window: int, name: str):
        """Make the weights.

        Args:
            heads: attention heads.
            width: of a head.
            buckets: rows of the table.
            distance: from which on all frames share a bucket, on each side.
            window: frames over which attention reaches.
            name: of the layer.
        """
        super().__init__(name=name)
        self.window = window
        self.buckets = position_buckets(np.arange(1 - window, window), buckets, distance)
        initializer = keras.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
        # Next to nothing at first; from zero, the gate would learn nothing until the table has.
        small = keras.initializers.TruncatedNormal(stddev=0.02)
        self.table = self.add_weight(name="table", shape=(buckets, heads), initializer=small)
        self.kernel = self.add_weight(name="kernel", shape=(width, 8), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(8,), initializer="zeros")
        self.constant = self.add_weight(name="constant", shape=(1, heads, 1, 1), initializer="ones")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map what attention reads, ``(batch, heads, frames, width)``, to ``(batch, heads, frames, frames)``."""
        return self._gate(inputs) * self._bias(tf.shape(inputs)[2])

    def _gate(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return ``(batch, heads, frames, 1)``."""
        # The sum of four outputs is the output of the sum of their weights.
        kernel = tf.reduce_sum(tf.reshape(self.kernel.value, (-1, 2, 4)), axis=2)
        bias = tf.reduce_sum(tf.reshape(self.bias.value, (2, 4)), axis=1)
        first, second = tf.split(tf.sigmoid(tf.matmul(inputs, kernel) + bias), 2, axis=-1)
        return first * (second * self.constant.value - 1.0) + 2.0

    def _bias(self, frames: tf.Tensor) -> tf.Tensor:
        """Return ``(heads, frames, frames)``."""
        # One value for each distance, 0, 1, ... and, after one that nobody reads, ..., -2, -1.
        ahead = tf.constant(self.buckets[self.window - 1 :])[:frames]
        behind = tf.constant(self.buckets[: self.window - 1])[self.window - frames :]
        buckets = tf.concat([ahead, ahead[:1], behind], axis=0)
        values = tf.gather(tf.transpose(self.table.value), buckets, axis=1)
        # Row after row the same values, begun one place later: the whole of them, repeated, in rows one value shorter.
        # A gather of all pairs of frames would have a gradient that is added up pair by pair.
        rows = tf.tile(values, [1, frames])[:, : frames * (2 * frames - 1)]
        return tf.reshape(rows, (-1, frames, 2 * frames - 1))[:, :, :frames]


def position_buckets(positions: np.ndarray, buckets: int, distance: int) -> np.ndarray:
    """Return the buckets of relative positions (Raffel et al. 2020), int32.

    Args:
        positions: of a key relative to a query, in frames.
        buckets: their number: the first half for keys at the query and before it, the second for those behind. Of each
            half, the first half are single positions, and the others grow in proportion to the distance.
        distance: from which on all share the last bucket of their half.
    """
    half = buckets // 2
    single = half // 2
    away = np.abs(positions)
    far = np.log(np.maximum(away, single).astype(np.float32) / np.float32(single))
    far = far / np.float32(math.log(distance / single)) * np.float32(half - single)
    far = np.minimum(single + far.astype(np.int64), half - 1)
    return (np.where(positions > 0, half, 0) + np.where(away < single, away, far)).astype(np.int32)
