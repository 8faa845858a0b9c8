"""A learned weighted sum of the outputs of several blocks (Yang et al. 2021, SUPERB)."""

from collections.abc import Sequence

import tensorflow as tf

from speechtl.errors import ModelError, list_problems
from speechtl.models.blocks import Block


class WeightedSum(Block):
    """``Σ softmax(w)_i · normalised(output of block i)``, equally weighted at first.

    Each output is normalised to mean 0 and variance 1 in every frame, since blocks differ in scale by orders of
    magnitude.
    """

    def __init__(self, blocks: Sequence[Block], chosen: str | Sequence[str]):
        """Choose the blocks.

        Args:
            blocks: of the encoder, in order.
            chosen: ``"all"``, those as wide and as slow as the last one; or names.

        Raises:
            ModelError: unknown names, or blocks of other sizes or frame rates than the last one.
        """
        super().__init__(name="sum")
        last, rate, fitting = blocks[-1].output_size, _rate(blocks), {}
        for number, block in enumerate(blocks, 1):
            if block.output_size == last and _rate(blocks[:number]) == rate:
                fitting[block.name] = block
        names = list(fitting) if chosen == "all" else [chosen] if isinstance(chosen, str) else list(chosen)
        if wrong := [name for name in names if name not in fitting]:
            known = ", ".join(fitting)
            raise ModelError(
                list_problems(f"model.sum_over: not among the blocks of one size and rate, {known}", wrong)
            )
        self.output_size, self.reads = last, tuple(name for name in fitting if name in names)
        self.mixture = self.add_weight(name="mixture", shape=(len(self.reads),), initializer="zeros")
        self.finish()

    def combine(self, outputs: Sequence[tf.Tensor], lengths: tf.Tensor) -> tf.Tensor:
        """Sum the outputs ``(batch, frames, size)`` of the blocks in ``reads``, as far as the longest utterance."""
        frames = tf.reduce_max(lengths)
        weights = tf.unstack(tf.nn.softmax(self.mixture.value))
        return tf.add_n(
            [weight * _normalised(output[:, :frames]) for weight, output in zip(weights, outputs, strict=True)]
        )


def _normalised(x: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, axes=-1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5)


def _rate(blocks: Sequence[Block]) -> int:
    frames = 3600
    for block in blocks:
        frames = int(block.output_lengths(frames))
    return frames
