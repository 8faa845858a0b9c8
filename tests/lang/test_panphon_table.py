"""What panphon reads in a phone, by panphon itself."""

import functools
import unicodedata

import panphon
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phone_strategies import CONSONANT, VOWEL

from speechtl.lang.ipa_symbols import TIE
from speechtl.lang.panphon_table import feature_table, phone_segments


@functools.cache
def panphons():
    return panphon.FeatureTable()


def test_the_table_is_panphons():
    names, table = feature_table()
    assert list(names) == panphons().names
    assert table == {segment: tuple(features.numeric()) for segment, features in panphons().seg_dict.items()}


@settings(max_examples=300, deadline=None)
@given(st.one_of(VOWEL, CONSONANT), st.sampled_from(["", "˥", "˧˥", "⁵¹"]), st.sampled_from(["NFC", "NFD"]))
def test_segments_are_panphons_wherever_it_knows_all_of_a_phone(phone, tone, form):
    phone = unicodedata.normalize(form, phone + tone)
    table, read = panphons(), phone_segments(phone)
    standard = table.standardize_tones(phone)
    left_out = [one for one in table.segs_safe(standard) if one not in table.seg_dict and one != TIE]
    if left_out:
        # Another spelling is taken only if more of it is known.
        assert len(read.lost) <= len(left_out)
    else:
        assert (list(read.segments), read.lost) == (table.ipa_segs(standard), "")


@pytest.mark.parametrize(
    ("phone", "segments", "lost"),
    [
        ("t͡ʃʰ", "t͡ʃʰ", ""),
        ("aɪ", "a ɪ", ""),
        ("a͡ɪ", "a ɪ", ""),
        ("ˈa˥˩", "a ˥ ˩", ""),
        ("g", "ɡ", ""),
        ("ʤ", "d͡ʒ", ""),
        ("ɝ", "ɜ˞", ""),
        ("ʡ", "", "ʡ"),
        ("á", "a", "\u0301"),
        ("AA1", "", "AA1"),
        ("sil", "", ""),
        ("SPN", "", ""),
    ],
)
def test_spellings_tones_silences_and_what_is_unknown(phone, segments, lost):
    read = phone_segments(phone)
    assert (" ".join(read.segments), read.lost) == (segments, lost)
