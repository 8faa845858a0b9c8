"""A model that is given by its name or by its path, to an experiment directory or an exported model."""

import hashlib
import logging
import os
from pathlib import Path

from speechtl.files import read_bytes, user_cache
from speechtl.layout import ExperimentLayout
from speechtl.pretrained import named_models
from speechtl.pretrained.expand_model import expand_to_directory, expand_to_file
from speechtl.pretrained.locate import locate

logger = logging.getLogger(__name__)

# Of what is made of a stored model: directories of another version are left alone, and made again.
_VERSION = 1


def model_path(model: str | os.PathLike[str]) -> Path:
    """Return the experiment directory of a model that is given by its name, or the path that is given.

    What is made of a model that comes with the package is kept in the user's cache (`user_cache`). A folder that has
    the name of a model is meant by ``./NAME``, or by a `Path`.

    Raises:
        ModelError: the model's files are damaged, or the weights that it builds on cannot be fetched.
    """
    name = _name(model)
    if name is None:
        return Path(model)
    directory = _place(name)
    if not ExperimentLayout(directory).weights.is_file():
        expand_to_directory(named_models.FOLDER / name, directory)
    return directory


def recogniser_path(model: str | os.PathLike[str]) -> Path:
    """Return the exported model of one that is given by its name, or the path that is given; see `model_path`.

    It recognises speech without TensorFlow.
    """
    name = _name(model)
    if name is None:
        return Path(model)
    file = _place(name).with_suffix(".speechtl")
    if not file.is_file():
        expand_to_file(named_models.FOLDER / name, file)
    return file


def config_path(model: str | os.PathLike[str]) -> Path:
    """Return where the config of a model is, by its name or path: nothing of it is made ready or fetched."""
    name = _name(model)
    return Path(model) if name is None else named_models.FOLDER / name


def shown_path(path: Path) -> str:
    """Return what a message calls a model: its name, if it was made ready of one in the package, or its path."""
    name = path.name.rpartition("-")[0]
    return name if path.parent == _folder() and name in named_models.model_names() else str(path)


def source_path(source: str) -> Path:
    """Return the experiment directory that a ``source`` in a config means: a model by name, or see `locate`.

    Raises:
        ModelError: the model or the checkpoint cannot be had.
    """
    return model_path(source) if source in named_models.model_names() else locate(source)


def _name(model: str | os.PathLike[str]) -> str | None:
    """Return the name that a model is given by, None if it is given by its path."""
    if not isinstance(model, str) or model not in named_models.model_names():
        return None
    if Path(model).exists():
        logger.warning(f"{model}: the model that comes with speechtl is meant; ./{model} is what is in this folder")
    return model


def _place(name: str) -> Path:
    """Return where a model is made ready: by content, so that another version of it is made anew."""
    content = hashlib.blake2b(read_bytes(named_models.FOLDER / name / named_models.CARD), digest_size=8)
    for path in sorted(named_models.WORDS.glob("*/*.gz")):
        content.update(read_bytes(path))
    return _folder() / f"{name}-{content.hexdigest()}"


def _folder() -> Path:
    return user_cache() / f"models-{_VERSION}"
