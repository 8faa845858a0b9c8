"""A file that grows by lines while a command runs, such as a log."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from speechtl.errors import DataError
from speechtl.files import atomic_write


def whole_lines(path: Path) -> list[str]:
    """Return the lines of a file, without line ends; none if it is missing, nor one that a killed process left half."""
    return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []


class GrowingFile:
    """A text file that one process extends line by line; a line is there at once, whole or not at all.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, lines: Iterable[str]):
        """Replace what is there by some lines, to go on after them.

        Raises:
            DataError: the file cannot be written.
        """
        self.path = path
        with atomic_write(path) as file:
            file.writelines(f"{line}\n" for line in lines)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._size = os.fstat(self._descriptor).st_size

    def add(self, line: str) -> None:
        """Add a line.

        Raises:
            DataError: it cannot be written (full disk); the lines before stay.
        """
        content = f"{line}\n".encode()
        written, reason = 0, "only a part of a line could be written"
        try:
            written = os.write(self._descriptor, content)
        except OSError as error:
            reason = error.strerror or str(error)
        if written < len(content):
            # Where that fails, too, readers leave out a line that does not end.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise DataError(f"{self.path}: cannot write: {reason}; free some space and run the command again")
        self._size += written

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)
