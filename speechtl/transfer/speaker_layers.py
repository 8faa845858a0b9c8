"""What all speaker layers share: a frozen model, small trained layers, and a file that holds these alone."""

import fnmatch
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np

from speechtl.errors import ModelError, list_problems
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.restore import restore
from speechtl.models.weights import arrays_of, assign, load_arrays, save_arrays, stored_size
from speechtl.transfer.method import TransferMethod, choose_blocks, freeze

_STATS = "cmvn"


class SpeakerLayers(TransferMethod):
    """Freeze the model and attach layers that alone are trained; they are initialised to the identity (bit-exact).

    Base class of one method for each kind of layer. List it after `FineTuning`, which provides the model to be frozen.
    Several such tables may follow each other.

    Attributes:
        blocks: ``"all"``, ``"first:3"``, ``"last:3"`` or names; ``"input"`` for a layer on the features.
        train_also: shell-style patterns over paths of layers that learn as well, ``["heads/*", "auxiliary/*"]``, unless
            a method listed before has frozen them: for a new task on a frozen encoder. Not with ``speechtl adapt``,
            which stores the attached layers alone.
    """

    stored_alone: ClassVar[bool] = True

    blocks: str | tuple[str, ...] = "all"
    train_also: tuple[str, ...] = ()

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Freeze and attach.

        Raises:
            ModelError: unknown blocks, a block in which such a layer has no place, or a pattern that matches no layer.
        """
        places = self.places(model)
        learning = set(model.speaker_paths)
        for pattern in self.train_also:
            matching = fnmatch.filter((path for path, _ in model.layers()), pattern)
            if not matching:
                paths = ", ".join(path for path, _ in model.layers())
                raise ModelError(f"{self.method}: train_also: no layer matches '{pattern}'; there are: {paths}")
            learning.update(matching)
        freeze(model, but=frozenset(learning))
        for place in places:
            model.speaker_paths.append(self.insert(model, place))
        return model

    def places(self, model: AcousticModel) -> list[str]:
        """Return where layers are inserted, as in `Encoder.size_at`: by default after each block.

        Raises:
            ModelError: unknown blocks, or a block in which such a layer has no place.
        """
        return ["input"] if self.blocks in ("input", ("input",)) else choose_blocks(model, self.blocks)

    def insert(self, model: AcousticModel, place: str) -> str:
        """Insert a layer.

        Args:
            model: the model.
            place: ``"input"`` for the features, a block, or a linear layer within one (``"tdnn1/conv"``).

        Returns:
            The path of the new layer, as in `AcousticModel.layers`: ``after/tdnn1/lhuc1``, where the number counts the
            layers at one place in the order in which they act.
        """
        if "/" in place:
            inputs, outputs = model.linear_at(place).kernel.shape
            layer = self.layer(inputs, outputs, f"{self.method}{len(model.within.get(place, [])) + 1}")
            model.correct(place, layer)
            return f"within/{place}/{layer.name}"
        size, attached = model.size_at(place), model.after.setdefault(place, [])
        attached.append(self.layer(size, size, f"{self.method}{len(attached) + 1}"))
        return f"after/{place}/{attached[-1].name}"

    def layer(self, inputs: int, outputs: int, name: str) -> keras.layers.Layer:
        """Return a new layer without effect at first: after a block the identity, within a linear layer an addend of 0.

        Args:
            inputs: size of the output of the block, or of the input of the linear layer.
            outputs: of the output of either.
            name: of the layer.
        """
        raise NotImplementedError


def linear_places(model: AcousticModel, blocks: str | tuple[str, ...], layers: str | tuple[str, ...]) -> list[str]:
    """Return the linear layers within blocks, as ``"block/layer"``.

    Args:
        model: the model.
        blocks: as in `choose_blocks`.
        layers: ``"all"``, of every block, where one that has no matrix (nothing but normalisation, or positions) is
            passed over; or names, in a list or separated by commas, wherever the blocks have them.

    Raises:
        ModelError: unknown blocks; blocks whose weights are not those of linear layers; or names that no block has.
    """
    found = {place: list(model.linear_layers(place)) for place in choose_blocks(model, blocks)}
    if layers == "all":
        for place, names in found.items():
            block = model.block(place)
            if not (names or block.passed_over) and any(len(variable.shape) > 1 for variable in block.weights):
                raise ModelError(f"block '{place}' has no linear layer; choose other blocks or another method")
        chosen = {name for names in found.values() for name in names}
    else:
        given = layers.split(",") if isinstance(layers, str) else layers
        chosen = {name.strip() for name in given}
    known = dict.fromkeys(name for names in found.values() for name in names)
    unknown = sorted(chosen - known.keys())
    if unknown or not chosen:
        heading = f"layers: no such linear layers in {', '.join(found)}, which have: {', '.join(known) or 'none'}"
        raise ModelError(list_problems(heading, unknown))
    return [f"{place}/{name}" for place, names in found.items() for name in names if name in chosen]


def speaker_variables(model: AcousticModel) -> dict[str, keras.Variable]:
    """Return the weights of the speaker's layers, by path."""
    prefixes = tuple(f"{path}/" for path in model.speaker_paths)
    return {name: variable for name, variable in model.variables().items() if name.startswith(prefixes)}


def save_speaker(path: str | Path, model: AcousticModel, source: str | Path, stats: np.ndarray | None = None) -> None:
    """Write the speaker's weights alone to ``path``, with the fingerprint of the model that they belong to.

    Args:
        path: the file.
        model: with the speaker's layers.
        source: where the model is.
        stats: ``(2, bins + 1)`` CMVN statistics of the speech that they were trained on, or None.
    """
    save_arrays(path, *_stored(model, source, stats))


def speaker_size(model: AcousticModel) -> int:
    """Return the bytes of the file that `save_speaker` would write, for a source of a short name."""
    return stored_size(*_stored(model, "source", None))


def _stored(
    model: AcousticModel, source: str | Path, stats: np.ndarray | None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    arrays = arrays_of(speaker_variables(model))
    marks = {"source": str(source), "fingerprint": fingerprint(model)}
    return arrays if stats is None else arrays | {_STATS: stats}, marks


def load_speaker(path: str | Path, model: AcousticModel, mark: str | None = None) -> np.ndarray | None:
    """Attach a speaker's layers to the model they were trained on.

    Args:
        path: the file.
        model: the model.
        mark: its fingerprint before it was exported, which may have rounded it; None for a model that was not.

    Returns:
        The ``stats`` that `save_speaker` was given.

    Raises:
        ModelError: the file is missing or damaged, or belongs to another model.
    """
    arrays, marks = load_arrays(path)
    if marks.get("fingerprint") != (mark or fingerprint(model)):
        raise ModelError(
            f"{path}: belongs to another model (trained on {marks.get('source', 'unknown')}); load that one"
        )
    stats = arrays.pop(_STATS, None)
    before = {place for place, _ in model.layers()}
    restore(model, arrays, str(path))
    model.speaker_paths += [place for place, _ in model.layers() if place not in before]
    assign(speaker_variables(model), arrays, str(path))
    return stats


def fingerprint(model: AcousticModel) -> str:
    """Return a digest of all weights but those of the speaker."""
    speaker = speaker_variables(model)
    return _digest({name: np.asarray(v.value) for name, v in model.variables().items() if name not in speaker})


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()[:32]
