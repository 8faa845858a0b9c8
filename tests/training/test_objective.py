import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.alignment.ctc import frames_needed
from speechtl.alignment.pronunciations import choose_pronunciations
from speechtl.training.evaluate import best_path
from speechtl.training.objective import ctc_losses


def by_enumeration(log_posteriors, labels, combine):
    """Combine the scores of all paths that collapse to the labels."""
    frames, units = log_posteriors.shape
    scores = [
        sum(log_posteriors[t, u] for t, u in enumerate(path))
        for path in itertools.product(range(units), repeat=frames)
        if best_path(np.array(path)) == list(labels)
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


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 2), max_size=3))
def test_frames_needed_is_the_shortest_path(labels):
    shortest = next(
        frames
        for frames in range(6)
        if any(best_path(np.array(path, int)) == labels for path in itertools.product(range(3), repeat=frames))
    )
    assert frames_needed(labels) == shortest


WORDS = st.lists(
    st.lists(st.lists(st.integers(1, 2), min_size=1, max_size=2), min_size=1, max_size=2), min_size=1, max_size=2
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), WORDS)
def test_the_chosen_pronunciations_have_the_best_path(seed, words):
    scores = log_posteriors(seed, 6, 3).astype(float)
    best = {}
    for choice in itertools.product(*(range(len(word)) for word in words)):
        labels = [unit for word, index in zip(words, choice, strict=True) for unit in word[index]]
        best[choice] = by_enumeration(scores, labels, max)
    chosen = tuple(choose_pronunciations(scores, words))
    if max(best.values()) == -np.inf:
        assert not any(chosen)
    else:
        assert best[chosen] == pytest.approx(max(best.values()))


def test_without_frames_or_alternatives_the_first_is_taken():
    assert choose_pronunciations(np.zeros((0, 3)), [[[1], [2]]]) == [0]
    assert choose_pronunciations(np.zeros((1, 3)), [[[1, 2], [2, 1]]]) == [0]


def test_best_path_merges_and_drops_blanks():
    assert best_path(np.array([0, 1, 1, 0, 1, 2, 2, 0])) == [1, 1, 2]
    assert best_path(np.array([], int)) == []
