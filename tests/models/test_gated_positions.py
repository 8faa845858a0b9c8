"""WavLM's gated bias of attention, written out; `test_convert` compares the whole with transformers."""

import math

import numpy as np
import pytest
import tensorflow as tf
from tiny_checkpoints import golden_value

from speechtl.models.gated_positions import GatedPositions, position_buckets

BUCKETS, DISTANCE, HEADS, WIDTH, WINDOW = 10, 7, 3, 4, 12


def bucket(position):
    """Return the bucket of a relative position: single ones up to a quarter of the buckets, then by logarithm."""
    half, away = BUCKETS // 2, abs(position)
    single = half // 2
    if away >= single:
        share = math.log(away / single) / math.log(DISTANCE / single)
        away = min(single + int(share * (half - single) + 1e-6), half - 1)
    return away + (half if position > 0 else 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def layer():
    layer = GatedPositions(HEADS, WIDTH, BUCKETS, DISTANCE, WINDOW, "positions")
    for number, variable in enumerate(layer.weights):
        variable.assign(variable.value + tf.random.stateless_normal(variable.shape, [number, 1]))
    return layer


@pytest.mark.parametrize("frames", [1, 2, 7, WINDOW])
def test_the_bias_of_each_pair_of_frames(layer, frames):
    x = np.random.default_rng(0).normal(size=(2, HEADS, frames, WIDTH)).astype(np.float32)
    table, kernel, bias, constant = (variable.numpy() for variable in layer.weights)
    outputs = x @ kernel + bias
    first, second = sigmoid(outputs[..., :4].sum(-1)), sigmoid(outputs[..., 4:].sum(-1))
    gate = first * (second * constant[..., 0] - 1) + 2
    expected = np.zeros((2, HEADS, frames, frames))
    for query in range(frames):
        for key in range(frames):
            expected[:, :, query, key] = gate[:, :, query] * table[bucket(key - query)]
    np.testing.assert_allclose(layer(tf.constant(x)), expected, atol=1e-5)


def test_buckets_are_those_of_transformers():
    found = position_buckets(np.arange(-1499, 1500), 320, 800)
    np.testing.assert_array_equal(found, golden_value("wavlm/buckets"))


def test_gradients_of_the_gate_and_the_table_are_those_of_finite_differences(layer):
    rng = np.random.default_rng(1)
    x = tf.constant(rng.normal(size=(2, HEADS, 9, WIDTH)).astype(np.float32))
    target = tf.constant(rng.normal(size=(2, HEADS, 9, 9)).astype(np.float32))
    values = [variable.value for variable in layer.weights]
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * target)
    *gradients, of_input = tape.gradient(loss, [*values, x])
    for variable, gradient in zip(layer.weights, gradients, strict=True):
        start, found = tf.identity(variable.value), np.zeros(variable.shape)
        for place in np.ndindex(*variable.shape):
            ends = []
            for step in (0.01, -0.01):
                variable.assign(tf.tensor_scatter_nd_add(start, [place], [step]))
                ends.append(float(tf.reduce_sum(layer(x) * target)))
            found[place] = (ends[0] - ends[1]) / 0.02
        variable.assign(start)
        np.testing.assert_allclose(gradient, found, rtol=0.01, atol=0.01, err_msg=variable.path)
    for place in np.ndindex(2, HEADS, 9, WIDTH):
        ends = [
            float(tf.reduce_sum(layer(tf.tensor_scatter_nd_add(x, [place], [step])) * target)) for step in (0.01, -0.01)
        ]
        assert float(of_input[place]) == pytest.approx((ends[0] - ends[1]) / 0.02, rel=0.02, abs=0.02)
