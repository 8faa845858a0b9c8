"""Paths as callers give them."""

from os import PathLike
from pathlib import Path

StrPath = str | PathLike[str]


def optional_path(path: StrPath | None) -> Path | None:
    """Return a path; None stays None."""
    return None if path is None else Path(path)
