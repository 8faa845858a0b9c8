"""Transfer of some encoder blocks from another model."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import assign
from speechtl.transfer.method import TransferMethod, choose_blocks, source_inventories, source_weights


class LayerTransfer(TransferMethod):
    """Copy ``blocks`` of ``source`` and freeze them, or continue training them if ``trainable`` (Yosinski et al. 2014).

    Private blocks of these names (see `Multitask`) are copied as well. All other weights remain as they are: new, or
    set by a method listed before.

    Attributes:
        source: experiment directory.
        blocks: ``"first:3"`` (from the features), ``"last:3"`` (from the heads), ``"all"`` or names of encoder blocks.
            Heads are not counted.
        heads: also copy (and freeze) the heads that both models have, which then have the phones of the source.
        trainable: train the copied layers.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {"learning_rate": 2e-2, "blocks": "first:2"}

    method: Literal["layer_transfer"] = "layer_transfer"
    source: str
    blocks: str | tuple[str, ...]
    heads: bool = False
    trainable: bool = False

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Copy and freeze.

        Raises:
            ModelError: unknown blocks, blocks of other shapes in the source (all weights listed), or no head in common.
        """
        arrays = source_weights(self.source)
        # Path in the source by path in this model.
        chosen = _places(model, choose_blocks(model, self.blocks), arrays)
        if self.heads:
            common = [f"heads/{name}" for name in model.heads if name in source_inventories(self.source)]
            if not common:
                raise ModelError(f"{self.source}: has no head for {', '.join(model.heads)}; leave out heads = true")
            chosen |= {path: path for path in common}
        prefixes = tuple(f"{path}/" for path in chosen)
        ours = {name: variable for name, variable in model.variables().items() if name.startswith(prefixes)}
        theirs = {
            here + name.removeprefix(there): array
            for here, there in chosen.items()
            for name, array in arrays.items()
            if name.startswith(f"{there}/")
        }
        assign(ours, theirs, self.source)
        if not self.trainable:
            for path, layer in model.layers():
                if path in chosen:
                    layer.trainable = False
        return model

    def sources(self) -> tuple[str, ...]:
        """Return the source."""
        return (self.source,)

    def keeps_head(self, head: str) -> bool:
        """Whether heads are copied."""
        return self.heads


def _places(model: AcousticModel, blocks: list[str], arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return the paths of blocks here, private ones included, and in the source, which may have shared ones instead."""
    places = {f"encoder/{name}": f"encoder/{name}" for name in blocks}
    for language, private in model.private.items():
        for name in [name for name in blocks if name in private]:
            path = f"private/{language}/{name}"
            is_private = any(key.startswith(f"{path}/") for key in arrays)
            places[path] = path if is_private else f"encoder/{name}"
    return places
