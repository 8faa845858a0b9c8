"""The first block of every encoder: a lower frame rate and a projection."""

from typing import Literal

import keras
import tensorflow as tf

from speechtl.config import Section
from speechtl.models.blocks import Block, DilatedConv, ceil_division, dense, dropout, layer_norm, mask


class SubsamplingConfig(Section):
    """``[model.encoder.subsampling]``.

    Attributes:
        kind: ``splice``, one strided convolution over all mel bins (cheap); or ``conv2d``, two 3×3 convolutions over
            time and frequency before the projection (as in Gulati et al. 2020), which share weights along frequency and
            so absorb some of the differences between voices, at a higher cost.
        factor: input frames per output frame.
        kernel: width of the convolution of ``splice``, in frames.
        channels: of the convolutions of ``conv2d``.
        dropout: rate after the normalisation.
    """

    kind: Literal["splice", "conv2d"] = "splice"
    factor: Literal[1, 2, 3, 4] = 3
    kernel: int = 5
    channels: int = 32
    dropout: float = 0.0


class Subsampling(Block):
    """Reduce the frame rate by ``factor`` and project to ``size``."""

    def __init__(self, config: SubsamplingConfig, inputs: int, size: int, name: str = "subsampling"):
        super().__init__(name=name)
        self.config, self.output_size, self.rate = config, size, config.dropout
        if config.kind == "splice":
            self.conv = DilatedConv(inputs, size, config.kernel, stride=config.factor, name="conv")
        else:
            first = 2 if config.factor % 2 == 0 else 1
            self.strides_ = (first, config.factor // first)
            bins, channels = inputs, 1
            self.conv2d = []
            for number, stride in enumerate(self.strides_, 1):
                layer = keras.layers.Conv2D(config.channels, 3, (stride, 2), activation="relu", name=f"conv{number}")
                layer.build((None, None, bins + 2, channels))
                self.conv2d.append(layer)
                bins, channels = (bins - 1) // 2 + 1, config.channels
            self.projection = dense(bins * channels, size, "projection")
        self.norm = layer_norm(size, "norm")
        self.finish()

    def output_lengths(self, lengths: tf.Tensor) -> tf.Tensor:  # noqa: D102
        if self.config.kind == "splice":
            return ceil_division(lengths, self.config.factor)
        for stride in self.strides_:
            lengths = ceil_division(lengths, stride)
        return lengths

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        outputs = mask(inputs, lengths)
        if self.config.kind == "splice":
            outputs = self.conv(outputs)
        else:
            outputs = outputs[:, :, :, tf.newaxis]
            for layer, stride in zip(self.conv2d, self.strides_, strict=True):
                frames = tf.shape(outputs)[1]
                steps = ceil_division(frames, stride)
                # One frame of zeros before, and after the end as many as the last window needs, whatever the padding.
                after = tf.maximum((steps - 1) * stride + 2 - frames, 0)
                outputs = layer(tf.pad(outputs, [[0, 0], [1, after], [1, 1], [0, 0]]))
                lengths = ceil_division(lengths, stride)
                valid = tf.sequence_mask(lengths, tf.shape(outputs)[1], dtype=outputs.dtype)
                outputs = outputs * valid[:, :, tf.newaxis, tf.newaxis]
            shape = tf.shape(outputs)
            outputs = self.projection(tf.reshape(outputs, (shape[0], shape[1], outputs.shape[2] * outputs.shape[3])))
        return dropout(self.norm(outputs), self.rate, seed, 0)
