"""Forced alignment against brute force, and what must hold of every alignment."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posteriors import best_by_brute_force, peaked, random_posteriors

from speechtl.alignment.ctc import CtcAlignment, align_units
from speechtl.alignment.words import Pauses, align_phones, align_words, share_blanks
from speechtl.errors import DataError, LexiconError
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "b", "k", "sil"])


LEXICON = Lexicon()
LEXICON.add("x", ["a", "b"])
LEXICON.add("x", ["b"], 0.25)
LEXICON.add("y", ["b"])
LEXICON.add("y", ["b", "a"], 0.5)


@given(
    st.integers(0, 10**6),
    st.integers(2, 6),
    st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2),
    st.booleans(),
)
@settings(max_examples=40)
def test_words_agree_with_all_paths(seed, frames, words, with_silence):
    inventory = PhoneInventory(["a", "b", "sil"] if with_silence else ["a", "b"])
    log_posteriors = random_posteriors(seed, frames, len(inventory) + 1)
    scores = {}
    for choice in itertools.product(*(LEXICON.pronounce(word) for word in words)):
        for quiet in itertools.product([[], ["sil"]] if with_silence else [[]], repeat=len(words) + 1):
            said = [phone for said, rest in zip(choice, quiet[1:], strict=True) for phone in [*said.phones, *rest]]
            said = tuple(inventory.encode([*quiet[0], *said]))
            extra = sum(np.log(option.probability) for option in choice)
            scores[said] = max(extra, scores.get(said, -np.inf))
    best, path = best_by_brute_force(log_posteriors, lambda found: scores.get(tuple(found)))
    if path is None:
        with pytest.raises(DataError):
            align_words(log_posteriors, words, LEXICON, inventory)
        return
    alignment = align_words(log_posteriors, words, LEXICON, inventory)
    said = [[] for _ in words]
    for span, word in zip(alignment.phones, alignment.word_of_phone, strict=True):
        said[word].append(span.label)
    extra = sum(
        np.log(next(option.probability for option in LEXICON.pronounce(word) if list(option.phones) == phones))
        for word, phones in zip(words, said, strict=True)
    )
    assert alignment.score + extra == pytest.approx(best, abs=1e-4)


@given(
    st.integers(0, 10**6),
    st.integers(1, 30),
    st.lists(st.integers(1, 3), min_size=1, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.integers(0, 5),
    st.integers(0, 3),
)
def test_shared_blanks_leave_nothing_over(seed, spare, units, may_pause, gap, margin):
    log_posteriors = random_posteriors(seed, 2 * len(units) + spare, 4)
    alignment = align_units(log_posteriors, units)
    starts, ends = share_blanks(log_posteriors, units, alignment, may_pause, Pauses(gap, margin, margin + 1))
    assert np.all(starts <= alignment.starts) and np.all(ends >= alignment.ends)
    assert starts[0] >= 0 and ends[-1] <= len(log_posteriors)
    assert np.all(ends[:-1] <= starts[1:])
    for number in range(1, len(units)):
        blanks = alignment.starts[number] - alignment.ends[number - 1]
        if not may_pause[number] or blanks <= gap:
            assert ends[number - 1] == starts[number]


def test_blanks_go_to_the_phone_that_is_likelier():
    log_posteriors, _ = peaked([1, 2], frames_each=1, blanks=4)
    log_posteriors[5:8, 1] = np.log(0.05)  # Three of the four blanks between them sound like the first.
    alignment = align_units(log_posteriors, [1, 2])
    starts, ends = share_blanks(log_posteriors, [1, 2], alignment, [True, False], Pauses(10, 2, 2))
    assert (starts.tolist(), ends.tolist()) == ([2, 8], [8, 12])
    log_posteriors, _ = peaked([1, 1], frames_each=1, blanks=4)
    alignment = align_units(log_posteriors, [1, 1])
    assert share_blanks(log_posteriors, [1, 1], alignment, [True, False], Pauses())[1][0] == 7


def test_a_pause_between_words_and_none_inside():
    lexicon = Lexicon()
    lexicon.add("ab", ["a", "b"])
    log_posteriors, _ = peaked([1, 2, 1, 2], frames_each=1, blanks=12)
    alignment = align_words(log_posteriors, ["ab", "ab"], lexicon, PHONES, pauses=Pauses(gap=6, before=2, after=2))
    (first, second), phones = alignment.words, alignment.phones
    assert (first.label, first.start, first.end) == ("ab", 10, 28)
    assert (second.start, second.end) == (36, 54)
    assert phones[0].end == phones[1].start and phones[2].end == phones[3].start
    assert [phone.label for phone in phones] == ["a", "b", "a", "b"]
    assert alignment.word_of_phone == (0, 0, 1, 1)
    assert all(phone.confidence == pytest.approx(0.9) for phone in phones)


def test_a_silence_phone_is_silence():
    lexicon = Lexicon()
    lexicon.add("a", ["a"])
    log_posteriors, _ = peaked([4, 1, 4, 1], frames_each=4, blanks=0)
    alignment = align_words(log_posteriors, ["a", "a"], lexicon, PHONES)
    assert [(span.label, span.start, span.end) for span in alignment.words] == [("a", 4, 8), ("a", 12, 16)]
    assert [span.label for span in alignment.phones] == ["a", "a"]


def test_the_pronunciation_that_was_said_is_found():
    lexicon = Lexicon()
    lexicon.add("w", ["a", "b"])
    lexicon.add("w", ["k", "b"], 0.1)
    lexicon.add("w", ["k", "ʒ"])  # cannot be: the model lacks a phone
    for said in (["a", "b"], ["k", "b"]):
        log_posteriors, _ = peaked(PHONES.encode([*said, "a", "b"]))
        alignment = align_words(log_posteriors, ["w", "w"], lexicon, PHONES)
        assert [span.label for span in alignment.phones] == [*said, "a", "b"]


def test_phones_without_a_lexicon():
    log_posteriors, places = peaked([1, 3, 2], blanks=0)
    alignment = align_phones(log_posteriors, ["a", "k", "b"], PHONES)
    assert [(span.label, span.start, span.end) for span in alignment.phones] == [
        (phone, *place) for phone, place in zip("akb", places, strict=True)
    ]
    assert alignment.words == alignment.phones


def test_no_words():
    assert align_words(random_posteriors(0, 3, 5), [], Lexicon(), PHONES).words == ()


def test_mistakes_are_named():
    log_posteriors = random_posteriors(0, 4, 5)
    with pytest.raises(LexiconError, match=r"2 words are not in the lexicon:\n.*'foo'.*\n.*'bar'"):
        align_words(log_posteriors, ["foo", "x", "bar"], LEXICON, PHONES)
    lexicon = Lexicon()
    lexicon.add("ʒu", ["ʒ", "u"])
    with pytest.raises(LexiconError, match="2 phones are not in the inventory"):
        align_words(log_posteriors, ["ʒu"], lexicon, PHONES)
    with pytest.raises(LexiconError, match="'q' is not in the phone inventory"):
        align_phones(log_posteriors, ["q"], PHONES)
    empty = CtcAlignment(np.zeros(0, int), np.zeros(0, int), 0.0)
    assert len(share_blanks(log_posteriors, [], empty, [], Pauses())[0]) == 0
