"""Bidirectional LSTM encoder."""

from typing import Literal

import keras
import tensorflow as tf
from pydantic import Field

from speechtl.config import Section
from speechtl.models.blocks import Block, dropout, layer_norm, mask
from speechtl.models.subsampling import Subsampling, SubsamplingConfig


class BlstmConfig(Section):
    """``[model.encoder]`` with ``kind = "blstm"``; ``size`` is that of both directions together."""

    kind: Literal["blstm"] = "blstm"
    size: int = Field(default=320, gt=0, multiple_of=2)
    blocks: int = Field(default=3, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    subsampling: SubsamplingConfig = SubsamplingConfig()


class BlstmBlock(Block):
    """An LSTM in each direction (Graves & Schmidhuber 2005), then layer normalisation."""

    def __init__(self, config: BlstmConfig, name: str):
        super().__init__(name=name)
        self.rate, self.output_size = config.dropout, config.size
        # The kernel that Keras selects on a GPU requires right-padded masks, which these are.
        cell = keras.layers.LSTM(config.size // 2, return_sequences=True, name="lstm")
        self.lstm = keras.layers.Bidirectional(cell, name="both")
        self.lstm.build((None, None, config.size))
        self.norm = layer_norm(config.size, "norm")
        self.finish()

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        outputs = mask(self.recur(mask(inputs, lengths), lengths), lengths)
        return dropout(self.norm(outputs), self.rate, seed, 0)

    def recur(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Run both directions over ``(batch, frames, size)``."""
        return self.lstm(inputs, mask=tf.sequence_mask(lengths, tf.shape(inputs)[1]))


def blstm_blocks(config: BlstmConfig, inputs: int) -> list[Block]:
    """Build the blocks ``subsampling, blstm1, blstm2, ...`` for features with ``inputs`` bins."""
    blocks: list[Block] = [Subsampling(config.subsampling, inputs, config.size)]
    return blocks + [BlstmBlock(config, f"blstm{number}") for number in range(1, config.blocks + 1)]
