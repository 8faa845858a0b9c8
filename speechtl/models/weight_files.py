"""Weights on disk: named arrays, in HDF5 or as they are in an exported model."""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.errors import ModelError
from speechtl.files import atomic_write, read_bytes

# What is said of all arrays, as JSON. No attribute of HDF5: its library may read the text of a damaged one without end.
_ATTRIBUTES = "attributes.json"
# In an exported model, the factors by which the whole numbers of a weight are multiplied stand under this name.
SCALE = ":scale"


def save_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str] | None = None
) -> None:
    """Write named arrays, and what is to be said of them all, to an HDF5 file, atomically."""
    content = _hdf5(arrays, attributes or {})
    with atomic_write(path, "wb") as file:
        file.write(content)


def stored_size(arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str]) -> int:
    """Return the bytes of the file that `save_arrays` would write."""
    return len(_hdf5(arrays, attributes))


def _hdf5(arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str]) -> memoryview:
    import h5py

    # In memory: on a full disk the HDF5 library may end the whole process.
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for name, value in arrays.items():
            file.create_dataset(name, data=value)
        if attributes:
            said = json.dumps(attributes, ensure_ascii=False).encode()
            file.create_dataset(_ATTRIBUTES, data=np.frombuffer(said, np.uint8))
    return memory.getbuffer()


def load_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read what `save_arrays` wrote, or the weights of an exported model; links out of the file are not followed.

    Raises:
        ModelError: the file is missing, damaged or not HDF5; or an array is not stored in it as plain numbers, number
            by number, so that it may be far larger than the file, or come from another one.
    """
    if str(path).endswith(".safetensors"):
        return exported_arrays(path), {}
    import h5py

    arrays: dict[str, np.ndarray] = {}

    def read(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            _require_plain(path, name, item)
            arrays[name] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(read)
        attributes = json.loads(arrays.pop(_ATTRIBUTES, np.frombuffer(b"{}", np.uint8)).tobytes())
        if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
            raise ValueError(f"'{_ATTRIBUTES}' holds no texts under names")
        return arrays, attributes
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path}: not a readable weight file ({error}); train the model again or restore it"
        ) from error


def _require_plain(path: str | Path, name: str, item: Any) -> None:
    stored = item.id.get_storage_size()
    if item.dtype.kind not in "fiub" or item.external or item.is_virtual or item.chunks or stored != item.nbytes:
        raise ModelError(
            f"{path}: '{name}' of shape {item.shape} and type {item.dtype} takes {stored} bytes of the file, expected "
            f"{item.nbytes} of plain numbers; this is nothing that speechtl wrote"
        )


def digest(arrays: Mapping[str, np.ndarray], about: str = "") -> str:
    """Return a fingerprint of named arrays and of what else counts."""
    found = hashlib.blake2b(about.encode(), digest_size=16)
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].shape}".encode())
        found.update(np.ascontiguousarray(arrays[name]).data)
    return found.hexdigest()


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


def exported_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of an exported model; those that are kept in fewer bits come back as float32.

    Raises:
        ModelError: the file is missing or damaged.
    """
    import safetensors
    from safetensors.numpy import load

    content = read_bytes(path, error=ModelError, advice="export the model again")
    try:
        stored = load(content)
    except safetensors.SafetensorError as error:
        raise ModelError(f"{path}: damaged ({error}); export the model again") from error
    arrays: dict[str, np.ndarray] = {}
    for name, array in stored.items():
        if name.endswith(SCALE):
            continue
        if array.dtype == np.int8:
            array = array * stored[name + SCALE]
        arrays[name] = array.astype(np.float32) if array.dtype == np.float16 else array
    return arrays
