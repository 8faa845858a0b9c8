"""A tensor in a file, and what is wrong with a file that holds none."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechtl.errors import ModelError

# Types of numbers that are read, by the names that this package gives them.
READ_TYPES = ("float16", "bfloat16", "float32")

_POINTER = b"version https://git-lfs"
_PAGES = (b"<!doctype", b"<html", b"<?xml")


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that is read from its file when it is asked for.

    Attributes:
        shape: of the tensor.
        number: type of its numbers, ``float16``, or the file's own word for one that is not read.
        file: where it is.
        values: reads the values, in the type of the file or as float32.
    """

    shape: tuple[int, ...]
    number: str
    file: Path
    values: Callable[[], np.ndarray]

    def read(self) -> np.ndarray:
        """Return the values, float32.

        Raises:
            ModelError: numbers of another type than float16, bfloat16 and float32.
        """
        if self.number not in READ_TYPES:
            raise ModelError(
                f"{self.file}: a tensor of {self.number} where weights are expected; only {', '.join(READ_TYPES)} are "
                "read, so take a checkpoint that is not quantised"
            )
        return np.asarray(self.values(), dtype=np.float32)


def refuse_another_file(path: Path) -> None:
    """Raise an error if a file is what is left of a failed download.

    Raises:
        ModelError: it is missing, empty, a web page or a pointer of Git LFS.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(512)
    except OSError as error:
        raise ModelError(f"{path}: cannot read: {error.strerror or error}; check the folder") from error
    if not start:
        raise ModelError(f"{path}: is empty; download it again")
    if start.startswith(_POINTER):
        raise ModelError(
            f"{path}: is a pointer of Git LFS, not the file itself; run git lfs pull there, or download it again"
        )
    if start.lstrip().lower().startswith(_PAGES):
        raise ModelError(f"{path}: is a web page, not the file itself; download it again, as a raw file")
