"""What the search drops: no more survives a frame than the settings say, and where less is there, nothing changes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.decoding.search.front import GROUPS, TOKENS
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory([*"abdkm"])
MOST = 10**9


def any_phones():
    """Return a decoder of all words of two phones, any of which may follow any."""
    lexicon = Lexicon()
    for said in itertools.permutations(PHONES.phones, 2):
        lexicon.add("".join(said), said)
    return LexiconDecoder(lexicon, PHONES, None, DecodingConfig(word_insertion_penalty=0.0))


DECODER = any_phones()


def flat(seed, frames, spread):
    """Return posteriors that hardly tell one unit from another."""
    logits = np.random.default_rng(seed).normal(0, spread, (frames, len(PHONES) + 1))
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


def with_settings(**changed):
    return DECODER.with_config(DecodingConfig(word_insertion_penalty=0.0, **changed))


@pytest.mark.parametrize("delta", [0.5, math.inf])
def test_flat_posteriors_do_not_pile_up_hypotheses(delta):
    decoder = with_settings(beam=100.0, max_active=60, beam_delta=delta)
    search = decoder.begin(times=True)
    for block in np.split(flat(0, 300, 0.1), 30):
        search.feed(block)
        memory = search._search._room.memory
        counts = [front.counts[TOKENS] + front.counts[GROUPS] for front in (memory.even, memory.odd)]
        # Each of those that survived stays, and moves on by at most five phones, at each of which a word may end.
        assert max(counts) <= 60 * (1 + 5 + 1 + 5)
    assert search.finish()[0].complete


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 12), spread=st.sampled_from([2.0, 4.0]))
def test_where_few_hypotheses_are_within_the_beam_the_limit_changes_nothing(seed, frames, spread):
    matrix = flat(seed, frames, spread)
    narrow, wide = (with_settings(beam=3.0, max_active=MOST, beam_delta=delta) for delta in (1e-3, math.inf))
    assert narrow.decode_nbest(matrix, 5, times=True) == wide.decode_nbest(matrix, 5, times=True)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), most=st.sampled_from([60, 200]), spread=st.sampled_from([0.1, 1.0]))
def test_a_limited_search_finds_something_whole_that_is_no_better_than_the_best(seed, most, spread):
    matrix = flat(seed, 30, spread)
    found = with_settings(max_active=most).decode_nbest(matrix, 3, times=True)
    best = with_settings(beam=1e6, max_active=MOST, blank_margin=math.inf).decode(matrix)
    assert all(one.complete for one in found)
    assert best.score >= found[0].score - 1e-6
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize("most", [200, 2000])
def test_of_words_that_sound_alike_the_first_is_found(most):
    lexicon = Lexicon()
    for said in itertools.permutations(PHONES.phones, 2):
        for spelling in ("first", "second"):
            lexicon.add("-".join([spelling, *said]), said)
    decoder = LexiconDecoder(lexicon, PHONES, None, DecodingConfig(word_insertion_penalty=1.0, max_active=most))
    for seed in range(5):
        found = decoder.decode(flat(seed, 12, 4.0), times=True)
        assert found.words
        assert all(word.startswith("first") for word in found.words)
