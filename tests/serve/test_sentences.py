"""Sentences that have all phones, and measurements of recordings."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.audio.waveform import FULL_SCALE
from speechtl.serve.new_words import rank_pronunciations
from speechtl.serve.recording_check import check_recording
from speechtl.serve.sentences import Sentence, choose_sentences, sentences_of, sentences_of_words

RATE = 16000
SAID = {
    "the": [("ð", "ə"), ("ð", "i")],
    "cat": [("k", "æ", "t")],
    "sat": [("s", "æ", "t")],
    "Zoë": [("z", "oʊ", "i")],
    "don't": [("d", "oʊ", "n", "t")],
    "self": [("s", "ɛ", "l", "f")],
    "made": [("m", "eɪ", "d")],
}


def test_a_text_is_cut_at_sentences_and_written_as_the_lexicon_writes_it():
    found = sentences_of('"The cat sat!"  the CAT, sat\nZOË, don’t. Don\'t sit… Self-made? The cat sat.', SAID)
    assert [one.words for one in found.sentences] == [("the", "cat", "sat"), ("Zoë", "don't"), ("self", "made")]
    assert found.sentences[0].text == '"The cat sat!"'
    assert found.sentences[0].phones == ("ð", "ə", "k", "æ", "t", "s", "æ", "t")
    assert found.unknown["sit"] == 1


def test_nothing_comes_of_nothing():
    assert sentences_of(" \n.. !", SAID).sentences == [] == choose_sentences([], 3) == sentences_of_words({}, 3)


def test_the_first_choices_have_new_phones():
    sentences = [Sentence(text, (text,), tuple(text)) for text in ("aaaa", "ab", "cd", "abc", "dddddddd")]
    assert [one.text for one in choose_sentences(sentences, 2)] == ["abc", "dddddddd"]
    assert len(choose_sentences(sentences, 9)) == 5


phones = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8).map(tuple)


@settings(max_examples=100, deadline=None)
@given(st.lists(phones, min_size=1, max_size=7, unique=True), st.integers(1, 3))
def test_the_choice_reaches_its_bound(said, count):
    """1 - 1/e of the best choice, found by trying all (Nemhauser, Wolsey and Fisher 1978)."""
    import itertools

    sentences = [Sentence(str(n), (str(n),), one) for n, one in enumerate(said)]

    def value(some):
        return sum(np.sqrt(count) for count in Counter(phone for one in some for phone in one.phones).values())

    count = min(count, len(sentences))
    best = max(value(some) for some in itertools.combinations(sentences, count))
    chosen = choose_sentences(sentences, count)
    assert len(set(chosen)) == count and value(chosen) >= (1 - 1 / np.e) * best - 1e-9


def test_sentences_of_a_lexicon_have_all_its_phones_and_repeat_words_only_if_they_must():
    generator = np.random.default_rng(1)
    words = {f"w{n}": [tuple(generator.choice(list("abcdefghijklmnop"), 4))] for n in range(60)}
    made = sentences_of_words(words, 10)
    used = [word for one in made for word in one.words]
    assert len(made) == 10 and len(used) == 40 == len(set(used))
    assert {phone for one in made for phone in one.phones} == {p for (said,) in words.values() for p in said}
    few = sentences_of_words({"a": [("a",)], "b": [("b",)]}, 3)
    assert Counter(word for one in few for word in one.words) == {"a": 6, "b": 6}


def speech(seconds=2.0, level=-20.0, noise=-60.0, pauses=0.5):
    """Return something like speech: noise whose level (dB of full scale) is higher between two pauses."""
    generator = np.random.default_rng(0)
    signal = generator.normal(0, 10 ** (noise / 20), round((seconds + 2 * pauses) * RATE))
    first = round(pauses * RATE)
    signal[first : len(signal) - first] += generator.normal(0, 10 ** (level / 20), len(signal) - 2 * first)
    return (np.clip(signal, -1, 1) * FULL_SCALE).astype(np.float32)


@pytest.mark.parametrize(("level", "noise"), [(-20, -60), (-30, -50), (-20, -40), (-25, -37)])
def test_level_and_noise_are_measured(level, noise):
    check = check_recording(speech(level=level, noise=noise), RATE)
    assert check.level == pytest.approx(level, abs=1) and check.snr == pytest.approx(level - noise, abs=1.5)
    assert check.speech == pytest.approx(2.0, abs=0.05) and check.seconds == pytest.approx(3.0)
    assert bool(check.problems) == (level - noise < 15)


def test_what_is_wrong_with_a_recording():
    def problems(samples):
        return " ".join(check_recording(samples.astype(np.float32), RATE).problems)

    assert problems(speech()) == ""
    assert "clipped" in problems(speech(level=-5))
    assert "quiet" in problems(speech(level=-48, noise=-80))
    assert "noise" in problems(speech(noise=-30))
    for nothing in (np.zeros(RATE), np.random.default_rng(0).normal(0, 100, RATE), np.ones(3), speech(seconds=0.1)):
        assert "Hardly anything" in problems(nothing)


def test_an_error_in_one_of_three_recordings_is_ranked_last():
    heard = [("k", "æ", "t"), ("m", "u", "ŋ", "s"), ("k", "æ", "d")]
    ranked = rank_pronunciations(heard)
    assert ranked[-1] == ("m", "u", "ŋ", "s") and len(ranked) == 3
    # Twice the same is the best.
    assert rank_pronunciations([("a", "b"), ("a", "p"), ("a", "p")])[0] == ("a", "p")
    # A guess between two that were heard is nearer to both.
    assert rank_pronunciations([("b", "a", "s"), ("p", "a", "t")], [("p", "a", "s")])[0] == ("p", "a", "s")
    assert rank_pronunciations([()]) == []
