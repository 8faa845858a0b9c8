"""What of a model is computed in another way where it is converted."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blstm import BlstmBlock
from speechtl.models.wav2vec2_stem import Wav2Vec2Stem

# Of the operation that stands for an LSTM until it is converted; its width follows.
_LSTM = "bidirectional_lstm_"


@contextlib.contextmanager
def computed_in_float32(model: AcousticModel) -> Iterator[None]:
    """Let the linear layers of a model multiply in float32, whatever they were trained in."""
    with contextlib.ExitStack() as stack:
        for part in _parts(model):
            if hasattr(part, "precision"):
                stack.enter_context(_changed(part, "precision", tf.float32))
        yield


@contextlib.contextmanager
def convertible(model: AcousticModel, for_onnx: bool = True) -> Iterator[None]:
    """Let a model be traced in a way that can be converted, and in float32.

    Loops over windows become one step.

    Args:
        model: the model.
        for_onnx: loops over time, which tf2onnx does not convert, become one operation of ONNX.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(computed_in_float32(model))
        for part in _parts(model):
            if isinstance(part, Wav2Vec2Stem):
                stack.enter_context(_changed(part, "at_once", True))
            if for_onnx and isinstance(part, BlstmBlock):
                stack.enter_context(_changed(part, "recur", _lstm_of(part)))
        yield


def _parts(model: AcousticModel) -> Iterator[keras.layers.Layer]:
    for _, layer in model.layers():
        yield from layer._flatten_layers()


@contextlib.contextmanager
def _changed(layer: keras.layers.Layer, name: str, value: Any) -> Iterator[None]:
    # Not by setattr, which Keras forbids for layers that are built where the value is or has a layer.
    before = layer.__dict__.get(name, layer)
    object.__setattr__(layer, name, value)
    try:
        yield
    finally:
        if before is layer:
            object.__delattr__(layer, name)
        else:
            object.__setattr__(layer, name, before)


def _lstm_of(block: BlstmBlock) -> Any:
    """Return the function ``(inputs, lengths) -> outputs`` of a block's LSTM, with a stand-in for ONNX's operation."""
    cells = [block.lstm.forward_layer.cell, block.lstm.backward_layer.cell]
    units = cells[0].units

    def gates(weights: tf.Tensor) -> tf.Tensor:
        """Bring gates from Keras's order (input, forget, cell, output) into ONNX's: input, output, forget, cell."""
        given, forget, cell, out = tf.split(weights, 4, axis=-1)
        return tf.concat([given, out, forget, cell], axis=-1)

    def recur(inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        kernels = tf.stack([tf.transpose(gates(cell.kernel.value)) for cell in cells])
        recurrent = tf.stack([tf.transpose(gates(cell.recurrent_kernel.value)) for cell in cells])
        biases = tf.stack([tf.concat([gates(cell.bias.value), tf.zeros(4 * units)], axis=0) for cell in cells])
        given = [tf.transpose(inputs, (1, 0, 2)), kernels, recurrent, biases, lengths]
        # (frames, directions, batch, units)
        outputs = tf.numpy_function(_never, given, tf.float32, name=f"{_LSTM}{units}")
        batch, frames = tf.unstack(tf.shape(inputs)[:2])
        return tf.reshape(tf.transpose(outputs, (2, 0, 1, 3)), (batch, frames, 2 * units))

    return recur


def _never(*inputs: np.ndarray) -> np.ndarray:
    raise NotImplementedError("an operation that stands for another was run")


def convert_lstm(context: Any, node: Any, name: str, arguments: object) -> None:
    """Put ONNX's LSTM in the place of its stand-in; a handler of tf2onnx."""
    width = re.search(rf"{_LSTM}(\d+)", name)
    if width is None:
        raise ValueError(f"{name}: unknown operation")
    inputs, outputs = list(node.input), list(node.output)
    context.remove_node(name)
    attributes = {"hidden_size": int(width[1]), "direction": "bidirectional"}
    context.make_node("LSTM", inputs, outputs=outputs, attr=attributes, name=name)
