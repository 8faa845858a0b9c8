"""Distillation: a small encoder learns the outputs of blocks of a large one."""

from typing import Literal

import tensorflow as tf
from pydantic import Field, field_validator

from speechtl.errors import ModelError, list_problems
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import mask, mean_over_time
from speechtl.transfer.method import Step, TransferMethod, load_source
from speechtl.transfer.self_taught import Predictor


class Distillation(TransferMethod):
    """Predict the outputs of blocks of a teacher, on any speech (DistilHuBERT, Chang et al. 2022).

    For every target a layer predicts the output ``h`` of a block of the teacher from that of a block of the model,
    and the loss of the prediction ``p`` is ::

        mean |p - h| - cosine · log sigmoid(cos(p, h))

    the mean over dimensions, then over the frames of an utterance, utterances and targets. The model may be of any kind
    and size, but must see the features of the teacher. The teacher is frozen, hears the features without augmentation,
    once (``training.cache_frozen``), and is not stored; neither are the prediction layers. Where one of both blocks has
    a frame rate a whole number of times higher, ``p`` or ``h`` of that block is averaged over the frames that one frame
    of the other stands for.

    Transcripts are not used: with ``[[data]] unlabelled`` alone the encoder learns from the teacher alone, and with
    transcripts from CTC as well. ``distillation_cosine_BLOCK_TARGET`` in the log is the mean cosine of a target.

    Attributes:
        source: experiment directory of the teacher.
        pairs: by block of this model, the block of the teacher that it predicts, or several.
        weight: of the loss; 0 disables the method.
        cosine: of the second term, lambda in the paper.
    """

    method: Literal["distillation"] = "distillation"
    source: str
    pairs: dict[str, tuple[str, ...]] = Field(min_length=1)
    weight: float = Field(default=1.0, ge=0)
    cosine: float = Field(default=1.0, ge=0)

    @field_validator("pairs", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {block: (target,) if isinstance(target, str) else target for block, target in value.items()}

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Attach the teacher and the prediction layers.

        Raises:
            ModelError: blocks that a model lacks or whose frame rates do not fit (all listed), or another table with
                the same target.
        """
        if self.weight == 0:
            return model
        if self.source not in model.teachers:
            model.teachers[self.source] = load_source(self.source, model.inputs)
        teacher = model.teachers[self.source]
        problems = [problem for block, target in self._targets() if (problem := _misfit(model, teacher, block, target))]
        if problems:
            raise ModelError(list_problems(f"distillation: pairs that do not fit {self.source}", problems))
        for block, target in self._targets():
            name = _name(block, target)
            if name in model.auxiliary:
                raise ModelError(f"distillation: block '{block}' predicts '{target}' in two tables; drop one")
            predictor = Predictor(model.block(block).output_size, teacher.block(target).output_size, name)
            model.auxiliary[name] = predictor
            model.training_only.append(f"auxiliary/{name}")
        return model

    def reads(self, model: AcousticModel) -> tuple[str, ...]:
        """Return ``"input"``: both models run on features."""
        return ("input",) if self.weight else ()

    def teacher_blocks(self) -> dict[str, tuple[str, ...]]:
        """Return the blocks of the source that are predicted."""
        return {self.source: tuple(dict.fromkeys(target for _, target in self._targets()))} if self.weight else {}

    def loss_terms(self, step: Step) -> dict[str, tf.Tensor]:
        """Return ``distillation``."""
        if self.weight == 0:
            return {}
        losses = []
        for predicted, target, lengths in self._compared(step).values():
            distance = tf.reduce_mean(tf.abs(predicted - target), axis=-1)
            losses.append(
                mean_over_time(distance - self.cosine * tf.math.log_sigmoid(cosine(predicted, target)), lengths)
            )
        return {"distillation": self.weight * tf.reduce_mean(tf.stack(losses))}

    def measures(self, step: Step) -> dict[str, tf.Tensor]:
        """Return the mean cosine of each target, by ``distillation_cosine_BLOCK_TARGET``."""
        if self.weight == 0:
            return {}
        return {
            f"distillation_cosine_{block}_{target}": tf.reduce_mean(mean_over_time(cosine(predicted, there), lengths))
            for (block, target), (predicted, there, lengths) in self._compared(step).items()
        }

    def sources(self) -> tuple[str, ...]:
        """Return the source."""
        return (self.source,)

    def _targets(self) -> list[tuple[str, str]]:
        return [(block, target) for block, targets in self.pairs.items() for target in targets]

    def _compared(self, step: Step) -> dict[tuple[str, str], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        """Return prediction, target (``(batch, frames, size)`` both) and valid frames by block and target."""
        teacher, heard = step.model.teachers[self.source], self._heard(step)
        compared = {}
        for block, target in self._targets():
            predicted = step.model.auxiliary[_name(block, target)](step.encoded.outputs[block])
            there, their_lengths = heard[target]
            ours, theirs = step.model.subsampling_at(block), teacher.subsampling_at(target)
            predicted, lengths = averaged(predicted, step.encoded.lengths[block], max(theirs // ours, 1))
            there, their_lengths = averaged(there, their_lengths, max(ours // theirs, 1))
            frames = tf.minimum(tf.shape(predicted)[1], tf.shape(there)[1])
            lengths = tf.minimum(lengths, their_lengths)
            compared[block, target] = predicted[:, :frames], there[:, :frames], lengths
        return compared

    def _heard(self, step: Step) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Return the outputs of the teacher and their valid frames, by block: as stored, or computed now."""
        teacher, stored = step.model.teachers[self.source], step.batch.targets.get(self.source)
        if stored is None:
            heard = teacher.encode(step.batch.targets["input"], step.batch.lengths, language=step.language)
            return {name: (tf.stop_gradient(heard.outputs[name]), heard.lengths[name]) for name in heard.outputs}
        wanted = self.teacher_blocks()[self.source]
        names = [name for name in teacher.block_names if name in wanted]
        outputs = tf.split(stored, [teacher.block(name).output_size for name in names], axis=-1)
        return {name: (one, teacher.lengths_at(name, step.batch.lengths)) for name, one in zip(names, outputs)}


def cosine(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return the cosine of the angle between vectors: ``(batch, frames, size)`` twice to ``(batch, frames)``."""
    return tf.reduce_sum(tf.math.l2_normalize(first, axis=-1) * tf.math.l2_normalize(second, axis=-1), axis=-1)


def averaged(outputs: tf.Tensor, lengths: tf.Tensor, factor: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Average each ``factor`` frames; the last frame of an utterance is the mean of those that are left.

    Args:
        outputs: ``(batch, frames, size)``.
        lengths: ``(batch,)`` valid frames, int32.
        factor: number of frames.

    Returns:
        ``(batch, ceil(frames / factor), size)`` and the valid frames.
    """
    if factor == 1:
        return outputs, lengths
    rows, frames = tf.unstack(tf.shape(outputs)[:2])
    steps = -(-frames // factor)
    padded = tf.pad(mask(outputs, lengths), [[0, 0], [0, steps * factor - frames], [0, 0]])
    sums = tf.reduce_sum(tf.reshape(padded, (rows, steps, factor, outputs.shape[2])), axis=2)
    left = tf.clip_by_value(lengths[:, tf.newaxis] - factor * tf.range(steps), 1, factor)
    return sums / tf.cast(left, sums.dtype)[:, :, tf.newaxis], -(-lengths // factor)


def _name(block: str, target: str) -> str:
    return f"distillation_{block}_{target}"


def _misfit(model: AcousticModel, teacher: AcousticModel, block: str, target: str) -> str:
    """Return why a block cannot predict one of the teacher; empty if it can."""
    for whose, one, name in (("this model", model, block), ("the teacher", teacher, target)):
        if name not in one.block_names:
            return f"{name}: no block of {whose}, which has: {', '.join(one.block_names)}"
    ours, theirs = model.subsampling_at(block), teacher.subsampling_at(target)
    if max(ours, theirs) % min(ours, theirs):
        return (
            f"{block}: one frame for {ours} of the features, {target} of the teacher one for {theirs}, and neither "
            "is a multiple of the other; change model.encoder.subsampling"
        )
    return ""
