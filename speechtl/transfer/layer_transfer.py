"""Copy some blocks of another model."""

from typing import Literal

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import assign
from speechtl.transfer.method import TransferMethod, choose_blocks, source_inventories, source_weights


class LayerTransfer(TransferMethod):
    """Copy ``blocks`` of ``source`` and keep them as they are, or train them on if ``trainable``.

    After Yosinski et al. 2014. ``blocks`` is ``"first:3"`` (from the features), ``"last:3"`` (from the heads),
    ``"all"`` or names of encoder blocks. Heads are not counted. ``heads = true`` copies (and freezes) also the heads
    that both models have, which then have the source's phones. Whatever is not copied keeps the weights it had: fresh
    ones, or those of a method listed before.
    """

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
        chosen = [f"encoder/{name}" for name in choose_blocks(model, self.blocks)]
        if self.heads:
            common = [f"heads/{name}" for name in model.heads if name in source_inventories(self.source)]
            if not common:
                raise ModelError(f"{self.source}: has no head for {', '.join(model.heads)}; leave out heads = true")
            chosen += common
        prefixes = tuple(f"{path}/" for path in chosen)
        ours = {name: variable for name, variable in model.variables().items() if name.startswith(prefixes)}
        theirs = {name: array for name, array in source_weights(self.source).items() if name.startswith(prefixes)}
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
