"""Confidence: what it is made of, that it is calibrated, and speech that is no word."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_lexicon_decoder import PHONES, WIDE, lexicon_of, posteriors_of, random_posteriors, viterbi

from speechtl.decoding import word_search
from speechtl.decoding.confidence import (
    calibration,
    confidence_of,
    fit_weights,
    mark_correct,
)
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import ConfigError

GREETING = [("hat", "a b"), ("hut", "b a"), ("hah", "a"), ("hub", "b")]


def test_fitted_confidences_are_calibrated():
    random = np.random.default_rng(0)
    features = random.normal(size=(20000, 2)) * [3, 0.1] + [1, 5]
    probability = 1 / (1 + np.exp(-(features @ [1.0, 4.0] - 20.5)))
    correct = random.random(len(features)) < probability
    weights = fit_weights(features[:10000], correct[:10000])
    assert weights == pytest.approx((-20.5, 1.0, 4.0), rel=0.15)
    fitted = confidence_of(features[10000:], weights)
    result = calibration(fitted.tolist(), correct[10000:].tolist())
    assert result.error < 0.02
    assert result.entropy > 0.2
    assert result.mean_confidence == pytest.approx(result.accuracy, abs=0.02)


def test_all_right_or_all_wrong_can_be_fitted():
    features = np.random.default_rng(0).normal(size=(50, 2))
    for truth in (np.ones(50, bool), np.zeros(50, bool)):
        values = confidence_of(features, fit_weights(features, truth))
        assert np.abs(values - truth).max() < 0.2


def test_calibration_error_by_hand():
    # Two bins of two: (0.2 + 0.4 - 1) / 4 + (0.8 + 1.0 - 1) / 4.
    result = calibration([0.8, 0.2, 1.0, 0.4], [True, False, False, True], bins=2)
    assert result.error == pytest.approx((0.4 + 0.8) / 4)
    assert (result.words, result.accuracy, result.mean_confidence) == (4, 0.5, pytest.approx(0.6))
    assert math.isnan(calibration([], []).error)


def test_constant_confidence_at_the_accuracy_knows_nothing():
    assert calibration([0.75] * 8, [True] * 6 + [False] * 2).entropy == pytest.approx(0)


def test_words_are_right_where_the_reference_has_them():
    references = {"u": "a b c", "v": "", "w": "a a"}
    marked = mark_correct(references, [("u", ("a", "x", "c")), ("v", ("a",)), ("w", ("a",)), ("x", ())])
    assert marked == {"u": [True, False, True], "v": [False], "w": [True], "x": []}


def test_a_word_with_a_rival_is_less_sure():
    lexicon = lexicon_of([("hat", "a b"), ("hub", "b b"), ("hut", "b a")])
    decoder = LexiconDecoder(lexicon, PHONES)
    scores = posteriors_of("a b b a")
    # The first phone is half b.
    scores[:2, 2] = scores[:2, 1] - 0.1
    first, second = decoder.decode(scores, times=True).word_spans
    assert (first.label, second.label) == ("hat", "hut")
    assert first.confidence < second.confidence
    # It is the list that shows it, so a list of one is made from a longer one.
    assert decoder.decode_nbest(scores, 5, times=True)[0].word_spans[0] == first


def test_spans_are_in_order_and_say_when():
    decoder = LexiconDecoder(lexicon_of(GREETING), PHONES)
    # Each phone two frames, then a blank.
    hypothesis = decoder.decode(posteriors_of("a b sil b a"), times=True)
    assert [span.label for span in hypothesis.word_spans] == ["hat", "hut"]
    assert [span.label for span in hypothesis.phone_spans] == list(hypothesis.phones)
    for number, span in enumerate(hypothesis.phone_spans):
        assert span.start <= 3 * number and 3 * number + 2 <= span.end
    for before, after in itertools.pairwise(hypothesis.phone_spans):
        assert before.end <= after.start
    assert hypothesis.word_spans[0].end == hypothesis.phone_spans[1].end


OPEN = {"oov": "phones", "filler_penalty": 1.5, "filler_phone_penalty": 0.5, "word_insertion_penalty": 1.0}


def test_speech_that_is_no_word_is_its_phones():
    decoder = LexiconDecoder(lexicon_of([("hat", "a b")]), PHONES, None, DecodingConfig(**OPEN))
    assert decoder.decode(posteriors_of("a b b b a a b")).words == ("hat", "<oov:b_b_a>", "hat")
    assert decoder.decode(posteriors_of("a b a b")).words == ("hat", "hat")
    hypothesis = decoder.decode(posteriors_of("b a sil b"), times=True)
    assert hypothesis.words == ("<oov:b_a_b>",)
    assert hypothesis.phones == ("b", "a", "sil", "b")
    closed = LexiconDecoder(lexicon_of([("hat", "a b")]), PHONES)
    assert set(closed.decode(posteriors_of("a b b b a a b")).words) == {"hat"}


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 4))
def test_fillers_agree_with_brute_force(seed, frames):
    """Every sequence of words and stretches of phones, scored by the definition."""
    config = DecodingConfig(**WIDE, **OPEN, silence_phone="none")
    inventory = PHONES
    lexicon, scores = lexicon_of([("u", "a"), ("v", "b a")]), random_posteriors(seed, frames)
    best = -math.inf
    tokens = ["u", "v", *inventory.phones]
    for count in range(frames + 1):
        for said in itertools.product(tokens, repeat=count):
            phones, score, outside = [], 0.0, False
            for token in said:
                if token in lexicon.entries:
                    phones += inventory.encode(lexicon.entries[token][0].phones)
                    score, outside = score - 1.0, False
                else:
                    phones.append(inventory.index(token))
                    score, outside = score - 0.5 - 1.5 * (not outside), True
            best = max(best, score + viterbi(scores, phones))
    hypothesis = LexiconDecoder(lexicon, inventory, None, config).decode(scores)
    assert hypothesis.score == pytest.approx(best, abs=1e-4)
    assert hypothesis.score == pytest.approx(hypothesis.acoustic_score + hypothesis.graph_score)


def test_isolated_words_are_exactly_one():
    decoder = LexiconDecoder(lexicon_of(GREETING), PHONES, None, DecodingConfig(mode="isolated"))
    assert decoder.decode(posteriors_of("a b b a")).words in {("hat",), ("hut",)}
    assert decoder.decode(posteriors_of("sil b")).words == ("hub",)
    silence = posteriors_of("sil sil")
    assert len(decoder.decode(silence).words) == 1
    wide = LexiconDecoder(lexicon_of(GREETING), PHONES, None, DecodingConfig(mode="isolated", **WIDE))
    found = wide.decode_nbest(posteriors_of("a b"), 10)
    assert found[0].words == ("hat",)
    assert sorted(one.words for one in found) == [("hah",), ("hat",), ("hub",), ("hut",)]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), most=st.sampled_from([2, 7000]))
def test_isolated_words_are_found_however_narrow_the_beam(seed, most):
    """With few words the search is exact; else it is made again without a beam where no word was within it."""
    scores = random_posteriors(np.random.default_rng(seed), 6) * 3
    config = DecodingConfig(mode="isolated", beam=0.1, blank_margin=0.1, max_active=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_search, "_FEW", most)
        found = LexiconDecoder(lexicon_of(GREETING), PHONES, None, config).decode(scores)
    assert found.complete
    assert len(found.words) == 1
    if most > 2:
        exact = LexiconDecoder(lexicon_of(GREETING), PHONES, None, DecodingConfig(mode="isolated", **WIDE))
        assert found.words == exact.decode(scores).words


def test_isolated_words_take_no_grammar(tmp_path):
    with pytest.raises(ConfigError, match="without a language model; leave it out"):
        LexiconDecoder(lexicon_of(GREETING), PHONES, tmp_path / "any.arpa", DecodingConfig(mode="isolated"))
