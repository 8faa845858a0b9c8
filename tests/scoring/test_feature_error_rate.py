"""Phone feature errors against panphon's own function, and what must hold for a distance."""

import functools

import panphon.distance
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phone_strategies import SEGMENTS
from rapidfuzz.distance import Levenshtein

from speechtl.lang.panphon_table import phone_segments
from speechtl.scoring.error_rate import error_rate
from speechtl.scoring.feature_error_rate import (
    FeatureErrors,
    describe_unknown,
    feature_distances,
    feature_error_rate,
)
from speechtl.scoring.significance import bootstrap_interval, paired_bootstrap

# Phones that are one segment of panphon's each.
PHONES = st.lists(
    st.sampled_from(
        ["p", "b", "t͡ʃ", "d͡ʒ", "s", "ʃ", "m", "ŋ", "l", "ɹ", "j", "a", "aː", "ɛ̃", "i", "u", "kʷ", "tʰ", "ɓ", "ǃ"]
    ),
    max_size=9,
)


@functools.cache
def oracle():
    return panphon.distance.Distance()


def distance(first, second):
    return feature_distances([first], [second])[0][0]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(SEGMENTS | st.just([]), SEGMENTS | st.just([])), min_size=1, max_size=4))
def test_distances_are_panphons(pairs):
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    # A phone that panphon reads in part is read in part here; one that is spelled in its way is given to it so.
    spelled = [
        [["".join(phone_segments(phone).segments) for phone in phones] for phones in side] for side in (first, second)
    ]
    expected = [
        oracle().hamming_feature_edit_distance("".join(one), "".join(two)) for one, two in zip(*spelled, strict=True)
    ]
    distances, lengths = feature_distances(first, second)
    assert distances == pytest.approx(expected, abs=1e-12)
    assert list(lengths) == [len(oracle().fm.ipa_segs("".join(one))) for one in spelled[0]]


@settings(max_examples=50, deadline=None)
@given(PHONES, PHONES, PHONES)
def test_it_is_a_distance_and_at_most_the_number_of_phone_errors(first, second, third):
    assert distance(first, first) == 0
    assert distance(first, second) == distance(second, first) <= Levenshtein.distance(first, second)
    assert distance(first, third) <= distance(first, second) + distance(second, third) + 1e-12


def test_rates_are_sums_over_sums():
    references = {"u1": ["p", "a"], "u2": ["t͡ʃ"], "u3": []}
    found = {"u1": ["b", "a", "s"], "u3": ["a"]}
    # p and b differ in voice alone; s and a are inserted, t͡ʃ is deleted.
    score = feature_error_rate(references, found)
    voice = 1 / 24
    assert score.per_utterance == {
        "u1": FeatureErrors(1 + voice, 2, 1),
        "u2": FeatureErrors(1.0, 1, 1),
        "u3": FeatureErrors(1.0, 0, 1),
    }
    assert score.rate == pytest.approx((3 + voice) / 3)
    assert score.total.mean == pytest.approx((3 + voice) / 3)
    assert score.kaldi_line() == "%PFER 101.39 [ 3.04 / 3 segments, 1.014 per utterance ]"
    assert not score.unknown


def test_silence_is_nothing_and_unknown_phones_are_counted():
    score = feature_error_rate({"u": ["sil", "a", "ʡ", "ʡ", "á"]}, {"u": ["SPN", "a", "ʡ", "a"]})
    assert score.total == FeatureErrors(0.0, 2, 1)
    assert score.unknown == {"ʡ": 3, "á": 1}
    assert describe_unknown(score.unknown).endswith("not all of, 4 phones, which count as far as it does: ʡ (3), á (1)")
    many = {f"X{number}": 1 for number in range(12)}
    assert describe_unknown(many).endswith("X9 (1) and 2 more")


def test_intervals_are_drawn_as_those_of_phone_errors():
    # Where every error is an insertion, phone errors and feature errors are the same, and so are their intervals.
    references = {f"u{number}": "p a" for number in range(9)}
    hypotheses = {f"u{number}": "p a s" if number % 3 else "p a" for number in range(9)}
    speakers = {utterance: utterance[-1:] for utterance in references}
    whole = error_rate(references, hypotheses, "phone")
    split = [{name: text.split() for name, text in table.items()} for table in (references, hypotheses)]
    features = feature_error_rate(*split)
    for utt2spk in (None, speakers):
        assert bootstrap_interval(features, utt2spk, samples=500) == bootstrap_interval(whole, utt2spk, samples=500)
    better = feature_error_rate(split[0], split[0])
    paired = paired_bootstrap(features, better, samples=500)
    assert paired.difference == pytest.approx(-6 / 18)
    assert paired.probability_of_improvement > 0.99
    assert paired.matched_pairs is None
