"""Low-rank adaptation of the linear layers within each block."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.restore import restores_layer
from speechtl.transfer.speaker_layers import SpeakerLayers


class Lora(SpeakerLayers):
    """Add a low-rank product to the linear layers within each block (LoRA, Hu et al. 2022).

    Attributes:
        blocks: as in `SpeakerLayers`, without ``"input"``.
        rank: of the product.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {"learning_rate": 1e-3, "optimizer": "adam", "rank": 2}

    method: Literal["lora"] = "lora"
    rank: int = Field(default=4, gt=0)

    def insert(self, model: AcousticModel, place: str) -> list[str]:
        """Insert a layer at every linear layer within a block.

        Raises:
            ModelError: no such block, or none in it.
        """
        linear = model.linear_layers(place)
        if not linear:
            raise ModelError(
                f"block '{place}' has no linear layer for low-rank adaptation; choose other blocks or another method"
            )
        paths = []
        for name, layer in linear.items():
            where = f"{place}/{name}"
            inputs, outputs = layer.kernel.shape
            added = LoraLayer(inputs, outputs, self.rank, f"{self.method}{len(model.within.get(where, [])) + 1}")
            model.correct(where, added)
            paths.append(f"within/{where}/{added.name}")
        return paths


class LoraLayer(keras.layers.Layer):
    """``x · down · up``, added to the output of a linear layer; ``up`` is zero at first.

    The product of the two matrices is never formed, so a frozen kernel costs nothing in the backward pass.
    """

    def __init__(self, inputs: int, outputs: int, rank: int, name: str):
        super().__init__(name=name)
        initializer = keras.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
        self.down = self.add_weight(name="down", shape=(inputs, rank), initializer=initializer)
        self.up = self.add_weight(name="up", shape=(rank, outputs), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        return tf.matmul(tf.matmul(inputs, self.down.value), self.up.value)


@restores_layer("within", "lora")
def _restore(name: str, size: int, arrays: Mapping[str, np.ndarray]) -> keras.layers.Layer | None:
    return LoraLayer(arrays["down"].shape[0], size, arrays["down"].shape[1], name) if "down" in arrays else None
