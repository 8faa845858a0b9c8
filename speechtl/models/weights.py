"""Weights on disk and between models: named, strict, atomic."""

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import h5py
import keras
import numpy as np

from speechtl.errors import ModelError, list_problems
from speechtl.files import replacing


def save_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, object] | None = None
) -> None:
    """Write named arrays (and attributes of the file) to an HDF5 file, atomically."""
    # HDF5's own lock would meet the one that the file is held with.
    with replacing(path) as temporary, h5py.File(temporary, "w", locking=False) as file:
        _fill(file, arrays, attributes or {})


def stored_size(arrays: Mapping[str, np.ndarray], attributes: Mapping[str, object]) -> int:
    """Return the bytes of the file that `save_arrays` would write."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        _fill(file, arrays, attributes)
    return len(memory.getbuffer())


def _fill(file: h5py.File, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, object]) -> None:
    for name, value in arrays.items():
        file.create_dataset(name, data=value)
    for key, attribute in attributes.items():
        file.attrs[key] = attribute


def load_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Read what `save_arrays` wrote; links that lead out of the file are not followed.

    Raises:
        ModelError: the file is missing, damaged or not HDF5; or an array is not stored in it as plain numbers, number
            by number, so that it may be far larger than the file, or come from another one.
    """
    arrays: dict[str, np.ndarray] = {}

    def read(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            _require_plain(path, name, item)
            arrays[name] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(read)
            return arrays, dict(file.attrs)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path}: not a readable weight file ({error}); train the model again or restore it"
        ) from error


def _require_plain(path: str | Path, name: str, item: h5py.Dataset) -> None:
    stored = item.id.get_storage_size()
    if item.dtype.kind not in "fiub" or item.external or item.is_virtual or item.chunks or stored != item.nbytes:
        raise ModelError(
            f"{path}: '{name}' of shape {item.shape} and type {item.dtype} takes {stored} bytes of the file, expected "
            f"{item.nbytes} of plain numbers; this is nothing that speechtl wrote"
        )


def arrays_of(variables: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    """Return the values of named variables."""
    return {name: np.asarray(variable.value) for name, variable in variables.items()}


def digest(arrays: Mapping[str, np.ndarray], about: str = "") -> str:
    """Return a fingerprint of named arrays and of what else counts."""
    found = hashlib.blake2b(about.encode(), digest_size=16)
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].shape}".encode())
        found.update(np.ascontiguousarray(arrays[name]).data)
    return found.hexdigest()


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


def average(files: Iterable[str | Path]) -> dict[str, np.ndarray]:
    """Return the mean of the weights in several files, summed in float64.

    Raises:
        ModelError: no file, or files with different names or shapes.
    """
    paths = list(files)
    if not paths:
        raise ModelError("nothing to average; give at least one weight file")
    total: dict[str, np.ndarray] = {}
    for path in paths:
        arrays, _ = load_arrays(path)
        shapes = {name: array.shape for name, array in arrays.items()}
        if total and shapes != {name: array.shape for name, array in total.items()}:
            raise ModelError(f"{path}: other weights than in {paths[0]}; average checkpoints of one run only")
        for name, array in arrays.items():
            total[name] = total.get(name, 0.0) + array.astype(np.float64)
    return {name: (array / len(paths)).astype(np.float32) for name, array in total.items()}


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
