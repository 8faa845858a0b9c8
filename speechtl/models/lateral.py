"""Lateral connections from frozen encoders ("columns") to the encoder being trained (Rusu et al. 2016)."""

from collections.abc import Sequence

import keras
import tensorflow as tf

# Initial value of the scalars: outputs of residual encoders are large, and the new column should dominate at first.
_SCALE = 0.1


class Lateral(keras.layers.Layer):
    """Lateral input of a block from the columns: ``relu([α_1 h_1, α_2 h_2, ...] · down + bias) · up``.

    The paper's non-linear adapter: a learned scalar ``α`` per column, a projection of all columns to a small size and
    one to the size of the block. ``up`` is initialised to zero, so that the new column starts as it would alone.
    """

    def __init__(self, columns: int, size: int, rank: int, name: str = "lateral"):
        super().__init__(name=name)
        initializer = keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
        self.scale = self.add_weight(name="scale", shape=(columns,), initializer=keras.initializers.Constant(_SCALE))
        self.down = self.add_weight(name="down", shape=(columns * size, rank), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(rank,), initializer="zeros")
        self.up = self.add_weight(name="up", shape=(rank, size), initializer="zeros")
        self.built = True

    def call(self, outputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Map the outputs of the columns, ``(batch, frames, size)`` each, to an addend of the block's output."""
        scaled = [self.scale.value[number] * each for number, each in enumerate(outputs)]
        narrow = tf.nn.relu(tf.matmul(tf.concat(scaled, axis=-1), self.down.value) + self.bias.value)
        return tf.matmul(narrow, self.up.value)
