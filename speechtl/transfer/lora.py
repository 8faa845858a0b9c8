"""Low-rank adaptation of the linear layers within each block."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.restore import restores_layer
from speechtl.transfer.speaker_layers import SpeakerLayers, linear_places


class Lora(SpeakerLayers):
    """Add a low-rank product to linear layers within blocks (LoRA, Hu et al. 2022).

    Attributes:
        blocks: as in `SpeakerLayers`, without ``"input"``.
        layers: names of the linear layers within the blocks, ``["query", "value"]``; all by default.
        rank: of the product.
        alpha: the product is multiplied by ``alpha / rank``, as in the paper; by default by 1.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {"learning_rate": 1e-3, "optimizer": "adam", "rank": 2}

    method: Literal["lora"] = "lora"
    layers: str | tuple[str, ...] = "all"
    rank: int = Field(default=4, gt=0)
    alpha: float | None = Field(default=None, gt=0)

    def places(self, model: AcousticModel) -> list[str]:
        """Return the linear layers.

        Raises:
            ModelError: unknown blocks or layers, or a block that has none.
        """
        return linear_places(model, self.blocks, self.layers)

    def layer(self, inputs: int, outputs: int, name: str) -> keras.layers.Layer:
        """Return a new layer."""
        return LoraLayer(inputs, outputs, self.rank, name, None if self.alpha is None else self.alpha / self.rank)


class LoraLayer(keras.layers.Layer):
    """``scale · x · down · up``, added to the output of a linear layer; ``up`` is zero at first.

    The product of the two matrices is never formed, so a frozen kernel costs nothing in the backward pass. The scale is
    stored with the weights; without one, it is 1.
    """

    def __init__(self, inputs: int, outputs: int, rank: int, name: str, scale: float | None = None):
        super().__init__(name=name)
        initializer = keras.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
        self.down = self.add_weight(name="down", shape=(inputs, rank), initializer=initializer)
        self.up = self.add_weight(name="up", shape=(rank, outputs), initializer="zeros")
        self.scale = None
        if scale is not None:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones", trainable=False)
            self.scale.assign(scale)
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        product = tf.matmul(tf.matmul(inputs, self.down.value), self.up.value)
        return product if self.scale is None else self.scale.value * product


@restores_layer("within", "lora")
def _restore(name: str, size: int, arrays: Mapping[str, np.ndarray]) -> keras.layers.Layer | None:
    if "down" not in arrays:
        return None
    inputs, rank = arrays["down"].shape
    return LoraLayer(inputs, size, rank, name, 1.0 if "scale" in arrays else None)
