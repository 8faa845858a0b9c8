import math

from speechtl.lang.lexicon import Lexicon
from speechtl.lang.missing_words import find_missing_words


def test_missing_words_are_counted():
    lexicon = Lexicon()
    lexicon.add("a", ["a"])
    missing = find_missing_words(lexicon, [["a", "b", "b"], ["c", "a", "A"]])
    assert (missing.counts, missing.total, missing.different) == ({"b": 2, "c": 1, "A": 1}, 6, 4)
    assert missing.most_frequent() == [("b", 2), ("A", 1), ("c", 1)]
    assert missing.in_other_case == ["A"] and missing.rate == 4 / 6
    nothing = find_missing_words(lexicon, [])
    assert (nothing.counts, nothing.total, nothing.different) == ({}, 0, 0) and math.isnan(nothing.rate)
