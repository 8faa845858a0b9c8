"""Paths as callers give them."""

from os import PathLike
from pathlib import Path

StrPath = str | PathLike[str]


def model_path(model: StrPath) -> Path:
    """Return the directory of a model: of one that comes with speechtl by its name (a string), else the path itself.

    Raises:
        ModelError: the model's files are damaged, or the weights that it builds on cannot be fetched.
    """
    # Only here: importing the public face loads nothing.
    from speechtl.pretrained.model_path import model_path as find

    return find(model)


def recogniser_path(model: StrPath, speaker: StrPath | None = None) -> Path:
    """Return what recognises speech: of a model that comes with speechtl by its name (a string), else the path itself.

    Args:
        model: as `model_path` takes it.
        speaker: adapted layers, which an experiment directory alone has a place for; None for the exported form, which
            runs without TensorFlow.

    Raises:
        ModelError: see `model_path`.
    """
    from speechtl.pretrained.model_path import recogniser_path as find

    return find(model) if speaker is None else model_path(model)


def optional_path(path: StrPath | None) -> Path | None:
    """Return a path; None stays None."""
    return None if path is None else Path(path)
