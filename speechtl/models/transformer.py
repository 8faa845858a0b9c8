"""The transformer block of foundation encoders (Vaswani et al. 2017): Whisper, wav2vec 2.0 and their kin."""

import math

import tensorflow as tf

from speechtl.models.blocks import Block, ceil_division, dense, dropout, layer_norm
from speechtl.models.gated_positions import GatedPositions


class TransformerBlock(Block):
    """Self-attention and feed-forward, each residual, normalised before (``pre_norm``) or after.

    Attention reaches over windows of a fixed number of frames, side by side: what these models have learned does not
    extend beyond such a window, and the cost of a long utterance grows with its length, not with the square of it.
    """

    def __init__(
        self,
        size: int,
        heads: int,
        hidden: int,
        name: str,
        *,
        window: int,
        rate: float = 0.0,
        pre_norm: bool = True,
        key_bias: bool = True,
        attend_to_padding: bool = False,
        buckets: int = 0,
        bucket_distance: int = 0,
    ):
        """Build the block.

        Args:
            size: width of input and output.
            heads: attention heads.
            hidden: width of the feed-forward layer.
            name: of the block.
            window: frames over which attention reaches.
            rate: of dropout.
            pre_norm: normalise the input of attention and feed-forward, or else the sum with their output.
            key_bias: whether keys have a bias; Whisper's have none.
            attend_to_padding: attend to all frames of a window, also those beyond the end of the utterance.
            buckets: of relative positions, which bias the scores (`GatedPositions`); 0 for none.
            bucket_distance: from which on all frames share a bucket.
        """
        super().__init__(name=name)
        if size % heads:
            raise ValueError(f"size {size} must be a multiple of the {heads} heads")
        self.output_size, self.heads, self.rate, self.window = size, heads, rate, window
        self.pre_norm, self.attend_to_padding = pre_norm, attend_to_padding
        self.attention_norm = layer_norm(size, "attention_norm")
        self.query = dense(size, size, "query")
        self.key = dense(size, size, "key", use_bias=key_bias)
        self.value = dense(size, size, "value")
        self.attention_out = dense(size, size, "attention_out")
        self.positions = None
        if buckets:
            self.positions = GatedPositions(heads, size // heads, buckets, bucket_distance, window, "positions")
        self.feed_norm = layer_norm(size, "feed_norm")
        self.widen = dense(size, hidden, "widen")
        self.narrow = dense(hidden, size, "narrow")
        self.finish()

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        if self.pre_norm:
            x = inputs + dropout(self._attend(self.attention_norm(inputs), lengths), self.rate, seed, 0)
            return x + dropout(self._feed(self.feed_norm(x), seed), self.rate, seed, 2)
        x = self.attention_norm(inputs + dropout(self._attend(inputs, lengths), self.rate, seed, 0))
        return self.feed_norm(x + dropout(self._feed(x, seed), self.rate, seed, 2))

    def _feed(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        return self.narrow(dropout(tf.nn.gelu(self.widen(x)), self.rate, seed, 1))

    def _attend(self, x: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        batch, frames = tf.unstack(tf.shape(x)[:2])
        query, key, value = (self._by_head(layer(x)) for layer in (self.query, self.key, self.value))
        precision = self.query.precision
        scale = 1.0 / math.sqrt(self.output_size // self.heads)
        scores = tf.matmul(tf.cast(query * scale, precision), tf.cast(key, precision), transpose_b=True)
        scores = tf.cast(scores, tf.float32)
        if self.positions is not None:
            scores += self.positions(self._by_head(x))
        if not self.attend_to_padding:
            span = tf.shape(scores)[-1]
            count = tf.shape(scores)[0] // tf.maximum(batch, 1)
            left = lengths[:, tf.newaxis] - tf.range(count) * span
            valid = tf.sequence_mask(tf.reshape(left, (-1,)), span, dtype=scores.dtype)
            scores += (1.0 - valid)[:, tf.newaxis, tf.newaxis, :] * -1e9
        weights = tf.cast(tf.nn.softmax(scores), precision)
        attended = tf.cast(tf.matmul(weights, tf.cast(value, precision)), tf.float32)
        attended = tf.reshape(tf.transpose(attended, (0, 2, 1, 3)), (batch, -1, self.output_size))
        return self.attention_out(attended[:, :frames])

    def _by_head(self, x: tf.Tensor) -> tf.Tensor:
        """Cut ``(batch, frames, size)`` into windows and heads: ``(batch · windows, heads, span, width)``."""
        batch, frames = tf.unstack(tf.shape(x)[:2])
        span = tf.maximum(tf.minimum(frames, self.window), 1)
        count = ceil_division(frames, span)
        x = tf.pad(x, [[0, 0], [0, count * span - frames], [0, 0]])
        x = tf.reshape(x, (batch * count, span, self.heads, self.output_size // self.heads))
        return tf.transpose(x, (0, 2, 1, 3))


class FinalNorm(Block):
    """The normalisation after the last block; leaves off frames beyond the longest utterance, which a stem may add."""

    def __init__(self, size: int):
        super().__init__(name="norm")
        self.output_size = size
        self.norm = layer_norm(size, "norm")
        self.finish()

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        return self.norm(inputs[:, : tf.reduce_max(lengths)])
