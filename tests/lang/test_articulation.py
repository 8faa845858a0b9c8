import csv

import pytest
from hypothesis import given, settings
from phone_strategies import CONSONANTS, SEGMENTS

from speechtl.lang import articulation
from speechtl.lang.ipa_symbols import VOWELS
from speechtl.lang.panphon_table import data_folder


def test_distance_of_segments_is_the_weighted_difference_of_panphons_features():
    panphon = pytest.importorskip("panphon")
    table = panphon.FeatureTable()
    with open(data_folder() / "feature_weights.csv", encoding="utf-8", newline="") as file:
        names, values = csv.reader(file)
    weights = dict(zip(names, map(float, values)))
    letters = ["p", "b", "t͡ʃ", "s", "ʁ", "n̩", "i", "ɔ̃", "uː", "sˤ", "kʰ"]
    for first in letters:
        for second in letters:
            a, b = table.fts(first), table.fts(second)
            expected = sum(abs(a[name] - b[name]) * weight for name, weight in weights.items())
            expected /= 2 * sum(weights.values())
            assert articulation.phone_distance(first, second) == pytest.approx(expected)


@given(SEGMENTS, SEGMENTS, SEGMENTS)
@settings(max_examples=50, deadline=None)
def test_sequence_distance_is_symmetric_and_between_zero_and_one(first, second, third):
    distance = articulation.sequence_distance(first, second)
    assert distance == pytest.approx(articulation.sequence_distance(second, first))
    assert 0.0 <= distance <= 1.0
    assert articulation.sequence_distance(first, first) == 0.0
    # A common end changes no edit, and makes the longer sequence longer.
    longer = articulation.sequence_distance(first + third, second + third)
    assert longer <= distance + 1e-9


def test_distance_of_sequences_counts_insertions():
    assert articulation.sequence_distance(["k", "a"], ["k", "a", "t"]) == pytest.approx(1 / 3)
    assert articulation.sequence_distance([], ["a"]) == 1.0
    assert articulation.sequence_distance([], []) == 0.0
    assert articulation.phone_distance("a͡ɪ", "aɪ") == 0.0


def test_every_letter_has_features():
    for letter in sorted(VOWELS) + CONSONANTS:
        assert len(articulation.phone_vectors(letter)) == 1, letter
