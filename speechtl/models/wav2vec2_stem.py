"""The convolutions of wav2vec 2.0, from frames of samples to frames of features."""

import keras
import tensorflow as tf

from speechtl.errors import ModelError
from speechtl.models.blocks import Block, DilatedConv, ceil_division, layer_norm, mask, mean_over_time
from speechtl.models.wav2vec2_config import Wav2Vec2Config

_EPSILON = 1e-5  # Added to the variance.


class ChannelNorm(keras.layers.Layer):
    """Group normalisation (Wu & He 2018) with one channel per group: each channel by its statistics over time."""

    def __init__(self, size: int, name: str):
        super().__init__(name=name)
        self.scale = self.add_weight(name="scale", shape=(size,), initializer="ones")
        self.offset = self.add_weight(name="offset", shape=(size,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """Normalise ``(batch, frames, size)`` by statistics ``(batch, size)``."""
        scale = tf.math.rsqrt(variance + _EPSILON) * self.scale.value
        return inputs * scale[:, tf.newaxis] + (self.offset.value - mean * scale)[:, tf.newaxis]


class Wav2Vec2Stem(Block):
    """Strided convolutions with GELU over the signal, which is put together from its overlapping frames.

    One output per frame: frames are as long as what an output depends on, and as far apart as the outputs. Long
    speech is cut into windows of that many frames, one after the other, since the first layers have hundreds of
    channels at thousands of frames a second; the result is the same. Where the first layer is normalised over time, the
    statistics are those of the whole utterance.

    Attributes:
        at_once: compute all windows at once, with the same result and in more memory.
    """

    at_once: bool = False

    def __init__(self, config: Wav2Vec2Config, inputs: int):
        super().__init__(name="stem")
        self.output_size, self.window, self.shift, self.reach = (
            config.channels[-1],
            config.window,
            config.frame_shift,
            config.frame_length,
        )
        if inputs != self.reach:
            raise ModelError(
                f"convolutions with kernels {config.kernels} and strides {config.strides} read frames of {self.reach} "
                f"samples (got {inputs} values a frame)"
            )
        self.convs, self.norms = [], []
        sizes = (1, *config.channels)
        for number, (kernel, stride) in enumerate(zip(config.kernels, config.strides, strict=True), 1):
            here, there = sizes[number - 1 : number + 1]
            options = {"use_bias": config.conv_bias, "padded": False}
            self.convs.append(DilatedConv(here, there, kernel, stride=stride, name=f"conv{number}", **options))
            if config.stem_norm == "layer":
                self.norms.append(layer_norm(there, f"norm{number}"))
        self.channel_norm = ChannelNorm(config.channels[0], "norm1") if config.stem_norm == "group" else None
        self.finish()

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        batch, frames = tf.unstack(tf.shape(inputs)[:2])
        frames = tf.maximum(frames, 1)  # Without any, one of padding: what follows cannot convolve nothing.
        span = tf.minimum(frames, self.window)
        count = ceil_division(frames, span)
        padded = tf.pad(inputs, [[0, 0], [0, count * span - tf.shape(inputs)[1]], [0, 0]])
        windows = tf.transpose(tf.reshape(padded, (batch, count, span, self.reach)), (1, 0, 2, 3))
        left = lengths - tf.range(count)[:, tf.newaxis] * span
        moments = None if self.channel_norm is None else self._moments(windows, left, span)

        def convolve(window: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            return self._convolve(self._join(*window), moments)

        if self.at_once:
            repeated = None if moments is None else tuple(tf.tile(moment, (count, 1)) for moment in moments)
            outputs = self._convolve(self._join(*map(_flat, (windows, left))), repeated)
        else:
            outputs = tf.map_fn(convolve, (windows, left), parallel_iterations=1, fn_output_signature=tf.float32)
        outputs = tf.reshape(outputs, (count, batch, span, self.output_size))
        outputs = tf.reshape(tf.transpose(outputs, (1, 0, 2, 3)), (batch, count * span, self.output_size))
        return outputs[:, :frames]

    def _join(self, frames: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
        """Put the signal together.

        Args:
            frames: ``(batch, frames, samples)``.
            left: ``(batch,)`` how many of them are left of the utterance, possibly more than there are or negative.

        Returns:
            ``(batch, (frames - 1) * shift + samples, 1)``: of every frame as many samples as the next one is later, and
            all of the last.
        """
        span = tf.shape(frames)[1]
        frames = mask(frames, left)
        last = tf.one_hot(tf.minimum(left, span) - 1, span)[:, :, tf.newaxis]
        more = -(-self.reach // self.shift) - 1
        signal = tf.pad(frames[:, :, : self.shift], [[0, 0], [0, more], [0, 0]])
        for number in range(1, more + 1):
            rest = last * frames[:, :, number * self.shift : (number + 1) * self.shift]
            lacking = self.shift - rest.shape[2]
            signal += tf.pad(rest, [[0, 0], [number, more - number], [0, lacking]])
        signal = tf.reshape(signal, (tf.shape(frames)[0], -1, 1))
        return signal[:, : (span - 1) * self.shift + self.reach]

    def _convolve(self, signal: tf.Tensor, moments: tuple[tf.Tensor, tf.Tensor] | None) -> tf.Tensor:
        x = signal
        for number, conv in enumerate(self.convs):
            x = conv(x)
            if self.norms:
                x = self.norms[number](x)
            elif number == 0 and self.channel_norm is not None and moments is not None:
                x = self.channel_norm(x, *moments)
            x = tf.nn.gelu(x)
        return x

    def _moments(self, windows: tf.Tensor, left: tf.Tensor, span: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return mean and variance ``(batch, channels)`` of the first layer's outputs over each utterance.

        Args:
            windows: ``(windows, batch, frames, samples)``.
            left: ``(windows, batch)`` frames that are left of the utterance from the start of each window on.
            span: frames of a window.
        """
        first = self.convs[0]
        per_frame = self.shift // first.stride
        more = (self.reach - first.kernel_size) // first.stride + 1 - per_frame
        # Outputs that begin in this window; after the last frame, those that end with it.
        count = tf.where(left > span, span * per_frame, tf.where(left > 0, left * per_frame + more, 0))

        def of_window(window: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            frames, rest, valid = window
            outputs = first(self._join(frames, rest))
            mean = mean_over_time(outputs, valid)
            return mean, mean_over_time(tf.square(outputs - mean[:, tf.newaxis]), valid)

        each = (windows, left, count)
        both = (tf.float32, tf.float32)
        if self.at_once:
            shape = tf.concat([tf.shape(count), [first.kernel.shape[1]]], axis=0)
            means, variances = (tf.reshape(moment, shape) for moment in of_window(tuple(map(_flat, each))))
        else:
            means, variances = tf.map_fn(of_window, each, parallel_iterations=1, fn_output_signature=both)
        shares = tf.cast(count, tf.float32)
        shares = (shares / tf.maximum(tf.reduce_sum(shares, axis=0), 1.0))[:, :, tf.newaxis]
        mean = tf.reduce_sum(shares * means, axis=0)
        return mean, tf.reduce_sum(shares * (variances + tf.square(means - mean)), axis=0)


def _flat(values: tf.Tensor) -> tf.Tensor:
    """Make one axis of windows and batch: ``(windows, batch, ...)`` to ``(windows · batch, ...)``."""
    return tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], axis=0))
