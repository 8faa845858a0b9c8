"""Which weights learn how fast, and from which epoch on."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import keras

from speechtl.errors import ConfigError, ModelError, list_problems
from speechtl.models.acoustic_model import AcousticModel
from speechtl.transfer.method import choose_blocks


def rate_factors(model: AcousticModel, rates: Mapping[str, float], layer_decay: float) -> dict[str, float]:
    """Return the factor of the learning rate of each trained weight, by path.

    Args:
        model: prepared by every method.
        rates: factors by shell-style patterns over weight paths; of several that match, the last counts.
        layer_decay: factor between a block and the one below it, times that of ``rates`` (discriminative fine-tuning,
            Howard & Ruder 2018). The top block of ``[model.encoder]``, what stands on it and attached layers have 1.

    Raises:
        ConfigError: patterns that match no trained weight.
    """
    trained = model.trainable_variables()
    unused = [pattern for pattern in rates if not any(fnmatchcase(path, pattern) for path in trained)]
    if unused:
        raise ConfigError(
            list_problems(f"rates: patterns that match no trained weight; there are {_folders(trained)}", unused)
        )
    depth = {name: number for number, name in enumerate(reversed(model.core))}
    factors = {}
    for path in trained:
        given = [rate for pattern, rate in rates.items() if fnmatchcase(path, pattern)]
        factors[path] = (given[-1] if given else 1.0) * layer_decay ** depth.get(_block(path), 0)
    return factors


def first_epochs(model: AcousticModel, unfreeze: Mapping[str, int]) -> dict[str, int]:
    """Return the epochs (counted from 1) from which weights of blocks learn, by path; others learn from the start.

    Args:
        model: prepared by every method.
        unfreeze: epochs by blocks, as in `choose_blocks`; of several that name a block, the last counts. Private blocks
            are named with the shared ones; layers attached to a block learn from the start.

    Raises:
        ConfigError: unknown blocks, or blocks of which nothing is trained.
    """
    epochs: dict[str, int] = {}
    for blocks, epoch in unfreeze.items():
        try:
            epochs |= dict.fromkeys(choose_blocks(model, blocks), epoch)
        except ModelError as error:
            raise ConfigError(f"unfreeze: {error}") from error
    found = {path: epochs[_block(path)] for path in model.trainable_variables() if _block(path) in epochs}
    idle = epochs.keys() - {_block(path) for path in found}
    if idle:
        names = [name for name in model.block_names if name in idle]
        raise ConfigError(list_problems("unfreeze: blocks that the transfer methods have frozen for good", names))
    return found


def _block(path: str) -> str:
    """Return the block that a weight is in; empty for those of heads and attached layers."""
    folder, *steps = path.split("/")
    return {"encoder": steps[0], "private": steps[1]}.get(folder, "") if len(steps) > 1 else ""


def _folders(variables: Mapping[str, keras.Variable]) -> str:
    """Return the patterns of all weights, as short as they are useful."""
    return ", ".join(dict.fromkeys("/".join(path.split("/")[:2]) + "/*" for path in variables))
