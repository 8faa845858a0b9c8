"""Learning hidden unit contributions: an amplitude per unit after each block."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf

from speechtl.models.restore import restores_layer
from speechtl.transfer.speaker_layers import SpeakerLayers


class Lhuc(SpeakerLayers):
    """Scale every unit of each block's output by a speaker-dependent amplitude (LHUC, Swietojanski et al. 2016).

    Attributes:
        blocks: as in `SpeakerLayers`.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {"learning_rate": 1.0}

    method: Literal["lhuc"] = "lhuc"

    def layer(self, inputs: int, outputs: int, name: str) -> keras.layers.Layer:
        """Return a new layer."""
        return LhucLayer(outputs, name)


class LhucLayer(keras.layers.Layer):
    """``2 · sigmoid(amplitude) · x``, with one amplitude per unit; 0 at first."""

    def __init__(self, size: int, name: str):
        super().__init__(name=name)
        self.amplitude = self.add_weight(name="amplitude", shape=(size,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Scale ``(batch, frames, size)``."""
        return inputs * (2.0 * tf.sigmoid(self.amplitude.value))


@restores_layer("after", "lhuc")
def _restore(name: str, size: int, arrays: Mapping[str, np.ndarray]) -> keras.layers.Layer:
    return LhucLayer(size, name)
