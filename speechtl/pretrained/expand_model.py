"""Make of a model that the package carries what can be used: an experiment directory, or an exported model."""

import gzip
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechtl.config import read_toml
from speechtl.errors import DataError, ModelError, list_problems
from speechtl.files import atomic_write, new_folder, read_bytes
from speechtl.layout import ExperimentLayout
from speechtl.models.weight_files import digest, load_arrays, save_arrays
from speechtl.pretrained import named_models
from speechtl.pretrained.named_card import FrozenWeights
from speechtl.pretrained.named_models import read_card
from speechtl.pretrained.package_model import WEIGHTS, file_digest
from speechtl.pretrained.stored_weights import (
    as_safetensors,
    block_of,
    fixed_arrays,
    frozen_arrays,
    read_halves,
    widened,
)

# What an exported model has, and an experiment directory has not.
_EXPORTED_ONLY = ("speechtl.json", "graphs/")
_COMPRESSED = ".gz"


def expand_to_directory(stored: Path, directory: Path) -> None:
    """Write the experiment directory of a stored model, whole or not at all; weights in float32.

    Args:
        stored: its folder, see `speechtl.pretrained.package_model`.
        directory: new.

    Raises:
        ModelError: a file is missing or damaged, or the weights that it builds on cannot be fetched or are others.
        ConfigError: the card is wrong.
        DataError: the directory cannot be written.
    """
    arrays = _complete(stored)
    try:
        with new_folder(directory) as temporary:
            for name, content in _texts(stored):
                if not name.startswith(_EXPORTED_ONLY):
                    with atomic_write(temporary / name, "wb") as file:
                        file.write(content)
            layout = ExperimentLayout(temporary)
            if ExperimentLayout(stored).cmvn.is_file():
                shutil.copyfile(ExperimentLayout(stored).cmvn, layout.cmvn)
            save_arrays(layout.weights, widened(arrays), {"origin": stored.name})
    except DataError:
        # Another process may have been faster.
        if not ExperimentLayout(directory).weights.is_file():
            raise


def expand_to_file(stored: Path, path: Path) -> None:
    """Write a stored model as an exported model, which runs without TensorFlow; see `expand_to_directory`."""
    arrays = _complete(stored)
    cmvn = ExperimentLayout(stored).cmvn
    with atomic_write(path, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _texts(stored):
            archive.writestr(name, content)
        if cmvn.is_file():
            archive.writestr("cmvn.safetensors", as_safetensors(load_arrays(cmvn)[0]), zipfile.ZIP_STORED)
        archive.writestr("weights.safetensors", as_safetensors(arrays), zipfile.ZIP_STORED)


def _complete(stored: Path) -> dict[str, np.ndarray]:
    """Return all weights of a stored model, after its files have been checked."""
    card = read_card(stored)
    damaged = [
        f"{name}: {'changed' if (stored / name).is_file() else 'missing'}"
        for name, expected in card.stored.digests.items()
        if not (stored / name).is_file() or file_digest(stored / name) != expected
    ]
    if damaged:
        raise ModelError(list_problems(f"{stored}: not as it was packaged; install speechtl again", damaged))
    arrays = read_halves(stored / WEIGHTS)
    encoder = read_toml(ExperimentLayout(stored).config)["model"]["encoder"]
    arrays |= {name: array for name, array in fixed_arrays(encoder).items() if name not in arrays}
    if card.frozen is not None:
        arrays |= _frozen(stored.name, card.frozen, arrays)
    return arrays


def _texts(stored: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of every file but weights and statistics, the config last."""
    layout, card = ExperimentLayout(stored), read_card(stored)
    left_out = {WEIGHTS, layout.config.name, layout.cmvn.name}
    first = f"{layout.export.name}{_COMPRESSED}"
    # What identifies an exported model stands at its beginning.
    for name in sorted(card.stored.digests.keys() - left_out, key=lambda name: (name != first, name)):
        content = read_bytes(stored / name)
        if name.endswith(_COMPRESSED):
            name, content = name.removesuffix(_COMPRESSED), gzip.decompress(content)
        yield name, content
    for language in [data["language"] for data in read_toml(layout.config)["data"]]:
        words = named_models.WORDS / language
        if words.is_dir():
            yield f"lexicon/{language}.txt", gzip.decompress(read_bytes(words / "lexicon.txt.gz"))
            yield f"lm/{language}.arpa.gz", read_bytes(words / "lm.arpa.gz")
    yield layout.card.name, card.page(stored.name).encode()
    yield layout.config.name, read_bytes(layout.config)


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
