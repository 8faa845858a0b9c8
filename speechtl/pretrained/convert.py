"""From the tensors of a checkpoint to the weights of an encoder, every one accounted for."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from speechtl.config import parse
from speechtl.errors import ModelError, list_problems
from speechtl.features.config import FeatureConfig
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.pretrained.checkpoint import CONFIG, PREPROCESSOR, Checkpoint
from speechtl.pretrained.family import Family
from speechtl.pretrained.settings import Settings
from speechtl.pretrained.stored_tensor import StoredTensor
from speechtl.pretrained.wav2vec2_family import DATA2VEC, HUBERT, WAV2VEC2, WAVLM
from speechtl.pretrained.whisper_family import WHISPER

FAMILIES = {family.model_type: family for family in (WHISPER, WAV2VEC2, HUBERT, WAVLM, DATA2VEC)}

# Weight normalisation (Salimans & Kingma 2016): length and direction, as PyTorch called them before 2.0 and since.
_NORMALISED = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


@dataclass(frozen=True)
class Converted:
    """An encoder made of a checkpoint.

    Attributes:
        family: of the checkpoint.
        features: ``[features]`` that it reads.
        model: ``[model]``.
        blocks: names of its blocks.
        arrays: its weights by path, float32.
        unused: what was left out, with the number of its tensors.
    """

    family: str
    features: FeatureConfig
    model: ModelConfig
    blocks: tuple[str, ...]
    arrays: dict[str, np.ndarray]
    unused: dict[str, int]


def convert(checkpoint: Checkpoint) -> Converted:
    """Make an encoder of a checkpoint.

    Raises:
        ModelError: an unknown family, settings that this package does not have, or tensors that do not fit
            ``config.json``; all problems at once.
        ConfigError: settings that contradict each other.
    """
    family = _family(checkpoint)
    path = checkpoint.path
    config = Settings(checkpoint.config, path / CONFIG)
    preprocessor = Settings(checkpoint.preprocessor, path / PREPROCESSOR)
    encoder, features = family.encoder(config), family.features(config, preprocessor)
    config.check()
    preprocessor.check()
    model_config = parse(ModelConfig, {"encoder": encoder}, f"{path / CONFIG}: as [model]")
    feature_config = parse(FeatureConfig, features, f"{path / CONFIG}: as [features]")
    model = AcousticModel(model_config, feature_config.dimension, {})
    shapes = {name: tuple(variable.shape) for name, variable in model.variables().items()}
    arrays, unused = _convert(checkpoint, family, shapes)
    return Converted(family.model_type, feature_config, model_config, tuple(model.block_names), arrays, unused)


def _family(checkpoint: Checkpoint) -> Family:
    found = checkpoint.config.get("model_type")
    if found not in FAMILIES:
        what = "no model_type" if found is None else f"model_type '{found}' is not known"
        raise ModelError(f"{checkpoint.path / CONFIG}: {what}; known are {', '.join(FAMILIES)}")
    return FAMILIES[found]


def _convert(
    checkpoint: Checkpoint, family: Family, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    tensors = fold_weight_norm(checkpoint.tensors)
    used = [prefix for prefix in family.prefixes if any(name.startswith(prefix) for name in tensors)]
    prefix = used[0] if used else family.prefixes[0]
    names = {path: prefix + family.tensor(path.removeprefix("encoder/")) for path in shapes}
    # Several weights may be copies of one tensor.
    wanted = {name: path for path, name in names.items()}
    rest = [name for name in tensors if name not in wanted]
    known = {name: what for name in rest for pattern, what in family.unused.items() if fnmatchcase(name, pattern)}
    problems = [f"{name}: missing" for name in wanted if name not in tensors]
    problems += [f"{name}: not known in this family" for name in rest if name not in known]
    for name in wanted.keys() & tensors.keys():
        there = tensors[name].shape
        expected = _shape_there(wanted[name], shapes[wanted[name]], there)
        if there != expected:
            problems.append(f"{name}: shape {there}, expected {expected}")
    if problems:
        heading = f"{checkpoint.path}: its tensors do not fit {CONFIG} ({len(problems)}); download both again"
        raise ModelError(list_problems(heading, sorted(problems)))
    arrays = {path: _as_here(tensors[name].read(), path, shapes[path]) for path, name in names.items()}
    if broken := sorted(name for name, path in wanted.items() if not np.isfinite(arrays[path]).all()):
        raise ModelError(list_problems(f"{checkpoint.path}: tensors with values that are not finite", broken))
    return arrays, {what: list(known.values()).count(what) for what in dict.fromkeys(known.values())}


def fold_weight_norm(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Replace length ``g`` and direction ``v`` of normalised weights by the weight, ``g · v / ‖v‖``."""
    found = dict(tensors)
    for length, direction in _NORMALISED:
        for name in [name for name in tensors if name.endswith(length)]:
            stem = name.removesuffix(length)
            g, v = tensors[name], tensors.get(stem + direction)
            if v is None or len(v.shape) != len(g.shape) or any(m not in (1, n) for m, n in zip(g.shape, v.shape)):
                continue
            del found[name], found[stem + direction]
            found[f"{stem}.weight"] = StoredTensor(v.shape, "float32", v.file, _Product(g, v))
    return found


@dataclass(frozen=True)
class _Product:
    length: StoredTensor
    direction: StoredTensor

    def __call__(self) -> np.ndarray:
        g, v = self.length.read().astype(np.float64), self.direction.read().astype(np.float64)
        axes = tuple(axis for axis, count in enumerate(g.shape) if count == 1)
        return (g * v / np.sqrt(np.sum(np.square(v), axis=axes, keepdims=True))).astype(np.float32)


def _as_here(values: np.ndarray, path: str, here: tuple[int, ...]) -> np.ndarray:
    """Turn ``(outputs, inputs, kernel)`` round, and join the latter two where they are one axis here."""
    return np.ascontiguousarray(values.T if path.endswith("/kernel") else values).reshape(here)


def _shape_there(path: str, here: tuple[int, ...], there: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that a tensor of a checkpoint should have.

    Args:
        path: of the weight here.
        here: its shape.
        there: the shape that the tensor has; of a convolution, the last number is the width of the kernel.
    """
    if not path.endswith("/kernel"):
        return here
    joined = len(there) == 3 and len(here) == 2 and there[2] > 0 and here[0] % there[2] == 0
    return (here[1], here[0] // there[2], there[2]) if joined else here[::-1]
