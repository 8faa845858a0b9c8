"""Small layers for one speaker on top of a model that stays as it is."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from pydantic import Field

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.speaker_layers import attach, restore
from speechtl.models.weights import arrays_of, assign, load_arrays, save_arrays
from speechtl.transfer.method import TransferMethod, choose_blocks, freeze

_STATS = "cmvn"


class SpeakerLayers(TransferMethod):
    """Freeze the model and attach layers that alone are trained; they start as the identity, to the bit.

    List it behind `FineTuning`, which gives the model to be frozen. Several tables may follow each other.

    Attributes:
        kind: ``lhuc``, an amplitude per unit behind each block (Swietojanski et al. 2016); ``lin``, a linear layer, on
            the features if no blocks are named (Neto et al. 1995); ``adapter``, a residual bottleneck behind each block
            (Houlsby et al. 2019); ``lora``, low-rank additions to the linear layers of each block (Hu et al. 2022).
        blocks: ``"all"``, ``"first:3"``, ``"last:3"`` or names; ``"input"`` for a layer on the features.
        rank: width of ``adapter`` and ``lora``.
    """

    method: Literal["speaker_layers"] = "speaker_layers"
    kind: Literal["lhuc", "lin", "adapter", "lora"] = "lhuc"
    blocks: str | tuple[str, ...] | None = None
    rank: int = Field(default=4, gt=0)

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Freeze and attach.

        Raises:
            ModelError: unknown blocks, or a block in which the kind has no place.
        """
        blocks = self.blocks or ("input" if self.kind == "lin" else "all")
        places = ["input"] if blocks in ("input", ("input",)) else choose_blocks(model, blocks)
        freeze(model, but=frozenset(model.speaker_paths))
        for place in places:
            model.speaker_paths += attach(model, self.kind, place, self.rank)
        return model


def speaker_variables(model: AcousticModel) -> dict[str, keras.Variable]:
    """Return the weights that belong to the speaker, by path."""
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
    """Return a digest of all weights that do not belong to the speaker."""
    own = speaker_variables(model)
    return _digest({name: np.asarray(v.value) for name, v in model.variables().items() if name not in own})


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()[:32]
