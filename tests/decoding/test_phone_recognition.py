"""Phones without a lexicon, on posteriors made by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.alignment.ctc import merge_repeats
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.phone_recognition import recognise_phones
from speechtl.decoding.phone_runs import find_phones
from speechtl.errors import DataError
from speechtl.lang.articulation import phone_distance
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "b", "k"])
POOLED = DecodingConfig(phone_decision="pooled")


def log(rows):
    matrix = np.array(rows, float)
    return np.log(matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("decision", ["best_path", "pooled"])
def test_repeats_merge_and_blanks_part(decision):
    def of_units(units):
        return np.log(np.eye(4, dtype=np.float32)[units] + np.float32(1e-9))

    assert find_phones(of_units([0, 1, 1, 0, 1, 2, 2, 0, 0, 3]), PHONES, decision) == ["a", "a", "b", "k"]
    assert find_phones(np.zeros((0, 4), np.float32), PHONES, decision) == []
    assert find_phones(of_units([0, 0]), PHONES, decision) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 100), min_size=4, max_size=4), max_size=12),
    st.integers(1, 5),
    st.sampled_from([DecodingConfig(), POOLED]),
)
def test_phones_are_in_order_without_overlap(rows, nbest, config):
    matrix = log(rows) if rows else np.zeros((0, 4), np.float32)
    found = recognise_phones(matrix, PHONES, config, nbest=nbest)
    if config is not POOLED:
        assert list(found.phones) == PHONES.decode(merge_repeats(matrix.argmax(axis=1)))
    assert list(found.phones) == [span.label for span in found.phone_spans]
    edges = [0, *(edge for span in found.phone_spans for edge in (span.start, span.end)), len(matrix)]
    assert edges == sorted(edges)
    for span in found.phone_spans:
        assert span.start < span.end
        listed = [span.label, *(phone for phone, _ in span.alternatives)]
        assert len(listed) == len(set(listed)) == min(nbest, len(PHONES))
        probabilities = [probability for _, probability in span.alternatives]
        assert probabilities == sorted(probabilities, reverse=True)
        assert span.confidence + sum(probabilities) <= 1 + 1e-6


def test_probabilities_are_mean_posteriors_while_the_phone_is_on():
    found = recognise_phones(log([[8, 1, 1, 0.5], [1, 6, 2, 1], [1, 7, 1, 1], [8, 1, 1, 0.5]]), PHONES, nbest=2)
    (span,) = found.phone_spans
    assert (span.label, span.confidence) == ("a", pytest.approx(0.65))
    assert span.alternatives == (("b", pytest.approx(0.15)),)
    assert recognise_phones(log([[1, 6, 2, 1]]), PHONES).phone_spans[0].alternatives == ()


def test_a_penalty_on_the_blank_finds_more_phones():
    matrix = log([[5, 4, 1, 1], [9, 1, 1, 1], [3, 1, 1, 2]])
    assert recognise_phones(matrix, PHONES).phones == ()
    assert recognise_phones(matrix, PHONES, DecodingConfig(blank_penalty=0.3)).phones == ("a",)
    assert recognise_phones(matrix, PHONES, DecodingConfig(blank_penalty=0.5)).phones == ("a", "k")


def test_posteriors_of_another_model_are_refused():
    with pytest.raises(DataError, match="take posteriors and phones from the same model"):
        recognise_phones(log([[1, 1, 1]]), PHONES)


def pooled_by_definition(matrix, inventory, penalty):
    """(phone, first frame, one past the last) of each phone, frame by frame."""
    runs = []
    for frame, row in enumerate(np.exp(matrix.astype(float))):
        phones = row[1:]
        if phones.sum() <= row[0] * math.exp(-penalty):
            continue
        best, share = inventory.phones[phones.argmax()], phones.max() / phones.sum()
        if runs and runs[-1][2] == frame and runs[-1][0] == best:
            runs[-1][2:] = frame + 1, max(runs[-1][3], share)
        else:
            runs.append([best, frame, frame + 1, share])
    merged = []
    for phone, first, end, share in runs:
        last = merged[-1] if merged else ["", -1, -1, 0.0]
        unsure = min(last[3], share) < 0.9 and phone_distance(last[0] or phone, phone) <= 0.3
        if last[2] == first and (last[0] == phone or unsure):
            together = np.exp(matrix[last[1] : end, 1:].astype(float)).sum(axis=0)
            merged[-1] = [inventory.phones[together.argmax()], last[1], end, max(last[3], share)]
        else:
            merged.append([phone, first, end, share])
    return [(phone, first, end) for phone, first, end, _ in merged]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0, 1, 2, 5, 30]), min_size=6, max_size=6).filter(sum), min_size=1, max_size=12),
    st.sampled_from([-1.0, 0.0, 0.7, 2.0]),
    st.sampled_from([1.0, 0.4]),
)
def test_the_pooled_decision_is_that_of_its_definition(rows, penalty, scale):
    inventory = PhoneInventory(["t", "d", "a", "e", "n"])
    with np.errstate(divide="ignore"):
        # A little off whole numbers: no two sums are equal.
        matrix = log(np.array(rows) * (1 + np.arange(6) * 1e-3) ** np.arange(len(rows))[:, None])
    config = DecodingConfig(phone_decision="pooled", blank_penalty=penalty, acoustic_scale=scale)
    found = recognise_phones(matrix, inventory, config)
    expected = pooled_by_definition(matrix, inventory, penalty)
    assert list(found.phones) == [phone for phone, _, _ in expected]
    assert math.isfinite(found.score)
    for span, (phone, first, end) in zip(found.phone_spans, expected, strict=True):
        assert span.start <= first < end <= span.end
        assert span.confidence == pytest.approx(
            np.exp(matrix[first:end, 1 + inventory.phones.index(phone)]).mean(), rel=1e-5
        )


def test_a_sound_between_two_phones_is_found_though_neither_beats_the_blank():
    matrix = log([[9, 1, 1], [4, 3, 3.5], [9, 1, 1]])
    between = PhoneInventory(["e", "i"])
    assert recognise_phones(matrix, between).phones == ()
    assert recognise_phones(matrix, between, POOLED).phones == ("i",)


@pytest.mark.parametrize(
    ("phones", "second", "expected"),
    [
        # Of t the model is sure in its second frame, of d it is not.
        ("t d", [1, 30, 70], ("t",)),
        ("t d", [1, 1, 98], ("t", "d")),
        # A vowel beside a consonant is a phone of its own, however unsure.
        ("t a", [1, 30, 70], ("t", "a")),
        # Letters that are no IPA sound like nothing else.
        ("T D", [1, 30, 70], ("T", "D")),
    ],
)
def test_neighbours_that_sound_alike_are_one_phone_unless_both_are_sure(phones, second, expected):
    matrix = log([[9, 1, 0.5], [1, 60, 40], [1, 98, 1], second, [9, 1, 0.5]])
    inventory = PhoneInventory(phones.split())
    assert recognise_phones(matrix, inventory, POOLED).phones == expected
    assert recognise_phones(matrix, inventory).phones == tuple(phones.split())


def test_what_lies_between_two_runs_of_a_phone_is_part_of_it():
    matrix = log([[9, 1, 0.5], [1, 98, 1], [1, 45, 55], [1, 98, 1], [9, 1, 0.5]])
    found = recognise_phones(matrix, PhoneInventory(["t", "d"]), POOLED)
    assert found.phones == ("t",)
    assert recognise_phones(matrix, PhoneInventory(["t", "d"])).phones == ("t", "d", "t")
