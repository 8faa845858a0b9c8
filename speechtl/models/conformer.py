"""Conformer encoder (Gulati et al. 2020) with rotary positions."""

import math
from typing import Literal

import keras
import tensorflow as tf
from pydantic import Field

from speechtl.config import Section
from speechtl.models.blocks import Block, LayerNorm, Linear, dense, dropout, layer_norm, mask
from speechtl.models.subsampling import Subsampling, SubsamplingConfig

FeedForward = tuple[LayerNorm, Linear, Linear]


class ConformerConfig(Section):
    """``[model.encoder]`` with ``kind = "conformer"``."""

    kind: Literal["conformer"] = "conformer"
    size: int = Field(default=144, gt=0)
    blocks: int = Field(default=6, gt=0)
    heads: int = Field(default=4, gt=0)
    expansion: int = Field(default=4, gt=0)
    kernel: int = Field(default=15, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    subsampling: SubsamplingConfig = SubsamplingConfig(kind="conv2d", factor=4)


class ConformerBlock(Block):
    """Half feed-forward, self-attention, convolution, half feed-forward, each residual; then layer normalisation.

    Two departures from the paper, both for transfer: layer normalisation instead of batch normalisation (no statistics
    that drift while weights are frozen), and rotary positions (Su et al. 2021) instead of relative position embeddings
    (the same invariance without additional weights).
    """

    def __init__(self, config: ConformerConfig, name: str):
        super().__init__(name=name)
        size = self.output_size = config.size
        if size % (2 * config.heads):
            raise ValueError(f"size {size} must be a multiple of twice the {config.heads} heads")
        self.rate, self.heads = config.dropout, config.heads
        hidden = config.expansion * size
        self.norm1, self.widen1, self.narrow1 = _feed_forward(size, hidden, "feed1")
        self.norm2, self.widen2, self.narrow2 = _feed_forward(size, hidden, "feed2")
        self.attention_norm = layer_norm(size, "attention_norm")
        self.query_key_value = dense(size, 3 * size, "query_key_value")
        self.attention_out = dense(size, size, "attention_out")
        self.conv_norm = layer_norm(size, "conv_norm")
        self.gate = dense(size, 2 * size, "gate")
        self.depthwise = keras.layers.DepthwiseConv1D(config.kernel, padding="same", name="depthwise")
        self.depthwise.build((None, None, size))
        self.depthwise_norm = layer_norm(size, "depthwise_norm")
        self.conv_out = dense(size, size, "conv_out")
        self.norm = layer_norm(size, "norm")
        self.finish()

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        x = inputs + 0.5 * self._feed(inputs, (self.norm1, self.widen1, self.narrow1), seed, 0)
        x = x + dropout(self._attend(self.attention_norm(x), lengths), self.rate, seed, 2)
        x = x + dropout(self._convolve(self.conv_norm(x), lengths), self.rate, seed, 3)
        x = x + 0.5 * self._feed(x, (self.norm2, self.widen2, self.narrow2), seed, 4)
        return self.norm(x)

    def _feed(self, x: tf.Tensor, layers: FeedForward, seed: tf.Tensor | None, salt: int) -> tf.Tensor:
        norm, widen, narrow = layers
        hidden = dropout(tf.nn.silu(widen(norm(x))), self.rate, seed, salt)
        return dropout(narrow(hidden), self.rate, seed, salt + 1)

    def _attend(self, x: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(x)
        width = self.output_size // self.heads
        projected = tf.reshape(self.query_key_value(x), (shape[0], shape[1], 3, self.heads, width))
        query, key, value = tf.unstack(tf.transpose(projected, (2, 0, 3, 1, 4)))
        scores = tf.matmul(_rotate(query), _rotate(key), transpose_b=True) / math.sqrt(width)
        valid = tf.sequence_mask(lengths, shape[1], dtype=scores.dtype)[:, tf.newaxis, tf.newaxis, :]
        weights = tf.nn.softmax(scores + (1.0 - valid) * -1e9)
        attended = tf.reshape(tf.transpose(tf.matmul(weights, value), (0, 2, 1, 3)), shape)
        return self.attention_out(attended)

    def _convolve(self, x: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        value, gate = tf.split(self.gate(x), 2, axis=-1)
        gated = mask(value * tf.nn.sigmoid(gate), lengths)
        return self.conv_out(tf.nn.silu(self.depthwise_norm(self.depthwise(gated))))


def _feed_forward(size: int, hidden: int, name: str) -> FeedForward:
    return layer_norm(size, f"{name}_norm"), dense(size, hidden, f"{name}_widen"), dense(hidden, size, f"{name}_narrow")


def _rotate(x: tf.Tensor) -> tf.Tensor:
    """Rotate pairs of features by an angle proportional to the position: ``(batch, heads, frames, width)``."""
    half = x.shape[-1] // 2
    frequencies = tf.exp(tf.range(half, dtype=x.dtype) * (-math.log(10000.0) / half))
    angles = tf.range(tf.shape(x)[2], dtype=x.dtype)[:, tf.newaxis] * frequencies
    sine, cosine = tf.sin(angles), tf.cos(angles)
    first, second = x[..., :half], x[..., half:]
    return tf.concat([first * cosine - second * sine, first * sine + second * cosine], axis=-1)


def conformer_blocks(config: ConformerConfig, inputs: int) -> list[Block]:
    """Build the blocks ``subsampling, conformer1, conformer2, ...`` for features with ``inputs`` bins."""
    blocks: list[Block] = [Subsampling(config.subsampling, inputs, config.size)]
    return blocks + [ConformerBlock(config, f"conformer{number}") for number in range(1, config.blocks + 1)]
