"""The encoder of Whisper (Radford et al. 2023), as named blocks."""

from typing import Literal

import numpy as np
import tensorflow as tf
from pydantic import Field, model_validator

from speechtl.config import Section
from speechtl.models.blocks import Block, DilatedConv, ceil_division, dropout, mask
from speechtl.models.sinusoids import sinusoids
from speechtl.models.transformer import FinalNorm, TransformerBlock

# Silence in Whisper's features (`speechtl.features.whisper_mel`): as far below the loudest value of the utterance as
# their dynamic range goes, but not below the floor of all logarithms.
_RANGE, _SILENCE = 2.0, -1.5


class StemRate(Section):
    """``[model.encoder.subsampling]``: the stride of the stem, which is part of what its weights have learned."""

    factor: Literal[2] = 2


class WhisperConfig(Section):
    """``[model.encoder]`` with ``kind = "whisper"``; the default is the size of Whisper base.

    Attributes:
        size: width.
        blocks: number of transformer blocks.
        heads: of attention.
        hidden: width of the feed-forward layers.
        window: output frames of 20 ms for which there are positions; longer speech is cut into windows of this length.
        pad: extend all speech by silence to whole windows of 30 s, as in Whisper's own training. Costs several times as
            much on short utterances and changes the outputs little.
        dropout: rate in the transformer blocks and after the stem; Whisper was trained without.
    """

    kind: Literal["whisper"] = "whisper"
    size: int = Field(default=512, gt=2)
    blocks: int = Field(default=6, gt=0)
    heads: int = Field(default=8, gt=0)
    hidden: int = Field(default=2048, gt=0)
    window: int = Field(default=1500, gt=0)
    pad: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)
    subsampling: StemRate = StemRate()

    @model_validator(mode="after")
    def _check(self) -> "WhisperConfig":
        if self.size % self.heads or self.size % 2:
            raise ValueError(f"size {self.size} must be even and a multiple of the {self.heads} heads")
        return self


class WhisperStem(Block):
    """Two convolutions, the second with a stride of two, and the positions within the window."""

    def __init__(self, config: WhisperConfig, inputs: int):
        super().__init__(name="stem")
        self.output_size, self.window, self.pad, self.rate = config.size, config.window, config.pad, config.dropout
        self.conv1 = DilatedConv(inputs, config.size, 3, name="conv1")
        self.conv2 = DilatedConv(config.size, config.size, 3, stride=2, name="conv2")
        # Fixed, as in Whisper; a weight all the same, since checkpoints bring it.
        self.positions = self.add_weight(
            name="positions", shape=(config.window, config.size), initializer="zeros", trainable=False
        )
        self.positions.assign(sinusoids(config.window, config.size))
        self.finish()

    def output_lengths(self, lengths: tf.Tensor) -> tf.Tensor:  # noqa: D102
        return ceil_division(lengths, 2)

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        if self.pad:
            batch, frames = tf.unstack(tf.shape(inputs)[:2])
            # Every window for itself, so that none depends on what follows it.
            windows = tf.reshape(self._padded(inputs, lengths), (-1, 2 * self.window, inputs.shape[2]))
            x = tf.nn.gelu(self.conv2(tf.nn.gelu(self.conv1(windows))))
            x = tf.reshape(x, (batch, ceil_division(frames, 2 * self.window) * self.window, self.output_size))
        else:
            x = mask(tf.nn.gelu(self.conv1(mask(inputs, lengths))), lengths)
            x = tf.nn.gelu(self.conv2(x))
        place = tf.range(tf.shape(x)[1]) % self.window
        return dropout(x + tf.gather(self.positions.value, place), self.rate, seed, 0)

    def _padded(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Continue each utterance by what the features of silence are, to whole windows."""
        frames = tf.shape(inputs)[1]
        span = 2 * self.window
        wanted = ceil_division(frames, span) * span
        valid = tf.sequence_mask(lengths, wanted)[:, :, tf.newaxis]
        x = tf.pad(inputs, [[0, 0], [0, wanted - frames], [0, 0]])
        loudest = tf.reduce_max(tf.where(valid, x, -np.inf), axis=(1, 2), keepdims=True)
        return tf.where(valid, x, tf.maximum(loudest - _RANGE, _SILENCE))


def whisper_blocks(config: WhisperConfig, inputs: int) -> list[Block]:
    """Build the blocks ``stem, transformer1, transformer2, ..., norm`` for features with ``inputs`` bins."""
    blocks: list[Block] = [WhisperStem(config, inputs)]
    blocks += [
        TransformerBlock(
            config.size,
            config.heads,
            config.hidden,
            f"transformer{number}",
            window=config.window,
            rate=config.dropout,
            key_bias=False,
            attend_to_padding=config.pad,
        )
        for number in range(1, config.blocks + 1)
    ]
    return [*blocks, FinalNorm(config.size)]
