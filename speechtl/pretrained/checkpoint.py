"""A folder of a checkpoint as Hugging Face's transformers writes it."""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from speechtl.errors import ModelError, list_problems
from speechtl.files import decode_text, read_bytes
from speechtl.pretrained.safetensors_file import read_safetensors
from speechtl.pretrained.stored_tensor import StoredTensor, refuse_another_file
from speechtl.pretrained.torch_file import read_torch_file

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
# Preferred first; each may be whole or in parts that an index lists.
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
INDEX = ".index.json"
_FILE = re.compile(r"\w[\w.-]{0,200}")


class Checkpoint:
    """A folder with ``config.json`` and weights; weights are read when they are asked for.

    Attributes:
        path: the folder.
        config: what ``config.json`` says.
    """

    def __init__(self, path: Path):
        """Read the config.

        Raises:
            ModelError: no folder, or no config in it that says what it is.
        """
        self.path = path
        if not (path / CONFIG).is_file():
            raise ModelError(
                f"{path}: no {CONFIG}; give the folder of a checkpoint of transformers ({CONFIG} and {WEIGHT_FILES[0]})"
            )
        self.config = _read_json(path / CONFIG)

    @cached_property
    def preprocessor(self) -> Mapping[str, Any]:
        """What ``preprocessor_config.json`` says; empty without it."""
        path = self.path / PREPROCESSOR
        return _read_json(path) if path.is_file() else {}

    @cached_property
    def _weights(self) -> Path:
        """The file of all weights, or the index of their parts."""
        names = [whole + suffix for whole in WEIGHT_FILES for suffix in ("", INDEX)]
        for name in names:
            if (self.path / name).is_file():
                return self.path / name
        raise ModelError(
            f"{self.path}: no weights ({' or '.join(WEIGHT_FILES)}, whole or in parts with an index); download them"
        )

    @cached_property
    def weight_files(self) -> list[Path]:
        """The files that hold the weights.

        Raises:
            ModelError: there are none, or some that the index names are missing.
        """
        if not self._weights.name.endswith(INDEX):
            return [self._weights]
        files = [self.path / name for name in sorted(set(_places(self._weights).values()))]
        if missing := [file.name for file in files if not file.is_file()]:
            raise ModelError(list_problems(f"{self._weights}: files that it names are missing; download them", missing))
        return files

    @cached_property
    def tensors(self) -> dict[str, StoredTensor]:
        """All tensors by name.

        Raises:
            ModelError: a file is damaged, or the index names tensors that are not where it says.
        """
        found: dict[str, StoredTensor] = {}
        for file in self.weight_files:
            found |= read_safetensors(file) if file.suffix == ".safetensors" else read_torch_file(file)
        if self._weights.name.endswith(INDEX):
            here = {name: tensor.file.name for name, tensor in found.items()}
            places = _places(self._weights)
            if lost := [f"{name}: not in {file}" for name, file in places.items() if here.get(name) != file]:
                heading = f"{self._weights}: tensors that are not in the files it names; download them again"
                raise ModelError(list_problems(heading, lost))
        return found

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the files that count, by name."""
        files = [self.path / CONFIG, self.path / PREPROCESSOR, *self.weight_files]
        return {file.name: _sha256(file) for file in files if file.is_file()}


def _read_json(path: Path) -> dict[str, Any]:
    refuse_another_file(path)
    text = decode_text(read_bytes(path, error=ModelError), path, error=ModelError)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"{path}:{error.lineno}: not JSON ({error.msg}); download it again") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not the JSON of a checkpoint ({error}); download it again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: not a JSON object; download it again")
    return found


def _places(index: Path) -> dict[str, str]:
    """Return the file of each tensor, by name, as an index says."""
    found = _read_json(index).get("weight_map")
    if not isinstance(found, dict) or not found:
        raise ModelError(f"{index}: no weight_map, which says where tensors are; download it again")
    # A name with a folder in it could lead out of the checkpoint.
    if wrong := [name for name in found.values() if not isinstance(name, str) or not _FILE.fullmatch(name)]:
        raise ModelError(f"{index}: '{wrong[0]}' is not the name of a file beside it; download it again")
    return found


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
