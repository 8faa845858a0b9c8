"""Named arrays in a file that is mapped into memory: they are there at once, and shared between processes."""

import json
import mmap
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.files import atomic_write

_MAGIC = b"speechtl arrays\n"
# Arrays begin at multiples of it, as processors like them best.
_ALIGNMENT = 64
_NUMBERS = "?biuf"


def save_mapped(path: Path, arrays: Mapping[str, np.ndarray], about: Any) -> None:
    """Write arrays of plain numbers, and anything that JSON can hold, atomically.

    The file is its first line, 8 bytes with the length of a header (little-endian), the header in JSON, the arrays.

    Raises:
        DataError: the file cannot be written.
    """
    table, end = {}, 0
    contents = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in contents.items():
        table[name] = {
            "type": array.dtype.str,
            "shape": array.shape,
            "begin": end,
            "check": zlib.crc32(array.reshape(-1).view(np.uint8).data),
        }
        end = _aligned(end + array.nbytes)
    header = json.dumps({"bytes": end, "arrays": table, "about": about}).encode()
    begin = len(_MAGIC) + 8
    header += b" " * (_aligned(begin + len(header)) - begin - len(header))
    with atomic_write(path, "wb") as file:
        file.write(_MAGIC + len(header).to_bytes(8, "little") + header)
        for array in contents.values():
            file.write(array.data if array.size else b"")
            file.write(bytes(_aligned(array.nbytes) - array.nbytes))


def load_mapped(path: Path) -> tuple[dict[str, np.ndarray], Any]:
    """Return what `save_mapped` wrote. Arrays may be changed in memory; the file stays as it is.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is truncated, damaged, or something else.
    """
    with open(path, "rb") as file:
        # Refuses an empty file by a ValueError.
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    begin = len(_MAGIC) + 8
    if content[: len(_MAGIC)] != _MAGIC:
        raise ValueError("no file of arrays")
    begin_of_arrays = begin + int.from_bytes(content[len(_MAGIC) : begin], "little")
    try:
        header = json.loads(content[begin:begin_of_arrays])
        if begin_of_arrays + header["bytes"] != len(content):
            raise ValueError("truncated")
        arrays = {name: _array(content, begin_of_arrays, entry) for name, entry in header["arrays"].items()}
        return arrays, header["about"]
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError, SyntaxError) as error:
        raise ValueError(f"damaged ({error})") from error


def _array(content: mmap.mmap, begin: int, entry: Mapping[str, Any]) -> np.ndarray:
    dtype, shape = np.dtype(entry["type"]), tuple(entry["shape"])
    if dtype.kind not in _NUMBERS:
        raise ValueError(f"damaged (numbers of type {dtype})")
    count = int(np.prod(shape, dtype=np.int64))
    flat = np.frombuffer(content, dtype, count, begin + entry["begin"]) if count else np.empty(0, dtype)
    if zlib.crc32(flat.view(np.uint8).data) != entry["check"]:
        raise ValueError("damaged (wrong checksum)")
    return flat.reshape(shape)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
