"""Weights in fewer bits."""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from speechtl.errors import ConfigError
from speechtl.models.weight_files import SCALE

Precision = Literal["float32", "float16", "int8"]


def parse_precision(text: str) -> Precision:
    """Return a precision by its name.

    Raises:
        ConfigError: there is no such.
    """
    for name in get_args(Precision):
        if text == name:
            return name
    raise ConfigError(f"precision {text}: expected one of {', '.join(get_args(Precision))}")


def stored_weights(arrays: Mapping[str, np.ndarray], precision: Precision) -> dict[str, np.ndarray]:
    """Return the weights as an exported model keeps them (`speechtl.models.weight_files.exported_arrays` reads them).

    Matrices and what has more axes are rounded; vectors, which are few, stay as they are: scales and offsets of
    normalisations act on everything after them.

    Args:
        arrays: by path.
        precision: ``"float16"``, or ``"int8"``: whole numbers from -127 to 127 times a factor for each output (the last
            axis), the largest absolute weight of that output over 127.
    """
    stored: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        rounded = array.ndim > 1 and array.dtype == np.float32 and precision != "float32"
        if not rounded:
            stored[name] = array
        elif precision == "int8":
            largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)))
            scale = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
            stored[name], stored[name + SCALE] = np.rint(array / scale).astype(np.int8), scale
        # Beyond the range of float16 a weight would be infinite.
        elif np.abs(array).max(initial=0.0) < np.finfo(np.float16).max:
            stored[name] = array.astype(np.float16)
        else:
            stored[name] = array
    return stored
