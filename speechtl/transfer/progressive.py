"""Progressive networks: a new encoder with lateral connections from frozen encoders of other experiments."""

import time
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import tensorflow as tf
from pydantic import Field, field_validator

from speechtl.batches.source import Source
from speechtl.config import parse, read_toml
from speechtl.errors import ModelError, list_problems
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.restore import below, restore, restores
from speechtl.models.weights import assign
from speechtl.transfer.method import TransferMethod, source_weights

# Batch that is timed: utterances and feature frames.
_TIMED = (8, 400)


class Progressive(TransferMethod):
    """Progressive neural networks (Rusu et al. 2016).

    The encoders of other experiments ("columns") run in parallel on the same features, frozen and without dropout.
    After each block, an adapter of the columns' outputs there is added: ``h + relu([α_1 h_1, ...] · V + b) · U``. ``U``
    is initialised to zero, so training starts from a new encoder alone; list `FineTuning` before to initialise that.
    The columns, including columns of theirs, become part of the new experiment, which no longer needs its sources.
    Their heads do not: the sources remain as they are.

    Attributes:
        columns: experiment directories with this encoder and these features.
        lateral: width of the adapters.
    """

    method: Literal["progressive"] = "progressive"
    columns: tuple[str, ...] = Field(min_length=1)
    lateral: int = Field(default=32, gt=0)

    @field_validator("columns", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Attach the columns and the adapters.

        Raises:
            ModelError: a source is unfinished or has another encoder, or the model has columns already.
        """
        if model.columns:
            raise ModelError("progressive: the model has columns already; name all of them in one table")
        problems = []
        for source in self.columns:
            path = ExperimentLayout(source).config
            theirs = parse(ModelConfig, read_toml(path).get("model", {}), f"{path}: [model]").encoder
            if theirs != model.config.encoder:
                problems.append(f"{path}: [model.encoder] is {theirs!r}, here it is {model.config.encoder!r}")
        if problems:
            heading = "progressive: columns must have the encoder of this experiment; copy that table"
            raise ModelError(list_problems(heading, problems))
        for source in self.columns:
            column = AcousticModel(model.config, model.inputs, {})
            arrays = encoder_arrays(source_weights(source))
            restore(column, arrays, source)
            assign(column.variables(), arrays, source)
            model.add_column(column)
        model.add_laterals(self.lateral)
        return model

    def reads(self, model: AcousticModel) -> tuple[str, ...]:
        """Return ``"input"``, which the columns run on."""
        return ("input",)

    def attach(self, model: AcousticModel, sources: Sequence[Source]) -> None:
        """Log how much the model has grown, in parameters and in time."""
        print(growth(model), flush=True)

    def sources(self) -> tuple[str, ...]:
        """Return the sources."""
        return self.columns

    def with_sources(self, places: Mapping[str, str]) -> "Progressive":
        """Return this method with its columns elsewhere."""
        return self.model_copy(update={"columns": tuple(places[source] for source in self.columns)})


def encoder_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights of an encoder and of the layers attached to it, without heads and auxiliary layers."""
    return {name: array for name, array in arrays.items() if not name.startswith(("heads/", "auxiliary/"))}


@restores("columns")
def _restore_columns(model: AcousticModel, arrays: Mapping[str, np.ndarray], origin: str) -> None:
    if model.columns:
        return
    columns: dict[int, dict[str, np.ndarray]] = {}
    for name, array in below("columns", arrays).items():
        number, _, path = name.partition("/")
        columns.setdefault(int(number), {})[path] = array
    for count in sorted(columns):
        column = AcousticModel(model.config, model.inputs, {})
        restore(column, columns[count], f"{origin}: columns/{count}")
        model.add_column(column)
    place = f"laterals/{model.block_names[0]}/down"
    if place not in arrays:
        raise ModelError(f"{origin}: columns without {place}; the file is damaged")
    model.add_laterals(arrays[place].shape[1])


def growth(model: AcousticModel) -> str:
    """Describe the cost of the columns: parameters, and time of a forward pass with and without them."""
    counts = {"columns": 0, "laterals": 0, "new": 0}
    for name, variable in model.variables().items():
        counts[name.split("/")[0] if name.startswith(("columns/", "laterals/")) else "new"] += int(
            np.prod(variable.shape)
        )
    alone = AcousticModel(model.config, model.inputs, {})
    with_columns, without = _seconds(model), _seconds(alone)
    total = sum(counts.values())
    return (
        f"progressive: {len(model.columns)} frozen column{'s' * (len(model.columns) > 1)} of {counts['columns']:,} "
        f"parameters, adapters of {counts['laterals']:,}, new column of {counts['new']:,}: "
        f"{total / counts['new']:.2f} times the parameters; encoder {1000 * with_columns:.0f} ms for a batch of "
        f"{_TIMED[0]} x {_TIMED[1]} frames, {1000 * without:.0f} ms alone: {with_columns / without:.2f} times the time"
    )


def _seconds(model: AcousticModel) -> float:
    """Return the shortest time of some forward passes."""
    features = tf.zeros((*_TIMED, model.inputs))
    lengths = tf.fill((_TIMED[0],), _TIMED[1])
    run = tf.function(lambda: model.encode(features, lengths).outputs[model.block_names[-1]], autograph=False)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        run().numpy()
        times.append(time.perf_counter() - start)
    return min(times[1:])
