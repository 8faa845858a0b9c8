"""Phones without a lexicon, on posteriors made by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.alignment.ctc import greedy_phones
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.phone_recognition import recognise_phones
from speechtl.errors import DataError
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "b", "k"])


def log(rows):
    matrix = np.array(rows, float)
    return np.log(matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(1, 100), min_size=4, max_size=4), max_size=12), st.integers(1, 5))
def test_phones_are_the_greedy_ones_in_order_without_overlap(rows, nbest):
    matrix = log(rows) if rows else np.zeros((0, 4), np.float32)
    found = recognise_phones(matrix, PHONES, nbest=nbest)
    assert list(found.phones) == greedy_phones(matrix, PHONES) == [span.label for span in found.phone_spans]
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
