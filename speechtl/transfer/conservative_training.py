"""Fine-tuning with a penalty on the distance to the source model."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import tensorflow as tf
from pydantic import Field

from speechtl.errors import ModelError, list_problems
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.frozen import frozen_blocks, weights_of
from speechtl.models.weights import arrays_of
from speechtl.transfer.method import Step, TransferMethod, load_source, source_inventories


class ConservativeTraining(TransferMethod):
    """Add a penalty on the distance to ``source``, which is attached as a frozen teacher and not stored.

    ``distance = "output"`` (Yu et al. 2013) adds, for every utterance, ``weight · Σ KL(posteriors of the source ‖
    posteriors)`` over its frames, in batches of the languages for which both models have a head. The source sees the
    same augmented features, without dropout.

    ``distance = "parameter"`` (L2-SP, Li et al. 2018) adds ``weight · ‖θ − θ_source‖²`` over the trained weights of the
    encoder and of the heads that both models have.

    The method does not copy weights: list it after `FineTuning` to start from the source.

    Attributes:
        source: experiment directory.
        distance: of the outputs or of the weights.
        weight: of the penalty; 0 disables the method.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {"learning_rate": 2e-2}

    method: Literal["conservative_training"] = "conservative_training"
    source: str
    distance: Literal["output", "parameter"] = "output"
    weight: float = Field(default=1.0, ge=0)

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Attach the source.

        Raises:
            ModelError: the models have no head in common, or weights of other shapes.
        """
        if self.weight == 0:
            return model
        if self.source not in model.teachers:
            model.teachers[self.source] = load_source(self.source, model.inputs)
        source = model.teachers[self.source]
        common = model.heads.keys() & source.heads.keys()
        if not common and self.distance == "output":
            raise ModelError(
                f"{self.source}: has heads for {', '.join(source.heads)}, none for {', '.join(model.heads)}, so there "
                'are no posteriors to stay near; use distance = "parameter"'
            )
        problems = [
            f"heads/{head}: {model.heads[head].units} units here, {source.heads[head].units} in the source"
            for head in sorted(common)
            if model.heads[head].units != source.heads[head].units
        ]
        if self.distance == "parameter":
            problems += _differences(model, source)
        if problems:
            raise ModelError(list_problems(f"{self.source}: cannot measure the distance to this model", problems))
        return model

    def reads(self, model: AcousticModel) -> tuple[str, ...]:
        """Return nothing where the source has the blocks that stay frozen here, and so can share their outputs."""
        if self.weight == 0 or self.distance == "parameter":
            return ()
        return () if _same_start(model, model.teachers[self.source]) else ("input",)

    def loss_terms(self, step: Step) -> dict[str, tf.Tensor]:
        """Return the penalty, ``kl`` or ``l2_sp``."""
        if self.weight == 0:
            return {}
        source = step.model.teachers[self.source]
        if self.distance == "parameter":
            theirs = source.variables()
            squares = [
                tf.reduce_sum(tf.square(variable.value - theirs[name].value))
                for name, variable in step.model.trainable_variables().items()
                if name in theirs
            ]
            return {"l2_sp": self.weight * tf.add_n(squares)}
        head = step.model.head_name(step.language)
        if head not in source.heads:
            return {}
        source = source.after_frozen(step.model.given)
        anchor = source.encode(step.batch.features, step.batch.lengths, language=step.language)
        target = tf.stop_gradient(tf.nn.log_softmax(source.logits(anchor, head)))
        frames = kl_divergence(target, tf.nn.log_softmax(step.logits))
        encoded = step.encoded
        valid = tf.sequence_mask(encoded.lengths[encoded.last], tf.shape(frames)[1], dtype=frames.dtype)
        return {"kl": self.weight * tf.reduce_mean(tf.reduce_sum(frames * valid, axis=1))}

    def sources(self) -> tuple[str, ...]:
        """Return the source."""
        return (self.source,)

    def keeps_head(self, head: str) -> bool:
        """Whether posteriors or weights of the head are compared with the source's."""
        return self.weight > 0 and head in source_inventories(self.source)


def kl_divergence(target: tf.Tensor, log_posteriors: tf.Tensor) -> tf.Tensor:
    """Return ``Σ p (log p − log q)`` over units: ``(batch, frames, units)`` twice to ``(batch, frames)``, in nats."""
    return tf.reduce_sum(tf.exp(target) * (target - log_posteriors), axis=-1)


def _same_start(model: AcousticModel, source: AcousticModel) -> bool:
    """Whether the blocks of a model that stay frozen are the same in its source, and so are their weights."""
    blocks = frozen_blocks(model)
    # Dilations and the like are not in the weights.
    if blocks and (model.config.encoder, model.config.precision) != (source.config.encoder, source.config.precision):
        return False
    if frozen_blocks(source)[: len(blocks)] != blocks:
        return False
    ours, theirs = arrays_of(weights_of(model, blocks)), arrays_of(weights_of(source, blocks))
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def _differences(model: AcousticModel, source: AcousticModel) -> list[str]:
    """List the reasons why the trained weights of two models cannot be compared."""
    ours, theirs = model.variables(), source.variables()
    problems = [
        f"{name}: shape {tuple(ours[name].shape)} here, {tuple(theirs[name].shape)} in the source"
        for name in sorted(ours.keys() & theirs.keys())
        if ours[name].shape != theirs[name].shape
    ]
    encoder = {name for name in ours.keys() ^ theirs.keys() if name.startswith(("encoder/", "private/"))}
    problems += [f"{name}: {'not in the source' if name in ours else 'in the source only'}" for name in sorted(encoder)]
    if not model.trainable_variables().keys() & theirs.keys():
        problems.append("no weight that both have is trained")
    return problems
