"""The CTC topology against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posteriors import best_by_brute_force, collapsed, peaked, random_posteriors

from speechtl.alignment.ctc import align_units, choose_pronunciations, frames_needed, merge_repeats
from speechtl.errors import DataError


@given(st.lists(st.integers(0, 3)))
def test_merge_repeats_is_its_definition(units):
    assert merge_repeats(np.array(units, dtype=int)) == [unit for unit, _ in itertools.groupby(units) if unit]


def test_merge_repeats_merges_and_drops_blanks():
    assert merge_repeats(np.array([0, 1, 1, 0, 1, 2, 2, 0])) == [1, 1, 2]
    assert merge_repeats(np.array([], int)) == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 2), max_size=3))
def test_frames_needed_is_the_shortest_path(labels):
    shortest = next(
        frames
        for frames in range(6)
        if any(merge_repeats(np.array(path, int)) == labels for path in itertools.product(range(3), repeat=frames))
    )
    assert frames_needed(labels) == shortest


@given(st.integers(0, 10**6), st.integers(1, 6), st.lists(st.integers(1, 2), max_size=4))
@settings(max_examples=60)
def test_units_agree_with_all_paths(seed, frames, units):
    log_posteriors = random_posteriors(seed, frames, 3)
    score, path = best_by_brute_force(log_posteriors, lambda found: 0.0 if found == units else None)
    if path is None:
        with pytest.raises(DataError, match="too short for its text"):
            align_units(log_posteriors, units)
        return
    alignment = align_units(log_posteriors, units)
    assert alignment.score == pytest.approx(score, abs=1e-4)
    # The path that the spans describe has that score, and writes the units.
    found = np.zeros(frames, int)
    for unit, start, end in zip(units, alignment.starts, alignment.ends, strict=True):
        found[start:end] = unit
    assert collapsed(found) == units
    assert log_posteriors[np.arange(frames), found].sum() == pytest.approx(score, abs=1e-4)


def test_units_on_a_plain_path():
    log_posteriors, places = peaked([1, 2, 2, 3])
    alignment = align_units(log_posteriors, [1, 2, 2, 3])
    assert list(zip(alignment.starts, alignment.ends, strict=True)) == places
    assert alignment.score == pytest.approx(len(log_posteriors) * np.log(0.9), rel=1e-4)


def test_no_units():
    alignment = align_units(random_posteriors(0, 3, 4), [])
    assert len(alignment.starts) == 0
    assert alignment.score == pytest.approx(float(random_posteriors(0, 3, 4)[:, 0].sum()))
    assert align_units(np.zeros((0, 4), np.float32), []).score == 0.0


def test_texts_that_do_not_fit():
    log_posteriors = random_posteriors(0, 4, 5)
    with pytest.raises(DataError, match=r"too short for its text \(got 4 frames of posteriors, expected at least 5\)"):
        align_units(log_posteriors, [1, 1, 2, 3])
    with pytest.raises(DataError, match="give the text no probability"):
        align_units(np.full((4, 5), -np.inf), [1])


def by_enumeration(log_posteriors, labels, combine):
    """Combine the scores of all paths that collapse to the labels."""
    frames, units = log_posteriors.shape
    scores = [
        sum(log_posteriors[t, u] for t, u in enumerate(path))
        for path in itertools.product(range(units), repeat=frames)
        if merge_repeats(np.array(path)) == list(labels)
    ]
    return combine(scores) if scores else -np.inf


WORDS = st.lists(
    st.lists(st.lists(st.integers(1, 2), min_size=1, max_size=2), min_size=1, max_size=2), min_size=1, max_size=2
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), WORDS)
def test_the_chosen_pronunciations_have_the_best_path(seed, words):
    scores = random_posteriors(seed, 6, 3).astype(float)
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


def test_of_equal_pronunciations_the_first_is_chosen():
    # All paths have the same score.
    assert choose_pronunciations(np.full((9, 4), np.log(0.25)), [[[1, 2], [2, 1]], [[3, 1], [1, 3]]]) == [0, 0]
