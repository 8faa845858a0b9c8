import math

import pytest

from speechtl.lang.lexicon import Lexicon
from speechtl.lang.missing_words import find_missing_words, known_spelling


def test_missing_words_are_counted():
    lexicon = Lexicon()
    lexicon.add("a", ["a"])
    missing = find_missing_words(lexicon, [["a", "b", "b"], ["c", "a", "A"]])
    assert (missing.counts, missing.total, missing.different) == ({"b": 2, "c": 1, "A": 1}, 6, 4)
    assert missing.most_frequent() == [("b", 2), ("A", 1), ("c", 1)]
    assert missing.in_other_case == ["A"] and missing.rate == 4 / 6
    nothing = find_missing_words(lexicon, [])
    assert (nothing.counts, nothing.total, nothing.different) == ({}, 0, 0) and math.isnan(nothing.rate)


@pytest.mark.parametrize(
    ("word", "spelling"),
    [
        ("Stop?", "stop"),
        ("Twenty-eight,", "twenty eight"),
        ("STOP", "stop"),
        ("«stop»", "stop"),
        ("don’t.", "don’t"),
        ("nasa", "NASA"),
        ("(Nasa)", "NASA"),
        ("stop...eight", "stop eight"),
        ("go", None),
        ("twenty-go", None),
        ("!", None),
    ],
)
def test_the_spelling_of_a_lexicon_is_found_for_words_of_written_texts(word, spelling):
    assert known_spelling(word, {"stop", "twenty", "eight", "don’t", "NASA"}) == spelling
