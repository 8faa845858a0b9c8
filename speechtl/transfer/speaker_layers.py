"""What all speaker layers share: a frozen model, small trained layers, and a file that holds these alone."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.restore import restore
from speechtl.models.weights import arrays_of, assign, load_arrays, save_arrays
from speechtl.transfer.method import TransferMethod, choose_blocks, freeze

_STATS = "cmvn"


class SpeakerLayers(TransferMethod):
    """Freeze the model and attach layers that alone are trained; they are initialised to the identity (bit-exact).

    Base class of one method for each kind of layer. List it after `FineTuning`, which provides the model to be frozen.
    Several such tables may follow each other.

    Attributes:
        blocks: ``"all"``, ``"first:3"``, ``"last:3"`` or names; ``"input"`` for a layer on the features.
    """

    stored_alone: ClassVar[bool] = True

    blocks: str | tuple[str, ...] = "all"

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Freeze and attach.

        Raises:
            ModelError: unknown blocks, or a block in which such a layer has no place.
        """
        places = ["input"] if self.blocks in ("input", ("input",)) else choose_blocks(model, self.blocks)
        freeze(model, but=frozenset(model.speaker_paths))
        for place in places:
            model.speaker_paths += self.insert(model, place)
        return model

    def insert(self, model: AcousticModel, place: str) -> list[str]:
        """Insert layers at a place: by default, one after the block.

        Args:
            model: the model.
            place: name of a block, or ``"input"`` for the features.

        Returns:
            Paths of the new layers, as in `AcousticModel.layers`: ``after/tdnn1/lhuc1``, where the number counts the
            layers at one place in the order in which they act.

        Raises:
            ModelError: no such block, or no place for such a layer in it.
        """
        size = model.size_at(place)
        attached = model.after.setdefault(place, [])
        attached.append(self.layer(size, f"{self.method}{len(attached) + 1}"))
        return [f"after/{place}/{attached[-1].name}"]

    def layer(self, size: int, name: str) -> keras.layers.Layer:
        """Return a new layer ``(batch, frames, size)`` to ``(batch, frames, size)``, the identity at first."""
        raise NotImplementedError


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
    marks = {"source": str(source), "fingerprint": fingerprint(model)}
    arrays = arrays_of(speaker_variables(model))
    save_arrays(path, arrays if stats is None else arrays | {_STATS: stats}, marks)


def load_speaker(path: str | Path, model: AcousticModel) -> np.ndarray | None:
    """Attach a speaker's layers to the model they were trained on.

    Returns:
        The ``stats`` that `save_speaker` was given.

    Raises:
        ModelError: the file is missing or damaged, or belongs to another model.
    """
    arrays, marks = load_arrays(path)
    if marks.get("fingerprint") != fingerprint(model):
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
