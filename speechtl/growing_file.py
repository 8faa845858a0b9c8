"""A file that grows by lines while a command runs, such as a log."""

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write, read_text


def whole_lines(path: Path) -> list[str]:
    """Return the lines of a file, without line ends; none if it is missing, nor one that a killed process left half.

    Raises:
        DataError: it cannot be read, or is not UTF-8.
    """
    return read_text(path).split("\n")[:-1] if path.exists() else []


def objects(lines: Iterable[str], path: Path, advice: str) -> list[dict[str, Any]]:
    """Return what lines say that hold a JSON object each.

    Args:
        lines: of a file, from its first one.
        path: the file.
        advice: what to do about one that is damaged.

    Raises:
        DataError: lists all damaged lines.
    """
    found, problems = [], []
    for number, line in enumerate(lines, 1):
        try:
            found.append(dict(json.loads(line)))
        except (ValueError, TypeError, RecursionError) as error:
            problems.append(f"{path}:{number}: {error} (got {line[:60]!r})")
    if problems:
        raise DataError(list_problems(f"{path}: damaged; {advice}", problems))
    return found


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
