"""Unpack gzip with a limit: a file of a megabyte can hold a thousand, which nobody's text does."""

import gzip
import io
import zlib
from pathlib import Path

from speechtl.errors import DataError, SpeechtlError

GZIP_MAGIC = b"\x1f\x8b"
# Language models shrink to a tenth, manifests to a fiftieth; a row of equal bytes to a thousandth.
_LARGEST_RATIO = 200


def decompress(content: bytes, path: str | Path, *, error: type[SpeechtlError] = DataError) -> bytes:
    """Return what a gzip file holds.

    Args:
        content: of the file.
        path: the file that the message names.
        error: class of the error.

    Raises:
        SpeechtlError: an ``error``: the file is damaged, or holds more than 200 times its size.
    """
    limit = _LARGEST_RATIO * len(content)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as failure:
        raise error(f"{path}: damaged gzip file ({failure}); make or copy it again") from failure
    if len(unpacked) > limit:
        raise error(f"{path}: holds more than {_LARGEST_RATIO} times its size, as no text does; unpack it yourself")
    return unpacked
