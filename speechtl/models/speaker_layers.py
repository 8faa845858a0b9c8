"""Small layers that are attached to a trained model and start as the identity, to the bit.

Which of them a model has can be read from the names and shapes of its weights, so that stored weights are enough to
attach them again.
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.attribute_head import restore_attributes
from speechtl.models.blocks import LayerNorm
from speechtl.models.language_head import FOLDER, attach_language_head, languages_in
from speechtl.models.word_embedding import restore_word_embedding


class Lhuc(keras.layers.Layer):
    """Learning hidden unit contributions (Swietojanski et al. 2016): ``2 · sigmoid(amplitude) · x``, one per unit."""

    def __init__(self, size: int, rank: int, name: str = "lhuc"):
        super().__init__(name=name)
        self.amplitude = self.add_weight(name="amplitude", shape=(size,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Scale ``(batch, frames, size)``."""
        return inputs * (2.0 * tf.sigmoid(self.amplitude.value))


class LinearNetwork(keras.layers.Layer):
    """Linear input (or hidden) network (Neto et al. 1995): ``x + x · matrix + offset``.

    Written as a departure from the identity, so that weight decay draws it back there.
    """

    def __init__(self, size: int, rank: int, name: str = "lin"):
        super().__init__(name=name)
        self.matrix = self.add_weight(name="matrix", shape=(size, size), initializer="zeros")
        self.offset = self.add_weight(name="offset", shape=(size,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Transform ``(batch, frames, size)``."""
        return inputs + (tf.matmul(inputs, self.matrix.value) + self.offset.value)


class Adapter(keras.layers.Layer):
    """Residual bottleneck adapter (Houlsby et al. 2019): ``x + relu(norm(x) · down + bias) · up``."""

    def __init__(self, size: int, rank: int, name: str = "adapter"):
        super().__init__(name=name)
        self.norm = LayerNorm(name="norm")
        self.norm.build((None, None, size))
        initializer = keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
        self.down = self.add_weight(name="down", shape=(size, rank), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(rank,), initializer="zeros")
        self.up = self.add_weight(name="up", shape=(rank, size), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Transform ``(batch, frames, size)``."""
        narrow = tf.nn.relu(tf.matmul(self.norm(inputs), self.down.value) + self.bias.value)
        return inputs + tf.matmul(narrow, self.up.value)


class LowRank(keras.layers.Layer):
    """Low-rank adaptation (Hu et al. 2022): ``x · down · up``, added to the output of a linear layer.

    The product is never formed, so a frozen kernel costs nothing in the backward pass.
    """

    def __init__(self, inputs: int, outputs: int, rank: int, name: str = "lora"):
        super().__init__(name=name)
        initializer = keras.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
        self.down = self.add_weight(name="down", shape=(inputs, rank), initializer=initializer)
        self.up = self.add_weight(name="up", shape=(rank, outputs), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        return tf.matmul(tf.matmul(inputs, self.down.value), self.up.value)


# How the auxiliary layers that a trained model needs in use are made again.
_AUXILIARY = {"auxiliary/attributes": restore_attributes, "auxiliary/word_embedding": restore_word_embedding}
AFTER = {"lhuc": Lhuc, "lin": LinearNetwork, "adapter": Adapter}


def attach(model: AcousticModel, kind: str, place: str, rank: int) -> list[str]:
    """Attach new layers to a model; until they are trained, its outputs stay what they were.

    Args:
        model: the model.
        kind: ``"lhuc"``, ``"lin"`` or ``"adapter"``, after a block; ``"lora"``, within a block.
        place: name of the block, or ``"input"`` for what acts on the features.
        rank: width of ``adapter`` and ``lora``.

    Returns:
        Paths of the new layers, as `AcousticModel.layers` gives them: ``after/tdnn1/lhuc1``, where the number counts
        the layers at one place in the order in which they act.

    Raises:
        ModelError: no such block, or ``lora`` in a place without a linear layer.
    """
    if kind == "lora":
        linear = model.linear_layers(place)
        if not linear:
            raise ModelError(
                f"block '{place}' has no linear layer for low-rank adaptation; choose other blocks or kind"
            )
        paths = []
        for name, layer in linear.items():
            where = f"{place}/{name}"
            inputs, outputs = layer.kernel.shape
            added = LowRank(inputs, outputs, rank, f"{kind}{len(model.within.get(where, [])) + 1}")
            model.correct(where, added)
            paths.append(f"within/{where}/{added.name}")
        return paths
    size = _size(model, place)
    attached = model.after.setdefault(place, [])
    attached.append(AFTER[kind](size, rank, f"{kind}{len(attached) + 1}"))
    return [f"after/{place}/{attached[-1].name}"]


def restore(model: AcousticModel, arrays: Mapping[str, np.ndarray], origin: str) -> None:
    """Attach the layers, own blocks and columns that stored weights speak of and the model lacks.

    Their values are not assigned here.

    Args:
        model: the model.
        arrays: weights by path.
        origin: where they come from, for errors.

    Raises:
        ModelError: weights of a layer that cannot be attached to this model.
    """
    own: dict[str, set[str]] = {}
    for language, block in (name.split("/")[1:3] for name in arrays if name.startswith("private/")):
        own.setdefault(language, set()).add(block)
    for language, blocks in own.items():
        model.add_private_blocks(language, blocks)
    _restore_columns(model, arrays, origin)
    heard = {name: array for name, array in arrays.items() if name.startswith(f"auxiliary/{FOLDER}/")}
    for name, array in heard.items():
        if name.endswith("/conv/bias"):
            attach_language_head(model, name.split("/")[2], len(array), languages_in(list(heard)))
    present = {path for path, _ in model.layers()}
    for path, restore_auxiliary in _AUXILIARY.items():
        parts = {name[len(path) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{path}/")}
        if parts and path not in present:
            restore_auxiliary(model, parts, origin)
    found: dict[tuple[str, ...], dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        steps = tuple(name.split("/"))
        depth = {"after": 3, "within": 4}.get(steps[0], len(steps))
        if len(steps) > depth and "/".join(steps[:depth]) not in present:
            found.setdefault(steps[:depth], {})["/".join(steps[depth:])] = array
    for steps in sorted(found, key=_position):
        side, place, layer, parts = steps[0], "/".join(steps[1:-1]), steps[-1], found[steps]
        kind = layer.rstrip("0123456789")
        known = kind == "lora" if side == "within" else kind in AFTER
        if not known or ("down" in parts) != (kind in ("adapter", "lora")):
            raise ModelError(f"{origin}: weights of an unknown layer '{'/'.join(steps)}'; a newer version may know it")
        rank = parts["down"].shape[1] if "down" in parts else 0
        if side == "within":
            model.correct(place, LowRank(parts["down"].shape[0], parts["up"].shape[1], rank, layer))
        else:
            model.after.setdefault(place, []).append(AFTER[kind](_size(model, place), rank, layer))


def _restore_columns(model: AcousticModel, arrays: Mapping[str, np.ndarray], origin: str) -> None:
    if model.columns:
        return
    columns: dict[int, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        if name.startswith("columns/"):
            _, number, path = name.split("/", 2)
            columns.setdefault(int(number), {})[path] = array
    for count in sorted(columns):
        column = AcousticModel(model.config, model.inputs, {})
        restore(column, columns[count], f"{origin}: columns/{count}")
        model.add_column(column)
    if columns:
        place = f"laterals/{model.block_names[0]}/down"
        if place not in arrays:
            raise ModelError(f"{origin}: columns without {place}; the file is damaged")
        model.add_laterals(arrays[place].shape[1])


def _position(steps: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Sort the layers at one place by the number in their names, the order in which they act."""
    digits = steps[-1][len(steps[-1].rstrip("0123456789")) :]
    return steps[:-1], int(digits or 0)


def _size(model: AcousticModel, place: str) -> int:
    return model.inputs if place == "input" else model.block(place).output_size
