"""Linear input network: an affine transform of the features."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf

from speechtl.models.restore import restores_layer
from speechtl.transfer.speaker_layers import SpeakerLayers


class Lin(SpeakerLayers):
    """Transform the features by a speaker-dependent linear input network (LIN, Neto et al. 1995).

    Attributes:
        blocks: as in `SpeakerLayers`; the features by default. After a block, it is a linear hidden network.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {
        "learning_rate": 2e-3,
        "optimizer": "adam",
        "epochs": 10,
        "folds": 5,
    }

    method: Literal["lin"] = "lin"
    blocks: str | tuple[str, ...] = "input"

    def layer(self, inputs: int, outputs: int, name: str) -> keras.layers.Layer:
        """Return a new layer."""
        return LinLayer(outputs, name)


class LinLayer(keras.layers.Layer):
    """``x + x · matrix + offset``.

    Parametrised as the difference from the identity, so that weight decay pulls it towards the identity.
    """

    def __init__(self, size: int, name: str):
        super().__init__(name=name)
        self.matrix = self.add_weight(name="matrix", shape=(size, size), initializer="zeros")
        self.offset = self.add_weight(name="offset", shape=(size,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Transform ``(batch, frames, size)``."""
        return inputs + (tf.matmul(inputs, self.matrix.value) + self.offset.value)


@restores_layer("after", "lin")
def _restore(name: str, size: int, arrays: Mapping[str, np.ndarray]) -> keras.layers.Layer:
    return LinLayer(size, name)
