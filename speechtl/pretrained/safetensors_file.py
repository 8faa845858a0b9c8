"""Tensors in a safetensors file: a header of JSON and plain numbers; nothing in it can be executed."""

from pathlib import Path

import numpy as np

from speechtl.errors import ModelError
from speechtl.pretrained.stored_tensor import StoredTensor, refuse_another_file

_NUMBERS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file by name; their values are read when they are asked for.

    Raises:
        ModelError: the file is missing, truncated, damaged or another one.
    """
    from safetensors import SafetensorError, safe_open

    refuse_another_file(path)
    try:
        with safe_open(path, framework="np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {
                name: StoredTensor(
                    tuple(part.get_shape()),
                    _NUMBERS.get(part.get_dtype(), part.get_dtype()),
                    path,
                    lambda name=name: _values(path, name),  # type: ignore[misc]
                )
                for name, part in slices.items()
            }
    except SafetensorError as error:
        raise ModelError(
            f"{path}: not a whole safetensors file ({error}); the download may have been cut off, so download it again"
        ) from error


def _values(path: Path, name: str) -> np.ndarray:
    # Teaches NumPy the type bfloat16, by which safetensors asks for it.
    import ml_dtypes  # noqa: F401
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return np.asarray(file.get_tensor(name), dtype=np.float32)
