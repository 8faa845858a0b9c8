"""Checkpoints: the state of a training run, with everything that exact resumption needs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from speechtl.errors import ModelError
from speechtl.models.weights import arrays_of, load_arrays, save_arrays


@dataclass
class Progress:
    """The state of a training run.

    Attributes:
        epoch: epochs finished.
        position: batches done of the next epoch.
        step: updates made.
        loss_sum: sum of the losses of this epoch's utterances so far.
        loss_count: their number.
        values: of everything else that steps log, by name, the sum over utterances so far and their number.
        history: one entry per finished epoch: ``epoch``, ``train_loss``, means of ``values``, ``dev_loss``,
            ``dev_per``.
        choices: by language, by utterance id, the index of every word's pronunciation in training.
        logged: lines of the log that belong to it; -1 if that is not known.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    values: dict[str, list[float]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    choices: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    logged: int = -1

    def add(self, values: Mapping[str, float], utterances: int) -> None:
        """Add the values that a step logged besides its criterion: loss terms and measures of the methods."""
        for name, value in values.items():
            if name not in ("loss", "ctc", "framewise", "gradient_norm"):
                before, count = self.values.get(name, [0.0, 0])
                self.values[name] = [before + value * utterances, count + utterances]

    @property
    def train_loss(self) -> float:
        """Mean loss of this epoch's utterances so far."""
        return self.loss_sum / max(self.loss_count, 1)

    def means(self) -> dict[str, float]:
        """Return the means over this epoch's utterances so far."""
        return {name: total / count for name, (total, count) in self.values.items()}


def save_state(
    path: Path,
    progress: Progress,
    variables: dict[str, keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    frozen: str = "",
) -> None:
    """Write the trained weights, optimizer state and progress to one file, atomically.

    Args:
        path: the file.
        progress: of the run.
        variables: the trained weights; those of a large frozen encoder would take longer to write than an epoch lasts.
        optimizer: of the run.
        frozen: fingerprint of the weights that are not trained.
    """
    arrays = {f"model/{name}": value for name, value in arrays_of(variables).items()}
    for number, variable in enumerate(optimizer.variables):
        arrays[f"optimizer/{number:05d}"] = np.asarray(variable.value)
    save_arrays(path, arrays, {"progress": json.dumps(asdict(progress), ensure_ascii=False), "frozen": frozen})


def load_state(
    path: Path, variables: dict[str, keras.Variable], optimizer: keras.optimizers.Optimizer, frozen: str = ""
) -> Progress:
    """Read what `save_state` wrote into the variables.

    Raises:
        ModelError: the file does not fit this model or optimizer, or the frozen weights are others than they were.
    """
    arrays, attributes = load_arrays(path)
    targets = {f"model/{name}": variable for name, variable in variables.items()}
    targets |= {f"optimizer/{number:05d}": variable for number, variable in enumerate(optimizer.variables)}
    if targets.keys() != arrays.keys():
        raise ModelError(f"{path}: saved by a run with another model or optimizer; use a new experiment directory")
    if attributes.get("frozen") != frozen:
        raise ModelError(
            f"{path}: the frozen weights are no longer those that this training began with (has its source changed?); "
            "use a new experiment directory, or delete this one to start over"
        )
    for name, variable in targets.items():
        variable.assign(arrays[name])
    return Progress(**json.loads(str(attributes["progress"])))
