"""Output layers for CTC: the blank and the phones of one language."""

import keras
import tensorflow as tf

from speechtl.models.blocks import dense, dropout, layer_norm


class Head(keras.layers.Layer):
    """Map the encoder's output to the blank (unit 0) and the phones of one language (units 1, 2, ...).

    Attributes:
        units: number of outputs, including the blank.
    """

    units: int

    def call(self, inputs: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Map ``(batch, frames, size)`` to logits ``(batch, frames, units)``."""
        raise NotImplementedError


class CtcHead(Head):
    """Layer normalisation, dropout and a linear layer."""

    def __init__(self, size: int, units: int, rate: float, name: str):
        super().__init__(name=name)
        self.rate, self.units = rate, units
        self.norm = layer_norm(size, "norm")
        self.output_layer = dense(size, units, "output")
        self.built = True

    def call(self, inputs: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Map ``(batch, frames, size)`` to logits ``(batch, frames, units)``."""
        return self.output_layer(dropout(self.norm(inputs), self.rate, seed, 0))
