"""Copy some blocks of another model."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import assign
from speechtl.transfer.method import TransferMethod, choose_blocks, source_inventories, source_weights


class LayerTransfer(TransferMethod):
    """Copy ``blocks`` of ``source`` and keep them as they are, or train them on if ``trainable``.

    After Yosinski et al. 2014. ``blocks`` is ``"first:3"`` (from the features), ``"last:3"`` (from the heads),
    ``"all"`` or names of encoder blocks. Heads are not counted. Languages' own blocks of these names (see `Multitask`)
    are copied as well. ``heads = true`` copies (and freezes) also the heads that both models have, which then have the
    source's phones. Whatever is not copied keeps the weights it had: fresh ones, or those of a method listed before.
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
        # By path here, the path there.
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
    """Return where blocks, those of a language's own as well, are here and in the source, which may share them."""
    places = {f"encoder/{name}": f"encoder/{name}" for name in blocks}
    for language, own in model.private.items():
        for name in [name for name in blocks if name in own]:
            path = f"private/{language}/{name}"
            has_own = any(key.startswith(f"{path}/") for key in arrays)
            places[path] = path if has_own else f"encoder/{name}"
    return places
