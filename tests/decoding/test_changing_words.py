"""Words that come later, settings that change, threads that share: the same results as a search built for them."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import LexiconError
from speechtl.grammar.ngram_model import train_ngram
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "b", "d", "k"])
WIDE = DecodingConfig(beam=1e6, max_active=10**9, blank_margin=math.inf, word_insertion_penalty=1.0)


def lexicon_of(words):
    lexicon = Lexicon()
    for word, said in words:
        lexicon.add(word, said)
    return lexicon


def noise(seed, frames=9):
    logits = np.random.default_rng(seed).normal(0, 2, (frames, len(PHONES) + 1))
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


spelled = st.lists(
    st.tuples(
        st.sampled_from(["one", "two", "three", "four"]), st.lists(st.sampled_from("abdk"), min_size=1, max_size=5)
    ),
    min_size=2,
    max_size=8,
    unique_by=lambda entry: (entry[0], tuple(entry[1])),
)


@settings(max_examples=60, deadline=None)
@given(words=spelled, split=st.integers(1, 7), seed=st.integers(0, 10**6), with_grammar=st.booleans())
def test_added_words_are_as_if_they_had_been_there(words, split, seed, with_grammar):
    """New words, second pronunciations, beginnings of other words; in the grammar, or sharing its <unk>."""
    split = min(split, len(words) - 1)
    grammar = None
    if with_grammar:
        grammar = train_ngram(
            [["one", "two", "one"], ["two", "three"], ["five"]], 2, vocabulary=["one", "two", "three"]
        )
    built = LexiconDecoder(lexicon_of(words), PHONES, grammar, WIDE)
    grown = LexiconDecoder(lexicon_of(words[:split]), PHONES, grammar, WIDE)
    for word, said in words[split:]:
        grown.add_word(word, said)
    for number in range(3):
        posteriors = noise(seed + number)
        expected, found = built.decode_nbest(posteriors, 4), grown.decode_nbest(posteriors, 4)
        assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-4)
        assert grown.decode(posteriors).score == pytest.approx(built.decode(posteriors).score, abs=1e-4)
    assert set(grown.unknown_words) == set(built.unknown_words)


def test_many_more_words_than_there_was_room_for():
    grown = LexiconDecoder(lexicon_of([("one", "ab")]), PHONES, None, WIDE)
    generator = np.random.default_rng(0)
    words = {f"w{number}": tuple(generator.choice(list("abdk"), 8)) for number in range(3000)}
    for word, said in words.items():
        grown.add_word(word, said)
    built = LexiconDecoder(lexicon_of([("one", "ab"), *words.items()]), PHONES, None, WIDE)
    for seed in range(3):
        assert grown.decode(noise(seed, 20)).score == pytest.approx(built.decode(noise(seed, 20)).score, abs=1e-4)


def test_the_lexicon_that_was_given_stays_as_it_is():
    lexicon = lexicon_of([("one", "ab")])
    LexiconDecoder(lexicon, PHONES, None, WIDE).add_word("two", ["k"])
    assert list(lexicon.entries) == ["one"]


@pytest.mark.parametrize("grammar", [None, train_ngram([["one", "two"], ["one"]], 2)])
def test_a_copy_has_words_of_its_own(grammar):
    decoder = LexiconDecoder(lexicon_of([("one", "ab")]), PHONES, grammar, WIDE)
    decoder.add_word("one", "d")
    before, other = decoder.decode_nbest(noise(3), 9), decoder.copy()
    assert other.decode_nbest(noise(3), 9) == before
    other.add_word("two", "k")
    built = LexiconDecoder(lexicon_of([("one", "ab"), ("one", "d"), ("two", "k")]), PHONES, grammar, WIDE)
    assert other.decode(noise(3)).score == pytest.approx(built.decode(noise(3)).score, abs=1e-4)
    assert "two" in {word for one in other.decode_nbest(noise(3), 9) for word in one.words}
    assert decoder.decode_nbest(noise(3), 9) == before


def test_what_cannot_be_added_changes_nothing():
    closed = train_ngram([["one"]], 1, vocabulary=["one"])
    decoder = LexiconDecoder(lexicon_of([("one", "ab")]), PHONES, closed, WIDE)
    before = decoder.decode(noise(1))
    for word, phones, message in [
        ("two", ["x"], "'two' cannot be added:\n.*x"),
        ("one", ["a", "b"], "'one' has this pronunciation already: a b"),
        ("two", [], "two"),
    ]:
        with pytest.raises(LexiconError, match=message):
            decoder.add_word(word, phones)
    assert decoder.decode(noise(1)) == before


def test_decoders_that_share_words_refuse_new_ones():
    decoder = LexiconDecoder(lexicon_of([("one", "ab")]), PHONES, None, WIDE)
    narrow = decoder.with_config(WIDE.model_copy(update={"beam": 3.0}))
    for one in (decoder, narrow):
        with pytest.raises(LexiconError, match="'two' cannot be added: with_config made another decoder"):
            one.add_word("two", ["k"])
    # One that had to be built anew shares nothing.
    anew = narrow.with_config(WIDE.model_copy(update={"mode": "isolated"}))
    anew.add_word("two", ["k"])
    assert "two" in {one.words[0] for one in anew.decode_nbest(noise(3), 2)}


@pytest.mark.parametrize(
    "change",
    [
        {"beam": 3.0},
        {"lm_weight": 0.3},
        {"word_insertion_penalty": -2.0},
        {"blank_penalty": 3.0},
        {"acoustic_scale": 0.5},
        {"mode": "isolated"},
        {"oov": "phones"},
        {"oov": "phones", "filler_penalty": 0.0, "filler_phone_penalty": 1.0},
    ],
)
def test_other_settings_are_as_if_built_with_them(change):
    words = [("one", "ab"), ("two", "ba"), ("three", "dak"), ("four", "k")]
    grammar = None if change.get("mode") else train_ngram([["one", "two"], ["three", "four"]], 2)
    config = WIDE.model_copy(update=change)
    first = LexiconDecoder(lexicon_of(words), PHONES, grammar, WIDE)
    first.add_word("two", ["d", "d"])
    changed = first.with_config(config)
    built = LexiconDecoder(lexicon_of([*words, ("two", "dd")]), PHONES, grammar, config)
    for seed in range(5):
        assert changed.decode(noise(seed)).words == built.decode(noise(seed)).words
        assert changed.decode(noise(seed)).score == pytest.approx(built.decode(noise(seed)).score, abs=1e-4)
    assert first.config == WIDE


def test_threads_do_not_disturb_each_other():
    decoder = LexiconDecoder(lexicon_of([("one", "ab"), ("two", "ba"), ("three", "dak")]), PHONES, None, WIDE)
    speech = [noise(seed, 40) for seed in range(40)]
    alone = [decoder.decode(posteriors) for posteriors in speech]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(decoder.decode, speech)) == alone


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), margin=st.floats(0.1, 20))
def test_frames_passed_over_cost_what_the_blank_costs(seed, margin):
    """With a clear blank in between, passing it over gives the words and the score of the whole search."""
    decoder = LexiconDecoder(lexicon_of([("one", "ab"), ("two", "ba"), ("three", "aab")]), PHONES, None, WIDE)
    posteriors = noise(seed, 12)
    blank = np.full(len(PHONES) + 1, -60.0, np.float32)
    blank[0] = -0.25
    posteriors = np.insert(posteriors, [0, 3, 3, 7, 12], blank, axis=0)
    skipping = decoder.with_config(WIDE.model_copy(update={"blank_margin": 59.0 if margin > 10 else 40.0}))
    assert skipping.decode(posteriors).score == pytest.approx(decoder.decode(posteriors).score, abs=1e-3)
    assert skipping.decode(posteriors).words == decoder.decode(posteriors).words
