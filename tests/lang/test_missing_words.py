import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.lang.lexicon import Lexicon
from speechtl.lang.missing_words import find_missing_words, in_known_spelling, known_spelling


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
        ("Don't", "don’t"),
        ("DON'T!", "don’t"),
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


def test_written_texts_are_read_as_the_lexicon_spells_them():
    known = {"stop", "twenty", "eight", "noise", "<unk>"}
    written = {
        "a": "Stop, twenty-eight!",
        "b": "stop – Go. [noise] <unk> (noise)",
        "c": "STOP stop",
    }
    read, lines = in_known_spelling(written, known)
    assert read == {"a": "stop twenty eight", "b": "stop Go [noise] <unk> (noise)", "c": "stop stop"}
    assert lines == [
        "read as the lexicon spells them: 'STOP' as 'stop', 'Stop,' as 'stop', 'twenty-eight!' as 'twenty eight'"
    ]
    many = {"a": "ONE TWO THREE FOUR FIVE"}
    _, (line,) = in_known_spelling(many, {word.lower() for word in many["a"].split()})
    assert line.endswith("'ONE' as 'one' and 2 more")


WORDS = ["stop", "Nasa", "don't", "twenty-eight"]


@given(st.lists(st.sampled_from(WORDS)), st.lists(st.text(st.characters(exclude_categories=["Z", "C"])), max_size=3))
def test_what_a_lexicon_has_is_read_as_it_is_and_reading_again_changes_nothing(words, others):
    text = " ".join(words)
    assert in_known_spelling({"u": text}, WORDS) == ({"u": text}, [])
    once, _ = in_known_spelling({"u": " ".join([*words, *others])}, WORDS)
    assert once["u"].split()[: len(words)] == words
    assert in_known_spelling(once, WORDS) == (once, [])
