"""Rebuild the layers that stored weights belong to.

Transfer methods attach layers to a model, and the names and shapes of stored weights suffice to attach them again. How
this is done is registered next to each method: with `restores` for a folder of weight paths, with `restores_layer` for
a kind of layer after or within a block. Importing `speechtl.transfer.methods` registers all of them.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import keras
import numpy as np

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel

Arrays = Mapping[str, np.ndarray]
Restorer = Callable[[AcousticModel, Arrays, str], None]
LayerRestorer = Callable[[str, int, Arrays], keras.layers.Layer | None]

_FOLDERS: dict[str, Restorer] = {}
_KINDS: dict[tuple[str, str], LayerRestorer] = {}
# Parts of a path up to the layer's name: after/BLOCK/LAYER and within/BLOCK/LINEAR/LAYER.
_DEPTH = {"after": 3, "within": 4}


def restores(folder: str) -> Callable[[Restorer], Restorer]:
    """Register a function that attaches what the weights in a folder of paths belong to.

    Where the folder has weights, it is called with the model, all stored weights by path, and their origin for errors.
    It attaches what the model lacks and leaves the values to `speechtl.models.weights.assign`.

    Args:
        folder: for example ``auxiliary/attributes``.
    """

    def register(function: Restorer) -> Restorer:
        _FOLDERS[folder] = function
        return function

    return register


def restores_layer(slot: Literal["after", "within"], kind: str) -> Callable[[LayerRestorer], LayerRestorer]:
    """Register a function that builds one kind of layer after blocks or within them.

    It is called with the layer's name, the size of the output at its place and its weights, by the rest of their paths,
    and returns None for weights that cannot be those of such a layer.

    Args:
        slot: of `AcousticModel`.
        kind: the name of such layers without their number: ``lhuc`` for ``after/tdnn1/lhuc2``.
    """

    def register(function: LayerRestorer) -> LayerRestorer:
        _KINDS[slot, kind] = function
        return function

    return register


def below(folder: str, arrays: Arrays) -> dict[str, np.ndarray]:
    """Return the weights in a folder of paths, by the rest of their paths."""
    return {name[len(folder) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{folder}/")}


def restore(model: AcousticModel, arrays: Arrays, origin: str) -> None:
    """Attach the layers, private blocks and columns that stored weights belong to and the model lacks.

    Their values are not assigned here.

    Args:
        model: the model.
        arrays: weights by path.
        origin: where they come from, for errors.

    Raises:
        ModelError: weights of a layer that cannot be attached to this model.
    """
    # Shorter folders first: an order that does not depend on which method was imported first.
    for folder in sorted(_FOLDERS, key=lambda folder: (len(folder), folder)):
        if below(folder, arrays):
            _FOLDERS[folder](model, arrays, origin)
    present = {path for path, _ in model.layers()}
    lacking: dict[tuple[str, ...], dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        steps = tuple(name.split("/"))
        depth = _DEPTH.get(steps[0], len(steps))
        if len(steps) > depth and "/".join(steps[:depth]) not in present:
            lacking.setdefault(steps[:depth], {})["/".join(steps[depth:])] = array
    for steps in sorted(lacking, key=_position):
        _restore_layer(model, steps, lacking[steps], origin)


def _restore_layer(model: AcousticModel, steps: tuple[str, ...], arrays: Arrays, origin: str) -> None:
    slot, place, name = steps[0], "/".join(steps[1:-1]), steps[-1]
    build = _KINDS.get((slot, name.rstrip("0123456789")))
    layer = None if build is None else build(name, model.size_at(place), arrays)
    if layer is None:
        raise ModelError(f"{origin}: weights of an unknown layer '{'/'.join(steps)}'; a newer version may know it")
    if slot == "within":
        model.correct(place, layer)
    else:
        model.after.setdefault(place, []).append(layer)


def _position(steps: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Sort the layers at one place by the number in their names, the order in which they act."""
    digits = steps[-1][len(steps[-1].rstrip("0123456789")) :]
    return steps[:-1], int(digits or 0)
