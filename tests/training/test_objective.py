import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.alignment.ctc import frames_needed, merge_repeats
from speechtl.training.objective import ctc_losses


def by_enumeration(log_posteriors, labels, combine):
    """Combine the scores of all paths that collapse to the labels."""
    frames, units = log_posteriors.shape
    scores = [
        sum(log_posteriors[t, u] for t, u in enumerate(path))
        for path in itertools.product(range(units), repeat=frames)
        if merge_repeats(np.array(path)) == list(labels)
    ]
    return combine(scores) if scores else -np.inf


def log_posteriors(seed, frames, units):
    return tf.nn.log_softmax(np.random.default_rng(seed).normal(0, 2, (frames, units))).numpy()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 2), min_size=1, max_size=3))
def test_ctc_is_the_sum_over_all_alignments(seed, labels):
    frames = max(frames_needed(labels), 5)
    scores = log_posteriors(seed, frames, 3)
    padded = np.concatenate([scores, np.full((2, 3), 7.0)])[np.newaxis].astype(np.float32)  # padding must not matter
    loss = ctc_losses(
        tf.constant(padded), tf.constant([frames]), tf.constant([[*labels, 0]]), tf.constant([len(labels)])
    )
    expected = -by_enumeration(scores, labels, lambda s: np.logaddexp.reduce(s))
    assert float(loss[0]) == pytest.approx(expected, rel=1e-4)


def test_unlabelled_utterances_have_no_loss_and_no_gradient():
    logits = tf.constant(np.random.default_rng(0).normal(size=(3, 6, 4)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = ctc_losses(
            logits, tf.constant([6, 6, 0]), tf.constant([[1, 2], [0, 0], [0, 0]]), tf.constant([2, 0, 0])
        )
    gradient = tape.gradient(losses, logits).numpy()
    assert float(losses[0]) > 0 and not np.any(losses[1:])
    assert np.any(gradient[0]) and not np.any(gradient[1:])


def test_a_batch_without_labels_has_loss_zero():
    losses = ctc_losses(tf.zeros((2, 3, 4)), tf.constant([3, 3]), tf.zeros((2, 0), tf.int32), tf.constant([0, 0]))
    assert list(losses.numpy()) == [0, 0]
