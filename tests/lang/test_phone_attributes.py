import numpy as np
import pytest

from speechtl.errors import LexiconError
from speechtl.lang.articulation import phone_vectors
from speechtl.lang.ipa_symbols import LETTERS
from speechtl.lang.phone_attributes import attribute_count, attribute_matrix

both = pytest.mark.parametrize("table", ["panphon", "chart"])


def test_a_simple_phone_has_panphons_features_and_no_movement():
    features = np.array(phone_vectors("tˤ")[0])
    (row,) = attribute_matrix(["tˤ"])
    np.testing.assert_array_equal(row[: len(features)], features)
    assert not np.any(row[len(features) :])


@both
def test_every_letter_has_attributes_in_range(table):
    matrix = attribute_matrix(sorted(LETTERS), table)
    assert matrix.shape == (len(LETTERS), attribute_count(table))
    assert np.all(np.abs(matrix) <= 1)


def test_the_tables_can_be_told_apart_by_their_width():
    assert attribute_count("panphon") != attribute_count("chart")


@both
@pytest.mark.parametrize(
    ("one", "other"),
    [("t", "d"), ("a͡ɪ", "ɪ͡a"), ("a", "aː"), ("t", "tʰ"), ("t", "tʲ"), ("a˥", "a˩"), ("ˈa", "a"), ("a", "a˧")],
)
def test_what_is_told_apart_has_other_attributes(table, one, other):
    first, second = attribute_matrix([one, other], table)
    assert np.any(first != second)


@both
def test_a_tone_is_the_same_on_every_vowel_and_however_it_is_written(table):
    matrix = attribute_matrix(["a", "a˥˩", "â", "i", "i˥˩", "˥˩"], table)
    np.testing.assert_array_equal(matrix[1], matrix[2])
    np.testing.assert_allclose(matrix[1] - matrix[0], matrix[4] - matrix[3], atol=1e-6)
    np.testing.assert_allclose(matrix[1] - matrix[0], matrix[5], atol=1e-6)


def test_a_place_between_two_has_shares_of_both():
    """The chart has ``ʂ`` behind ``ʃ``, which is between the gum ridge and the palate."""
    s, sh, retroflex, palatal = attribute_matrix("sʃʂç", "chart")

    def distance(a, b):
        return np.abs(a - b).sum()

    assert distance(s, sh) < distance(s, retroflex) <= distance(s, palatal) + 1
    assert distance(sh, retroflex) < distance(s, retroflex)


@both
def test_phones_that_are_not_ipa_are_all_listed(table):
    with pytest.raises(LexiconError, match=r"(?s)'NSN'.*'SIL'|'SIL'.*'NSN'"):
        attribute_matrix(["NSN", "a", "SIL"], table)


@both
def test_no_phones_give_no_rows(table):
    assert attribute_matrix([], table).shape == (0, attribute_count(table))
