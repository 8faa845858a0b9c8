"""Adapters: a small bottleneck after each block, or parallel to its linear layers."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import layer_norm
from speechtl.models.restore import restores_layer
from speechtl.transfer.speaker_layers import SpeakerLayers, linear_places


class Adapter(SpeakerLayers):
    """Add a residual bottleneck adapter after each block (Houlsby et al. 2019), or parallel ones within it.

    Attributes:
        blocks: as in `SpeakerLayers`.
        layers: names of linear layers within the blocks, ``["value", "narrow"]``, each of which gets an adapter that is
            parallel to it: computed from its input, added to its output (parallel adapter, He et al. 2022). ``"all"``
            for all; by default the adapters are after the blocks.
        rank: width of the bottleneck.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {"learning_rate": 1e-3, "optimizer": "adam"}

    method: Literal["adapter"] = "adapter"
    layers: str | tuple[str, ...] | None = None
    rank: int = Field(default=4, gt=0)

    def places(self, model: AcousticModel) -> list[str]:
        """Return the blocks, or the linear layers within them.

        Raises:
            ModelError: unknown blocks or layers, or a block that has none.
        """
        return super().places(model) if self.layers is None else linear_places(model, self.blocks, self.layers)

    def layer(self, inputs: int, outputs: int, name: str) -> keras.layers.Layer:
        """Return a new layer."""
        if self.layers is None:
            return AdapterLayer(outputs, self.rank, name)
        return ParallelAdapterLayer(inputs, outputs, self.rank, name)


class AdapterLayer(keras.layers.Layer):
    """``x + relu(norm(x) · down + bias) · up``, after a block; ``up`` is zero at first."""

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


class ParallelAdapterLayer(keras.layers.Layer):
    """``relu(x · down + bias) · up``, added to the output of a linear layer; ``up`` is zero at first."""

    def __init__(self, inputs: int, outputs: int, rank: int, name: str):
        super().__init__(name=name)
        initializer = keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
        self.down = self.add_weight(name="down", shape=(inputs, rank), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(rank,), initializer="zeros")
        self.up = self.add_weight(name="up", shape=(rank, outputs), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        return tf.matmul(tf.nn.relu(tf.matmul(inputs, self.down.value) + self.bias.value), self.up.value)


@restores_layer("after", "adapter")
def _restore(name: str, size: int, arrays: Mapping[str, np.ndarray]) -> keras.layers.Layer | None:
    return AdapterLayer(size, arrays["down"].shape[1], name) if "down" in arrays else None


@restores_layer("within", "adapter")
def _restore_parallel(name: str, size: int, arrays: Mapping[str, np.ndarray]) -> keras.layers.Layer | None:
    return (
        ParallelAdapterLayer(arrays["down"].shape[0], size, arrays["down"].shape[1], name) if "down" in arrays else None
    )
