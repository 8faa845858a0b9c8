"""Greedy phones."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speechtl.alignment.greedy import greedy_phones, merge_repeats
from speechtl.lang.phones import PhoneInventory

PHONES = PhoneInventory(["a", "b", "k"])


def of_units(units):
    return np.eye(4, dtype=np.float32)[units]


def test_repeats_merge_and_blanks_part():
    assert greedy_phones(of_units([0, 1, 1, 0, 1, 2, 2, 0, 0, 3]), PHONES) == ["a", "a", "b", "k"]


def test_nothing():
    assert greedy_phones(np.zeros((0, 4), np.float32), PHONES) == []
    assert greedy_phones(of_units([0, 0]), PHONES) == []


@given(st.lists(st.integers(0, 3)))
def test_merge_repeats_is_its_definition(units):
    assert merge_repeats(np.array(units, dtype=int)) == [unit for unit, _ in itertools.groupby(units) if unit]
