"""The base of all transfer methods: a frozen section of the config with a few hooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from speechtl.batches.pipeline import Batch
from speechtl.batches.source import Source
from speechtl.config import Section, parse, read_toml
from speechtl.errors import ModelError, list_problems
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.encoder import Encoded
from speechtl.models.restore import restore
from speechtl.models.weights import assign, load_arrays


@dataclass(frozen=True)
class Step:
    """One forward pass of the model in training, and what it was computed from.

    Attributes:
        model: the model being trained.
        batch: utterances of one language, with the features as they were before any method's ``inputs``.
        encoded: the output of every encoder block.
        logits: ``(batch, frames, units)`` of the head of this language.
        language: of the batch.
        progress: scalar, fraction of the training completed, in [0, 1].
    """

    model: AcousticModel
    batch: Batch
    encoded: Encoded
    logits: tf.Tensor
    language: str
    progress: tf.Tensor


class TransferMethod(Section):
    """One ``[[transfer]]`` table. Its fields are its TOML keys; it holds numbers, the model holds tensors.

    Before training, all ``prepare`` calls run in the listed order, then all ``attach`` calls. ``inputs`` changes the
    features between batch and encoder. ``loss_terms`` are added to the CTC loss and logged by name, ``measures`` are
    only logged. ``finish`` calls run in the listed order after training.

    Attributes:
        stored_alone: class attribute, whether the trained weights are stored in a file of their own, without the model.
        adaptation: class attribute, the settings with which ``speechtl adapt`` offers the method, chosen for ten
            utterances; None if it is no method of speaker adaptation.
        method: name of the method; the only value of the field in each subclass.
    """

    stored_alone: ClassVar[bool] = False
    adaptation: ClassVar[Mapping[str, Any] | None] = None

    method: str

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Change the model before training: copy weights, freeze, attach layers."""
        return model

    def attach(self, model: AcousticModel, sources: Sequence[Source]) -> None:
        """Attach layers that depend on the training speech; runs after every ``prepare``.

        Args:
            model: the model, prepared.
            sources: the training speech, one source per language.
        """

    def inputs(self, model: AcousticModel, features: tf.Tensor, batch: Batch, seed: tf.Tensor | None) -> tf.Tensor:
        """Return the encoder's input for a batch, in training and when a loss is computed on held-out speech.

        Args:
            model: the model in training.
            features: ``(batch, frames, bins)``, as changed by the methods listed before this one.
            batch: the batch, with the original features.
            seed: ``(2,)`` int32 of this update, as `Encoded.seed`; None for evaluation.
        """
        return features

    def reads(self, model: AcousticModel) -> tuple[str, ...]:
        """Return what the method looks at in a forward pass besides the logits: names of blocks, or ``"input"``.

        ``"input"`` stands for the features. A method that changes them, or runs another model on them, needs them, and
        then no frozen block can be left out of the pass (`speechtl.training.frozen_outputs`).

        Args:
            model: prepared by every method.
        """
        return () if type(self).inputs is TransferMethod.inputs else ("input",)

    def teacher_blocks(self) -> Mapping[str, tuple[str, ...]]:
        """Return what the method compares with in `loss_terms`: by the name of a teacher, some of its blocks.

        Teachers hear the features without augmentation. `Batch.targets` has either these, under ``"input"``, or the
        outputs of the blocks, side by side in the order of the encoder, under the name of the teacher.
        """
        return {}

    def loss_terms(self, step: Step) -> dict[str, tf.Tensor]:
        """Return additional loss terms, by name: each a scalar, averaged over the utterances of the batch."""
        return {}

    def measures(self, step: Step) -> dict[str, tf.Tensor]:
        """Return values that are logged but not trained on (a classifier's accuracy, say): each a scalar mean.

        Whatever `loss_terms` computes as well is computed once, since both are traced into one graph.
        """
        return {}

    def finish(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return the final weights, given the trained ones: by path, the mean of the kept epochs."""
        return arrays

    def sources(self) -> tuple[str, ...]:
        """Return the source experiments of this method."""
        return ()

    def with_sources(self, places: Mapping[str, str]) -> "TransferMethod":
        """Return this method with its sources elsewhere; a method whose sources are not in ``source`` overrides it.

        Args:
            places: by source, the experiment directory to take in its place.
        """
        source = getattr(self, "source", None)
        return self if source is None else self.model_copy(update={"source": places[source]})

    def keeps_head(self, head: str) -> bool:
        """Whether the method requires that a head, and so its phones, be that of the sources."""
        return False


def source_weights(source: str) -> dict[str, np.ndarray]:
    """Return the weights of a finished experiment.

    Raises:
        ModelError: the experiment is missing, unfinished or damaged.
    """
    path = ExperimentLayout(source).weights
    if not path.is_file():
        raise ModelError(f"{path}: missing; source must be a finished experiment directory, train {source} first")
    return load_arrays(path)[0]


def source_inventories(source: str) -> dict[str, PhoneInventory]:
    """Return the phone inventories of an experiment, by head."""
    return {head: PhoneInventory.load(path) for head, path in ExperimentLayout(source).phone_tables().items()}


def load_source(source: str, inputs: int) -> AcousticModel:
    """Build the model of a finished experiment, with its weights and attached layers, frozen.

    Args:
        source: the experiment directory.
        inputs: feature bins.

    Raises:
        ConfigError, ModelError: the experiment is missing, unfinished or damaged.
    """
    path = ExperimentLayout(source).config
    table = read_toml(path)
    config = parse(ModelConfig, table.get("model", {}), f"{path}: [model]")
    heads = {data["language"]: data.get("head", data["language"]) for data in table.get("data", [])}
    model = AcousticModel(config, inputs, source_inventories(source), heads)
    arrays = source_weights(source)
    restore(model, arrays, source)
    assign(model.variables(), arrays, str(ExperimentLayout(source).weights))
    freeze(model)
    return model


def freeze(model: AcousticModel, but: frozenset[str] = frozenset()) -> None:
    """Freeze every layer whose path is not in ``but``."""
    for path, layer in model.layers():
        if path not in but:
            layer.trainable = False


def choose_blocks(model: AcousticModel, blocks: str | tuple[str, ...]) -> list[str]:
    """Return the names of the encoder blocks that an expression denotes, in the encoder's order.

    Heads are not counted; the subsampling is the first block.

    Args:
        model: the model.
        blocks: ``"all"``; ``"encoder"``, those of ``[model.encoder]`` without what stands on top of them;
            ``"first:3"``, counted from the features, or ``"last:3"``, from the heads; or names, in a list or separated
            by commas.

    Raises:
        ModelError: unknown names (all listed), more blocks than there are, or another expression.
    """
    names = model.block_names
    if blocks == "all":
        return names
    if blocks == "encoder":
        return list(model.core)
    if isinstance(blocks, str) and ":" in blocks:
        side, _, text = blocks.partition(":")
        if side not in ("first", "last") or not text.isdecimal() or not 1 <= int(text) <= len(names):
            raise ModelError(
                f"blocks '{blocks}': expected first:N or last:N with N from 1 to {len(names)} (heads are not counted), "
                f"or names of: {', '.join(names)}"
            )
        return names[: int(text)] if side == "first" else names[-int(text) :]
    wanted = [name.strip() for name in blocks.split(",")] if isinstance(blocks, str) else list(blocks)
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise ModelError(list_problems(f"blocks: not in this encoder, which has: {', '.join(names)}", unknown))
    return [name for name in names if name in wanted]
