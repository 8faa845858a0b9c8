"""Weights between models: named and strict."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import keras
import numpy as np

from speechtl.errors import ModelError, list_problems
from speechtl.models.weight_files import average, digest, load_arrays, save_arrays, stored_size

__all__ = ["arrays_of", "assign", "average", "digest", "load_arrays", "save_arrays", "stored_size"]


def arrays_of(variables: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    """Return the values of named variables."""
    return {name: np.asarray(variable.value) for name, variable in variables.items()}


def assign(
    variables: Mapping[str, keras.Variable],
    arrays: Mapping[str, np.ndarray],
    origin: str,
    fresh: Sequence[str] = (),
    unused: Sequence[str] = (),
) -> list[str]:
    """Copy arrays into variables of the same name and shape, strictly.

    Args:
        variables: the target.
        arrays: the source.
        origin: where the arrays come from, for the error.
        fresh: patterns (``heads/*``) of variables that keep their current values.
        unused: patterns of arrays that may have no target.

    Returns:
        Names that were copied.

    Raises:
        ModelError: lists every variable without an array, array without a variable, and difference of shape, unless
            a pattern declares it.
    """
    wanted = {name: variable for name, variable in variables.items() if not _matches(name, fresh)}
    offered = {name: array for name, array in arrays.items() if not _matches(name, (*fresh, *unused))}
    problems = [f"{name}: not in the source" for name in sorted(wanted.keys() - offered.keys())]
    problems += [f"{name}: in the source only" for name in sorted(offered.keys() - wanted.keys())]
    problems += [
        f"{name}: shape {tuple(wanted[name].shape)} here, {offered[name].shape} in the source"
        for name in sorted(wanted.keys() & offered.keys())
        if tuple(wanted[name].shape) != offered[name].shape
    ]
    if problems:
        advice = "declare what may differ as fresh (patterns such as heads/*)"
        raise ModelError(list_problems(f"{origin}: weights do not match ({len(problems)}); {advice}", problems))
    for name, variable in wanted.items():
        variable.assign(offered[name])
    return sorted(wanted)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
