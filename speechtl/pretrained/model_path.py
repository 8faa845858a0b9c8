"""A model that is given by its name or by its path, to an experiment directory."""

import hashlib
import logging
import os
from pathlib import Path

from speechtl.files import read_bytes, user_cache
from speechtl.layout import ExperimentLayout
from speechtl.pretrained import named_models
from speechtl.pretrained.locate import locate

logger = logging.getLogger(__name__)

# Of what is made of a stored model: directories of another version are left alone, and made again.
_VERSION = 1


def model_path(model: str | os.PathLike[str]) -> Path:
    """Return the experiment directory of a model that is given by its name, or the path that is given.

    The directory of a model that comes with the package is made in the user's cache (`user_cache`) the first time.

    A folder that has the name of a model is meant by ``./NAME``, or by a `Path`.

    Raises:
        ModelError: the model's files are damaged, or the weights that it builds on cannot be fetched.
    """
    if not isinstance(model, str) or model not in named_models.model_names():
        return Path(model)
    if Path(model).exists():
        logger.warning(f"{model}: the model that comes with speechtl is meant; ./{model} is what is in this folder")
    stored = named_models.FOLDER / model
    content = hashlib.blake2b(read_bytes(stored / named_models.CARD), digest_size=8)
    for path in sorted(named_models.WORDS.glob("*/*.gz")):
        content.update(read_bytes(path))
    directory = user_cache() / f"models-{_VERSION}" / f"{model}-{content.hexdigest()}"
    if not ExperimentLayout(directory).weights.is_file():
        # Only here: it loads TensorFlow.
        from speechtl.pretrained.expand_model import expand_model

        expand_model(stored, directory)
    return directory


def source_path(source: str) -> Path:
    """Return the experiment directory that a ``source`` in a config means: a model by name, or see `locate`.

    Raises:
        ModelError: the model or the checkpoint cannot be had.
    """
    return model_path(source) if source in named_models.model_names() else locate(source)
