"""Encoder blocks, named layers over padded sequences with explicit lengths, and the layers they are made of."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf


class Block(keras.layers.Layer):
    """One named stage of an encoder.

    A block maps ``(batch, frames, inputs)`` to ``(batch, output_lengths(frames), outputs)``. It must not let padding
    leak: the valid frames of an utterance are the same alone and in a padded batch. Sublayers are built in ``__init__``
    from known sizes, so that a model's weights exist before it sees data.

    Attributes:
        output_size: width of the output.
        reads: names of earlier blocks, where the block combines the outputs of several (`combine`) instead of
            transforming that of the one before it.
        rate: of its dropout; 0 where the block is the same in training and inference.
        attend_to_padding: whether valid output frames depend on what the block before put beyond the valid ones.
        passed_over: whether methods that work within linear layers pass the block over, which has none, if they are
            asked for all blocks; or else they refuse.
    """

    output_size: int
    passed_over: bool = False
    reads: tuple[str, ...] = ()
    rate: float = 0.0
    attend_to_padding: bool = False

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Transform a padded batch.

        Args:
            inputs: ``(batch, frames, inputs)``.
            lengths: ``(batch,)`` valid input frames, int32.
            seed: ``(2,)`` int32 while training, the seed of this step's dropout; None for inference.
        """
        raise NotImplementedError

    def combine(self, outputs: Sequence[tf.Tensor], lengths: tf.Tensor) -> tf.Tensor:
        """Combine the outputs of the blocks in ``reads``, each ``(batch, frames, size)``."""
        raise NotImplementedError

    def output_lengths(self, lengths: tf.Tensor) -> tf.Tensor:
        """Return the number of output frames for a number of input frames, for tensors and plain integers."""
        return lengths

    def finish(self) -> None:
        """Mark the block as built, so that Keras does not trace it to find its shapes."""
        self.built = True


def ceil_division(frames: Any, step: Any) -> Any:
    """Return ``frames / step``, rounded up, of integers, arrays or tensors that are not negative."""
    # Not -(-frames // step): ONNX divides negative integers towards zero.
    return (frames + (step - 1)) // step


def mask(inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Set the frames beyond ``lengths`` of ``(batch, frames, size)`` to zero."""
    valid = tf.sequence_mask(lengths, tf.shape(inputs)[1], dtype=inputs.dtype)
    return inputs * tf.expand_dims(valid, 2)


def mean_over_time(values: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return the means over valid frames: ``(batch, frames, ...)`` to ``(batch, ...)``, 0 where there are none.

    Args:
        values: ``(batch, frames)`` or ``(batch, frames, size)``.
        lengths: ``(batch,)`` valid frames, int32.
    """
    valid = tf.sequence_mask(lengths, tf.shape(values)[1], dtype=values.dtype)
    count = tf.cast(tf.maximum(lengths, 1), values.dtype)
    if values.shape.rank == 2:
        return tf.reduce_sum(values * valid, axis=1) / count
    return tf.reduce_sum(values * valid[:, :, tf.newaxis], axis=1) / count[:, tf.newaxis]


def dropout(inputs: tf.Tensor, rate: float, seed: tf.Tensor | None, salt: int) -> tf.Tensor:
    """Drop elements with probability ``rate`` and scale the rest, or do nothing without a seed.

    The mask depends on ``seed`` and ``salt`` alone: a resumed run draws what an uninterrupted one would have drawn,
    which the hidden counters of stateful random operations do not allow.

    Args:
        inputs: any shape.
        rate: probability to drop, in [0, 1).
        seed: ``(2,)`` int32, or None for inference.
        salt: distinguishes the dropouts of one block.
    """
    if seed is None or rate == 0.0:
        return inputs
    return tf.nn.experimental.stateless_dropout(inputs, rate, seed + tf.constant([0, salt], tf.int32))


class Linear(keras.layers.Dense):
    """A dense layer to whose output a transfer method may add a function of its input.

    Attributes:
        correction: maps inputs ``(..., inputs)`` to an addend of the outputs ``(..., outputs)``; None for none.
        precision: of the factors of the product; inputs, outputs and weights are float32 in any case.
    """

    correction: Callable[[tf.Tensor], tf.Tensor] | None = None
    precision: tf.DType = tf.float32

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        if self.precision == tf.float32:
            outputs = super().call(inputs)
        else:
            factors = tf.cast(inputs, self.precision), tf.cast(self.kernel.value, self.precision)
            outputs = tf.cast(tf.tensordot(*factors, axes=1), tf.float32)
            outputs = outputs if self.bias is None else outputs + self.bias.value
        return outputs if self.correction is None else outputs + self.correction(inputs)


def dense(inputs: int, outputs: int, name: str, use_bias: bool = True) -> Linear:
    """Return a built `Linear` layer."""
    layer = Linear(outputs, use_bias=use_bias, name=name)
    layer.build((None, None, inputs))
    return layer


def normalise(inputs: tf.Tensor) -> tf.Tensor:
    """Return ``(x − mean) / sqrt(variance + ε)`` over the last axis."""
    centred = inputs - tf.reduce_mean(inputs, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
    return centred * tf.math.rsqrt(variance + 1e-5)


def layer_norm(size: int, name: str) -> "LayerNorm":
    """Return a built layer normalisation."""
    layer = LayerNorm(name=name)
    layer.build((None, None, size))
    return layer


class LayerNorm(keras.layers.Layer):
    """Layer normalisation over the last axis (Ba et al. 2016): ``scale · (x − mean) / sqrt(variance + ε) + offset``.

    Statistics per frame: nothing to freeze, nothing that padding can touch, and the same at training and decoding time.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make scale and offset."""
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
        self.offset = self.add_weight(name="offset", shape=(input_shape[-1],), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalise ``(batch, frames, size)``."""
        return normalise(inputs) * self.scale.value + self.offset.value


class DilatedConv(keras.layers.Layer):
    """Convolution over time with dilation or stride, as one matrix product over spliced frames.

    A TDNN layer in the form of Peddinti et al. 2015. TensorFlow has no gradient for dilated convolutions on CPUs;
    splicing costs a copy, and the product is the same.

    Attributes:
        correction: as that of `Linear`, from spliced frames ``(frames, kernel * inputs)``.
        precision: as that of `Linear`.
    """

    correction: Callable[[tf.Tensor], tf.Tensor] | None = None
    precision: tf.DType = tf.float32

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        dilation: int = 1,
        stride: int = 1,
        name: str = "conv",
        *,
        use_bias: bool = True,
        padded: bool = True,
    ):
        """Make the weights.

        Args:
            inputs: width of the input.
            outputs: width of the output.
            kernel: width in time, in frames.
            dilation: frames from one tap of the kernel to the next.
            stride: input frames per output frame.
            name: of the layer.
            use_bias: whether there is a bias.
            padded: with zeros beyond both ends, ``ceil(frames / stride)`` outputs; or else only the outputs whose
                kernel lies within the input.
        """
        super().__init__(name=name)
        self.kernel_size, self.dilation, self.stride, self.padded = kernel, dilation, stride, padded
        # He initialisation: a ReLU follows.
        initializer = keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
        self.kernel = self.add_weight(name="kernel", shape=(kernel * inputs, outputs), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(outputs,), initializer="zeros") if use_bias else None
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map ``(batch, frames, inputs)`` to ``(batch, steps, outputs)``."""
        frames = tf.shape(inputs)[1]
        reach = (self.kernel_size - 1) * self.dilation
        left = reach // 2 if self.padded else 0
        steps = ceil_division(frames, self.stride) if self.padded else (frames - reach - 1) // self.stride + 1
        # One large product: with three axes TensorFlow computes one per utterance, and as many kernel gradients.
        # Cast before splicing: half as much to copy.
        rows = tf.reshape(self._splice(tf.cast(inputs, self.precision), left, steps), (-1, self.kernel.shape[0]))
        outputs = tf.cast(tf.matmul(rows, tf.cast(self.kernel.value, self.precision)), tf.float32)
        if self.bias is not None:
            outputs = tf.nn.bias_add(outputs, self.bias.value)
        if self.correction is not None:
            outputs += self.correction(tf.cast(rows, tf.float32))
        return tf.reshape(outputs, (tf.shape(inputs)[0], steps, self.kernel.shape[1]))

    def _splice(self, inputs: tf.Tensor, left: int, steps: tf.Tensor) -> tf.Tensor:
        """Return the frames under the kernel, ``(batch, steps, kernel * inputs)``, ``left`` before the first step."""
        if self.stride > 1 and self.dilation == 1:
            # Whole strides side by side, the last one cut: the gradient of strided slices is slow.
            size = inputs.shape[2]
            strides = -(-self.kernel_size // self.stride)
            blocks = self._fit(inputs, left, (steps - 1 + strides) * self.stride)
            blocks = tf.reshape(blocks, (tf.shape(inputs)[0], steps - 1 + strides, self.stride * size))
            taps = [blocks[:, number : number + steps] for number in range(strides)]
            taps[-1] = taps[-1][:, :, : (self.kernel_size - (strides - 1) * self.stride) * size]
            return tf.concat(taps, axis=-1)
        span = (steps - 1) * self.stride + 1
        padded = self._fit(inputs, left, span + (self.kernel_size - 1) * self.dilation)
        reached = range(0, self.kernel_size * self.dilation, self.dilation)
        taps = [tf.slice(padded, (0, start, 0), (-1, span, -1)) for start in reached]
        if self.stride > 1:
            taps = [tap[:, :: self.stride] for tap in taps]
        return tf.concat(taps, axis=-1)

    def _fit(self, inputs: tf.Tensor, left: int, frames: tf.Tensor) -> tf.Tensor:
        """Put ``left`` frames of zeros in front, and add or cut frames at the end so that there are ``frames``."""
        right = frames - left - tf.shape(inputs)[1]
        padded = tf.pad(inputs, [[0, 0], [left, tf.maximum(right, 0)], [0, 0]])
        return tf.slice(padded, (0, 0, 0), (-1, frames, -1))


def linear_layers(block: Block) -> dict[str, Linear | DilatedConv]:
    """Return the linear layers within a block, by name."""
    within = block._flatten_layers(include_self=False)
    return {layer.name: layer for layer in within if isinstance(layer, Linear | DilatedConv)}
