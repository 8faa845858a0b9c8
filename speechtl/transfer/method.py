"""What every transfer method is: a frozen section with two hooks."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from speechtl.batches.pipeline import Batch
from speechtl.config import Section
from speechtl.errors import ModelError
from speechtl.lang.phones import PhoneInventory
from speechtl.models.acoustic_model import AcousticModel, Encoded
from speechtl.models.weights import load_arrays


class TransferMethod(Section):
    """One ``[[transfer]]`` table. Its fields are its TOML keys; it holds numbers, the model holds tensors.

    ``prepare`` calls run in the listed order before training; ``loss_terms`` are named, summed with the CTC loss and
    logged under their names.
    """

    method: str

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Change the model before training: copy weights, freeze, attach layers."""
        return model

    def loss_terms(
        self, model: AcousticModel, batch: Batch, encoded: Encoded, progress: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Return extra loss terms of a batch, each a scalar per utterance on average.

        Args:
            model: the model in training.
            batch: the batch.
            encoded: every block's output in the one forward pass.
            progress: how much of the training is done, in [0, 1].
        """
        return {}

    def sources(self) -> tuple[str, ...]:
        """Return the experiment directories that this method borrows from."""
        return ()


def source_weights(source: str) -> dict[str, np.ndarray]:
    """Return the weights of a finished experiment.

    Raises:
        ModelError: the experiment is missing, unfinished or damaged.
    """
    path = Path(source) / "weights.h5"
    if not path.is_file():
        raise ModelError(f"{path}: missing; source must be a finished experiment directory, train {source} first")
    return load_arrays(path)[0]


def source_inventories(source: str) -> dict[str, PhoneInventory]:
    """Return the phone inventories of an experiment, by language."""
    return {path.stem: PhoneInventory.load(path) for path in sorted((Path(source) / "phones").glob("*.txt"))}
