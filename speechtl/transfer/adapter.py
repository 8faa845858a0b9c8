"""Residual adapters: a small bottleneck after each block."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from speechtl.models.blocks import layer_norm
from speechtl.models.restore import restores_layer
from speechtl.transfer.speaker_layers import SpeakerLayers


class Adapter(SpeakerLayers):
    """Add a residual bottleneck adapter after each block (Houlsby et al. 2019).

    Attributes:
        blocks: as in `SpeakerLayers`.
        rank: width of the bottleneck.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {"learning_rate": 1e-3, "optimizer": "adam"}

    method: Literal["adapter"] = "adapter"
    rank: int = Field(default=4, gt=0)

    def layer(self, size: int, name: str) -> keras.layers.Layer:
        """Return a new layer."""
        return AdapterLayer(size, self.rank, name)


class AdapterLayer(keras.layers.Layer):
    """``x + relu(norm(x) · down + bias) · up``; ``up`` is zero at first."""

    def __init__(self, size: int, rank: int, name: str):
        super().__init__(name=name)
        self.norm = layer_norm(size, "norm")
        initializer = keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
        self.down = self.add_weight(name="down", shape=(size, rank), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(rank,), initializer="zeros")
        self.up = self.add_weight(name="up", shape=(rank, size), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Transform ``(batch, frames, size)``."""
        narrow = tf.nn.relu(tf.matmul(self.norm(inputs), self.down.value) + self.bias.value)
        return inputs + tf.matmul(narrow, self.up.value)


@restores_layer("after", "adapter")
def _restore(name: str, size: int, arrays: Mapping[str, np.ndarray]) -> keras.layers.Layer | None:
    return AdapterLayer(size, arrays["down"].shape[1], name) if "down" in arrays else None
