"""Make an experiment directory of a model that the package carries."""

import gzip
import shutil
from pathlib import Path

import numpy as np

from speechtl.config import read_toml
from speechtl.errors import DataError, ModelError, list_problems
from speechtl.files import atomic_write, new_folder, read_bytes
from speechtl.layout import ExperimentLayout
from speechtl.models.weights import digest, save_arrays
from speechtl.pretrained import named_models
from speechtl.pretrained.named_card import FrozenWeights
from speechtl.pretrained.named_models import read_card
from speechtl.pretrained.package_model import WEIGHTS, file_digest
from speechtl.pretrained.stored_weights import block_of, fixed_arrays, frozen_arrays, read_halves, widened


def expand_model(stored: Path, directory: Path) -> None:
    """Write the experiment directory of a stored model, whole or not at all; weights in float32.

    Args:
        stored: its folder, see `speechtl.pretrained.package_model`.
        directory: new.

    Raises:
        ModelError: a file is missing or damaged, or the weights that it builds on cannot be fetched or are others.
        ConfigError: the card is wrong.
        DataError: the directory cannot be written.
    """
    card = read_card(stored)
    damaged = [
        f"{name}: {'changed' if (stored / name).is_file() else 'missing'}"
        for name, expected in card.stored.digests.items()
        if not (stored / name).is_file() or file_digest(stored / name) != expected
    ]
    if damaged:
        raise ModelError(list_problems(f"{stored}: not as it was packaged; install speechtl again", damaged))
    arrays = read_halves(stored / WEIGHTS)
    arrays |= {name: array for name, array in _fixed(stored).items() if name not in arrays}
    if card.frozen is not None:
        arrays |= _frozen(stored.name, card.frozen, arrays)
    try:
        with new_folder(directory) as temporary:
            layout = ExperimentLayout(temporary)
            for name in card.stored.digests.keys() - {WEIGHTS}:
                (temporary / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(stored / name, temporary / name)
            _add_words(layout)
            with atomic_write(layout.card) as file:
                file.write(card.page(stored.name))
            save_arrays(layout.weights, widened(arrays), {"origin": stored.name})
    except DataError:
        # Another process may have been faster.
        if not ExperimentLayout(directory).weights.is_file():
            raise


def _add_words(layout: ExperimentLayout) -> None:
    """Add the words that the package has of a model's languages."""
    for data in read_toml(layout.config)["data"]:
        words, language = named_models.WORDS / data["language"], data["language"]
        if not words.is_dir():
            continue
        with atomic_write(layout.lexicon(language), "wb") as file:
            file.write(gzip.decompress(read_bytes(words / "lexicon.txt.gz")))
        with atomic_write(layout.language_model(language), "wb") as file:
            file.write(read_bytes(words / "lm.arpa.gz"))


def _fixed(stored: Path) -> dict[str, np.ndarray]:
    return fixed_arrays(read_toml(ExperimentLayout(stored).config)["model"]["encoder"])


def _frozen(name: str, frozen: FrozenWeights, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights that are not stored.

    Raises:
        ModelError: they cannot be fetched, or are not those that the model was trained on.
    """
    found = frozen_arrays(frozen.source, frozen.download)
    rest = {path: array for path, array in found.items() if block_of(path) in frozen.blocks and path not in arrays}
    if digest(rest) != frozen.fingerprint:
        raise ModelError(
            f"{name}: what was found as {frozen.source} has other weights than the model was trained on; give the "
            "original checkpoint"
        )
    return rest
