"""Make of an experiment what the package can carry: half precision, no paths of this machine, a card."""

import gzip
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.config import parse, read_toml
from speechtl.errors import ModelError, list_problems
from speechtl.files import atomic_write, finish_replacing, new_folder, read_bytes, replacing_together
from speechtl.layout import ExperimentLayout
from speechtl.models.weight_files import digest, load_arrays, save_arrays
from speechtl.pretrained.named_card import NamedCard
from speechtl.pretrained.named_models import CARD
from speechtl.pretrained.stored_weights import (
    block_of,
    fixed_arrays,
    frozen_arrays,
    halved,
    widened,
    write_halves,
)
from speechtl.staging import is_staged, scratch_folder

WEIGHTS = "weights.safetensors.gz"
# From an experiment directory to what an exported model has besides what is here: files by name.
Parts = Callable[[Path], Mapping[str, bytes]]
# Beyond it, what is taken for positions is something else. Rounding to half precision stays below.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Packaged:
    """A model that was packaged.

    Attributes:
        folder: where it is.
        card: what it says.
        sizes: of its files in bytes, by name.
    """

    folder: Path
    card: NamedCard
    sizes: dict[str, int]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes.values())


def package_model(
    experiment: Path,
    folder: Path,
    card: Path,
    parts: Parts,
    *,
    limit: float,
    frozen: str | None = None,
    download: float = 0.0,
) -> Packaged:
    """Write the stored form of an experiment: a folder, whole or not at all.

    Args:
        experiment: a finished experiment.
        folder: new, or that of a packaged model, which is replaced.
        card: what people say of it: a `NamedCard` without ``[stored]`` and ``[frozen]``.
        parts: returns what an exported model has besides, so that the model runs without TensorFlow.
        limit: of the size of all files, in MB (10⁶ bytes).
        frozen: the checkpoint ``hf:owner/name`` whose weights, where they are unchanged, are left out.
        download: its size in MB.

    Raises:
        ModelError: no finished experiment, too large, weights that half precision cannot hold, or ``folder`` holds
            something else.
        ConfigError: the card lacks something.
    """
    # Not among what recognition needs.
    import tomli_w

    layout = ExperimentLayout(experiment)
    if layout.exported:
        raise ModelError(f"{experiment}: is exported already; package the experiment directory that it was made of")
    if not (layout.config.is_file() and layout.weights.is_file()):
        raise ModelError(f"{experiment}: no finished experiment (config.toml and weights.h5); train one first")
    if folder.exists() and any(folder.iterdir()) and not (folder / CARD).is_file():
        raise ModelError(f"{folder}: exists and holds no packaged model; give another folder")
    config = _portable(read_toml(layout.config))
    arrays = halved(load_arrays(layout.weights)[0], str(layout.weights))
    whole = widened(arrays)
    for name, known in fixed_arrays(config["model"]["encoder"]).items():
        if name in arrays and known.shape == arrays[name].shape and np.allclose(arrays[name], known, atol=_TOLERANCE):
            del arrays[name]
            whole[name] = known
    table = read_toml(card)
    if frozen is not None:
        there = frozen_arrays(frozen)
        kept = {name: there[name] for name in arrays if name in there and np.array_equal(there[name], arrays[name])}
        if not kept:
            raise ModelError(f"{layout.weights}: no weights are those of {frozen}; package the model as a whole")
        arrays = {name: array for name, array in arrays.items() if name not in kept}
        table["frozen"] = {
            "source": frozen,
            "blocks": list(dict.fromkeys(block_of(name) for name in kept)),
            "fingerprint": digest(kept),
            "parameters": sum(array.size for array in kept.values()),
            "download": download,
        }
    # All files change together; who reads a card finishes first what was begun.
    finish_replacing(folder)
    old = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and not is_staged(path)]
    with replacing_together(folder, old) if old else new_folder(folder) as temporary:
        new = ExperimentLayout(temporary)
        _write(new, layout, config)
        for name, content in _exported(new, whole, parts).items():
            with atomic_write(temporary / f"{name}.gz", "wb") as file:
                file.write(gzip.compress(content, mtime=0))
        write_halves(temporary / WEIGHTS, arrays)
        files = sorted(path for path in temporary.rglob("*") if path.is_file())
        digests = {path.relative_to(temporary).as_posix(): file_digest(path) for path in files}
        table["stored"] = {"parameters": sum(array.size for array in arrays.values()), "digests": digests}
        checked = parse(NamedCard, table, card)
        with atomic_write(temporary / CARD) as file:
            file.write(tomli_w.dumps(checked.model_dump(mode="json", exclude_none=True)))
        sizes = {path.relative_to(temporary).as_posix(): path.stat().st_size for path in (*files, temporary / CARD)}
        if sum(sizes.values()) > 1e6 * limit:
            every = [f"{name}: {size / 1e6:.2f} MB" for name, size in sizes.items()]
            raise ModelError(list_problems(f"{experiment}: more than the {limit:g} MB that are allowed", every))
    return Packaged(folder, checked, sizes)


def file_digest(path: Path) -> str:
    """Return the digest of a file as cards state it."""
    return blake2b(read_bytes(path, error=ModelError), digest_size=16).hexdigest()


def _exported(layout: ExperimentLayout, arrays: Mapping[str, np.ndarray], parts: Parts) -> Mapping[str, bytes]:
    """Return the parts of the exported form of a model as it will be after it was stored."""
    with scratch_folder() as folder:
        shutil.copytree(layout.path, folder, dirs_exist_ok=True)
        save_arrays(ExperimentLayout(folder).weights, arrays)
        return parts(folder)


def _write(new: ExperimentLayout, old: ExperimentLayout, config: dict[str, Any]) -> None:
    """Write everything but the weights, the exported parts and the card."""
    # Not among what recognition needs.
    import tomli_w

    heads = {table.get("head") or table["language"] for table in config["data"]}
    for head, path in old.phone_tables().items():
        if head in heads:
            new.phones(head).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, new.phones(head))
    if old.cmvn.is_file():
        shutil.copyfile(old.cmvn, new.cmvn)
    with atomic_write(new.config) as file:
        file.write(tomli_w.dumps(config))


def _portable(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config without the lexicons, absolute paths and arithmetic of the machine that it was used on."""
    tables = []
    for table in config["data"]:
        kept = {key: value for key, value in table.items() if key not in ("lexicon", "phones", "notation")}
        places = {key: [_short(path) for path in table.get(key, [])] for key in ("train", "unlabelled", "dev")}
        tables.append(kept | places)
    methods = [
        {key: _short(value) if key == "source" else value for key, value in m.items()} for m in config["transfer"]
    ]
    model = config["model"] | {"precision": "float32"}
    return config | {"data": tables, "transfer": methods, "model": model}


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-2:]) if Path(path).is_absolute() else path
