"""The encoder of wav2vec 2.0 (Baevski et al. 2020) and its kin (see `Wav2Vec2Config`), as named blocks."""

import keras
import tensorflow as tf

from speechtl.models.blocks import Block, dense, dropout, layer_norm, mask, normalise
from speechtl.models.transformer import FinalNorm, TransformerBlock
from speechtl.models.wav2vec2_config import Wav2Vec2Config
from speechtl.models.wav2vec2_stem import Wav2Vec2Stem


class GroupedConv(keras.layers.Layer):
    """Convolution over time in groups of channels; each output channel reads the channels of its group.

    With an even kernel there is one frame more to the left than to the right.
    """

    def __init__(self, size: int, kernel: int, groups: int, name: str):
        super().__init__(name=name)
        self.groups = groups
        # A sum over the kernel as large as one input, so that positions do not drown the features at the start.
        initializer = keras.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
        self.kernel = self.add_weight(name="kernel", shape=(kernel, size // groups, size), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(size,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map ``(batch, frames, size)`` to the same shape, zeros beyond both ends."""
        kernel = self.kernel.shape[0]
        padded = tf.pad(inputs, [[0, 0], [kernel // 2, (kernel - 1) // 2], [0, 0]])
        # One convolution per group: not every build of TensorFlow has grouped ones, and gradients of them, on CPUs.
        pairs = zip(
            tf.split(padded, self.groups, axis=2), tf.split(self.kernel.value, self.groups, axis=2), strict=True
        )
        outputs = tf.concat([tf.nn.conv1d(part, weights, 1, "VALID") for part, weights in pairs], axis=2)
        return tf.nn.bias_add(outputs, self.bias.value)


class Wav2Vec2Projection(Block):
    """From the width of the convolutions to that of the transformer."""

    def __init__(self, config: Wav2Vec2Config):
        super().__init__(name="projection")
        self.output_size, self.rate = config.size, config.dropout
        self.norm = layer_norm(config.channels[-1], "norm") if config.projection_norm else None
        self.linear = dense(config.channels[-1], config.size, "linear")
        self.finish()

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        return dropout(self.linear(inputs if self.norm is None else self.norm(inputs)), self.rate, seed, 0)


class Wav2Vec2Positions(Block):
    """``x + gelu(conv(x))``: a convolution over seconds takes the place of position embeddings (Mohamed et al. 2019).

    data2vec has several, one after the other, each normalised before its activation. Frames beyond the end are zeros
    for each of them. The weight normalisation that a single convolution was trained with is folded into the kernel.
    """

    passed_over = True

    def __init__(self, config: Wav2Vec2Config):
        super().__init__(name="positions")
        self.output_size, self.rate = config.size, config.dropout
        several = [f"conv{number}" for number in range(1, config.position_convs + 1)]
        names = several if config.position_convs > 1 else ["conv"]
        kernel, groups = config.position_kernel, config.position_groups
        self.convs = [GroupedConv(config.size, kernel, groups, name) for name in names]
        self.normalised = config.position_norm
        self.norm = None if config.pre_norm else layer_norm(config.size, "norm")
        self.finish()

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        x = mask(inputs, lengths)
        positions = x
        for conv in self.convs:
            positions = conv(mask(positions, lengths))
            positions = tf.nn.gelu(normalise(positions) if self.normalised else positions)
        x += positions
        return dropout(x if self.norm is None else self.norm(x), self.rate, seed, 0)


def wav2vec2_blocks(config: Wav2Vec2Config, inputs: int) -> list[Block]:
    """Build the blocks ``stem, projection, positions, transformer1, transformer2, ...`` for frames of samples.

    With ``pre_norm`` there is a block ``norm`` at the end.
    """
    blocks: list[Block] = [Wav2Vec2Stem(config, inputs), Wav2Vec2Projection(config), Wav2Vec2Positions(config)]
    blocks += [
        TransformerBlock(
            config.size,
            config.heads,
            config.hidden,
            f"transformer{number}",
            window=config.window,
            rate=config.dropout,
            pre_norm=config.pre_norm,
            buckets=config.buckets,
            bucket_distance=config.bucket_distance,
        )
        for number in range(1, config.blocks + 1)
    ]
    return [*blocks, FinalNorm(config.size)] if config.pre_norm else blocks
