"""Which blocks at the start of an encoder stay as they are while it is trained."""

import keras

from speechtl.models.acoustic_model import AcousticModel


def frozen_blocks(model: AcousticModel, *, dropout: bool = True) -> list[str]:
    """Return the first blocks of a model, as many as give the same outputs as long as training lasts.

    These are blocks without trained weights, private versions, and trained layers after or within them.

    Args:
        model: prepared by every method.
        dropout: whether blocks with dropout count, which only without it give the same outputs.
    """
    if model.columns or _trained(model.after.get("input", ())):
        return []
    private = {name for blocks in model.private.values() for name in blocks}
    names = []
    for block in model.blocks:
        layers = [block, *model.after.get(block.name, ())]
        for place, attached in model.within.items():
            layers += attached if place.split("/")[0] == block.name else []
        if block.name in private or _trained(layers) or (block.rate > 0 and not dropout):
            break
        names.append(block.name)
    # What a block puts beyond the valid frames is not stored.
    while names and len(names) < len(model.blocks) and model.blocks[len(names)].attend_to_padding:
        names.pop()
    return names


def weights_of(model: AcousticModel, blocks: list[str]) -> dict[str, keras.Variable]:
    """Return the weights that the outputs of the first blocks of a model depend on, by path."""
    prefixes = tuple(f"{slot}/{name}/" for name in blocks for slot in ("encoder", "after", "within"))
    prefixes = (*prefixes, "after/input/") if blocks else ()
    return {path: variable for path, variable in model.variables().items() if path.startswith(prefixes)}


def _trained(layers: "list[keras.layers.Layer] | tuple[()]") -> bool:
    return any(layer.trainable_variables for layer in layers)
