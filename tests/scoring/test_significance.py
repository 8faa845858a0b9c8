"""Intervals and tests against the normal approximation, hand-made cases and what must hold always."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.errors import DataError
from speechtl.scoring.error_rate import error_rate
from speechtl.scoring.significance import bootstrap_interval, compare, matched_pairs

sentence = st.lists(st.sampled_from("abc"), max_size=8)
triples = st.lists(st.tuples(sentence, sentence, sentence), min_size=2, max_size=6)


def score(pairs, unit="word"):
    return error_rate(
        {f"u{i:04}": reference for i, (reference, _) in enumerate(pairs)},
        {f"u{i:04}": hypothesis for i, (_, hypothesis) in enumerate(pairs)},
        unit,
    )


def random_score(seed, utterances, rate, words=5):
    chance = random.Random(seed)
    return score(
        [
            (" ".join("a" * words), " ".join("x" if chance.random() < rate else "a" for _ in range(words)))
            for _ in range(utterances)
        ]
    )


def test_interval_is_that_of_the_normal_approximation():
    result = random_score(1, utterances=1000, rate=0.2)
    interval = bootstrap_interval(result)
    errors = [counts.errors / 5 for counts in result.per_utterance.values()]
    deviation = math.sqrt(sum((e - result.rate) ** 2 for e in errors) / len(errors) / len(errors))
    assert interval.low == pytest.approx(result.rate - 1.96 * deviation, abs=0.15 * deviation)
    assert interval.high == pytest.approx(result.rate + 1.96 * deviation, abs=0.15 * deviation)
    assert (interval.groups, interval.by) == (1000, "utterance")
    narrower = bootstrap_interval(result, confidence=0.5)
    assert narrower.high - narrower.low == pytest.approx(2 * 0.674 * deviation, rel=0.1)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    held = 0
    for seed in range(200):
        interval = bootstrap_interval(random_score(seed, utterances=60, rate=0.3), samples=400, seed=seed)
        held += interval.low <= 0.3 <= interval.high
    assert 178 <= held <= 199


def test_speakers_that_err_together_widen_the_interval():
    # Two hundred utterances, but only ten opinions.
    pairs = [("a", "x" if i // 20 in (1, 4, 7) else "a") for i in range(200)]
    utt2spk = {f"u{i:04}": f"s{i // 20}" for i in range(200)}
    alone, together = bootstrap_interval(score(pairs)), bootstrap_interval(score(pairs), utt2spk)
    assert (together.groups, together.by) == (10, "speaker")
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_the_seed_decides():
    result = random_score(3, utterances=30, rate=0.3)
    first, again, other = (bootstrap_interval(result, samples=500, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_equal_utterances_leave_no_doubt():
    interval = bootstrap_interval(score([("a b", "a x")] * 5))
    assert interval.low == interval.high == 0.5


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(DataError, match=r"at least 2 utterances \(got 1\)"):
        bootstrap_interval(score([("a", "b")]))
    with pytest.raises(DataError, match=r"at least 2 speakers \(got 1\)"):
        bootstrap_interval(score([("a", "b"), ("a", "a")]), {"u0000": "s", "u0001": "s"})
    with pytest.raises(DataError, match="references have no words"):
        bootstrap_interval(score([("", "b"), ("", "a")]))
    with pytest.raises(DataError, match="confidence between 0 and 1"):
        bootstrap_interval(score([("a", "b"), ("a", "a")]), confidence=95)
    with pytest.raises(DataError, match=r"scored for one system only(.|\n)*u0002"):
        compare(score([("a", "b")] * 2), score([("a", "b")] * 3))
    with pytest.raises(DataError, match="cannot compare a score of words with one of phones"):
        compare(score([("a", "b")] * 2), score([("a", "b")] * 2, "phone"))


def test_empty_references_do_not_spoil_the_draw():
    interval = bootstrap_interval(score([("", "x"), ("a", "a")]))
    # The one word drawn twice: 0; each once: 1 error in 1 word. The empty reference drawn twice has no rate.
    assert (interval.low, interval.high) == (0.0, 1.0)


@settings(max_examples=30, deadline=None)
@given(triples)
def test_a_comparison_turned_round_is_its_mirror(rows):
    rows = [(["a"], *rows[0][1:]), *rows[1:]]
    first = score([(" ".join(r), " ".join(a)) for r, a, _ in rows])
    second = score([(" ".join(r), " ".join(b)) for r, _, b in rows])
    there, back = compare(first, second, samples=300), compare(second, first, samples=300)
    assert there.difference == -back.difference
    assert there.interval.low == pytest.approx(-back.interval.high)
    assert there.probability_of_improvement == pytest.approx(1 - back.probability_of_improvement)
    assert there.matched_pairs.segments == back.matched_pairs.segments
    assert there.matched_pairs.mean == -back.matched_pairs.mean
    # Every error is in exactly one segment.
    total = there.matched_pairs.mean * there.matched_pairs.segments
    assert total == pytest.approx(second.total.errors - first.total.errors)


def test_a_system_is_no_better_than_itself():
    result = random_score(5, utterances=50, rate=0.3)
    verdict = compare(result, result)
    assert (verdict.difference, verdict.interval.low, verdict.interval.high) == (0.0, 0.0, 0.0)
    assert verdict.probability_of_improvement == 0.5
    assert verdict.matched_pairs.p == 1.0


def test_a_paired_comparison_sees_what_two_intervals_hide():
    # B mends a twentieth of A's errors and makes none of its own.
    chance = random.Random(0)
    rows = [("a b c d", chance.choice(["a b c d", "x y c d", "x y z d"])) for _ in range(300)]
    first = score(rows)
    second = score([(r, r if h != r and i % 20 == 0 else h) for i, (r, h) in enumerate(rows)])
    verdict = compare(first, second)
    assert bootstrap_interval(first).low < second.rate
    assert verdict.interval.high < 0
    assert verdict.probability_of_improvement > 0.99
    assert verdict.matched_pairs.p < 0.01


def test_segments_end_at_two_words_that_both_have_right():
    reference = "a b c d e f g h"
    #        errors:  1       |           1 1 (f is right in both, but alone)
    first = score([(reference, "x b c d x f g h"), ("a", "a")])
    second = score([(reference, "x b c d e f x h"), ("a", "a b")])
    # Segments: "a" (1, 1); "e f g h" (1, 1); in the other utterance (0, 1).
    test = matched_pairs(first, second)
    assert test.segments == 3
    assert test.mean == pytest.approx(1 / 3)
    # Differences 0, 0, 1: variance 1/3.
    assert test.z == pytest.approx((1 / 3) / math.sqrt(1 / 3 / 3))
    assert test.p == pytest.approx(math.erfc(1 / math.sqrt(2)))


def test_matched_pairs_at_the_edges():
    right, wrong = score([("a", "a")] * 3), score([("a", "b")] * 3)
    assert matched_pairs(right, right).segments == 0
    assert math.isnan(matched_pairs(right, right).p)
    assert (matched_pairs(right, wrong).z, matched_pairs(right, wrong).p) == (math.inf, 0.0)
    assert matched_pairs(right, score([("b", "b")] * 3)) is None
