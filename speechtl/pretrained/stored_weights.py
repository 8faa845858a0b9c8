"""Weights in half precision, without those that can be had elsewhere: how a model in the package is stored.

Weights are computed in float32. Rounded to float16 they keep 11 bits, a relative error of 0.05 % at most.
"""

import gzip
import logging
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.errors import ModelError, list_problems
from speechtl.files import atomic_write, read_bytes
from speechtl.layout import ExperimentLayout
from speechtl.models.sinusoids import sinusoids
from speechtl.models.weight_files import load_arrays
from speechtl.pretrained.hub import HubName
from speechtl.pretrained.locate import locate

logger = logging.getLogger(__name__)

_LARGEST = float(np.finfo(np.float16).max)
_POSITIONS = "encoder/stem/positions"


def halved(arrays: Mapping[str, np.ndarray], origin: str) -> dict[str, np.ndarray]:
    """Return arrays with floating-point values in float16; others stay as they are.

    Raises:
        ModelError: values that are not finite or too large for float16 (above 65504); names the arrays.
    """
    numbers = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
    large = [name for name, array in numbers.items() if not np.all(np.abs(array) <= _LARGEST)]
    if large:
        raise ModelError(list_problems(f"{origin}: weights that half precision cannot hold", large))
    return {name: array.astype(np.float16) if name in numbers else array for name, array in arrays.items()}


def widened(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays with float16 values in float32."""
    return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in arrays.items()}


def as_safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the content of a safetensors file."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())})


def write_halves(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to a compressed safetensors file, atomically."""
    with atomic_write(path, "wb") as file:
        file.write(gzip.compress(as_safetensors(arrays), mtime=0))


def read_halves(path: Path) -> dict[str, np.ndarray]:
    """Read what `write_halves` wrote.

    Raises:
        ModelError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(gzip.decompress(read_bytes(path, error=ModelError, advice="install speechtl again")))
    except (SafetensorError, OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path}: not a whole safetensors file ({error}); install speechtl again") from error


def fixed_arrays(encoder: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the weights of an encoder that are known without being stored: Whisper's positions.

    Args:
        encoder: ``[model.encoder]``, every value written out.
    """
    if encoder["kind"] != "whisper":
        return {}
    return {_POSITIONS: sinusoids(encoder["window"], encoder["size"])}


def block_of(path: str) -> str:
    """Return the encoder's block that a weight of a checkpoint belongs to: ``encoder/BLOCK/...``."""
    return path.split("/")[1]


def frozen_arrays(source: str, download: float | None = None) -> dict[str, np.ndarray]:
    """Return the weights of a checkpoint's encoder in float16, by their paths in the model.

    ``$SPEECHTL_NAME``, where NAME is that of the checkpoint (``SPEECHTL_WHISPER_BASE`` for ``hf:openai/whisper-base``),
    may name a folder that has it; otherwise it is downloaded, once.

    Args:
        source: ``hf:owner/name``.
        download: its size in MB, to be told; None if it is not known.

    Raises:
        ModelError: it cannot be downloaded, or the folder has none; says what to do.
    """
    name = HubName.parse(source).repository.rpartition("/")[2]
    variable = f"SPEECHTL_{name.upper().replace('-', '_').replace('.', '_')}"
    folder = os.environ.get(variable)
    if folder:
        place = locate(Path(folder))
        if not ExperimentLayout(place).weights.is_file():
            raise ModelError(
                f"${variable}: {folder} is no folder of a checkpoint (config.json and model.safetensors); correct the "
                f"path, or unset it to download {source}"
            )
    else:
        size = f" ({download:.0f} MB)" if download else ""
        logger.info(f"{source}{size}: fetched once, unless it is there already; ${variable} may name a folder with it")
        try:
            place = locate(source)
        except ModelError as error:
            raise ModelError(
                f"{error}. Without a network: set {variable} to a folder with config.json and model.safetensors of "
                f"{source}, copied from a machine that has one"
            ) from error
    return halved(load_arrays(ExperimentLayout(place).weights)[0], source)
