"""Error counts against an edit distance of our own, and against what they must be at the edges."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.errors import DataError
from speechtl.scoring.error_rate import ErrorCounts, error_rate, per_speaker

sentences = st.lists(st.sampled_from(["a", "b", "c", "\u00e9", "x\u00a0y"]), max_size=8).map(" ".join)
tests = st.lists(st.tuples(sentences, sentences), min_size=1, max_size=4).map(
    lambda pairs: {f"u{place}": pair for place, pair in enumerate(pairs)}
)


def edit_distance(reference, hypothesis):
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        previous, row = row, [i]
        for j, found in enumerate(hypothesis, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (expected != found)))
    return row[-1]


@settings(max_examples=50, deadline=None)
@given(tests, st.sampled_from(["word", "character", "phone"]))
def test_counts_are_those_of_an_independent_edit_distance(pairs, unit):
    references = {utterance: reference for utterance, (reference, _) in pairs.items()}
    score = error_rate(references, {utterance: hypothesis for utterance, (_, hypothesis) in pairs.items()}, unit)
    for utterance, (reference, hypothesis) in pairs.items():
        expected, found = (
            list(text) if unit == "character" else text.split(" ") if text else [] for text in (reference, hypothesis)
        )
        counts = score.per_utterance[utterance]
        assert counts.errors == edit_distance(expected, found)
        assert counts.reference_length == len(expected)
        assert counts.insertions - counts.deletions == len(found) - len(expected)
        # The alignment is one of the two texts, with exactly these errors.
        alignment = score.alignments[utterance]
        assert [pair.reference for pair in alignment if pair.reference is not None] == expected
        assert [pair.hypothesis for pair in alignment if pair.hypothesis is not None] == found
        assert all((pair.operation == "C") == (pair.reference == pair.hypothesis) for pair in alignment)
        operations = "".join(pair.operation for pair in alignment)
        assert [operations.count(o) for o in "SDI"] == [counts.substitutions, counts.deletions, counts.insertions]
    assert score.total == sum(score.per_utterance.values(), ErrorCounts())
    assert list(score.per_utterance) == sorted(pairs)


@settings(max_examples=50, deadline=None)
@given(tests)
def test_a_text_has_no_errors_against_itself(pairs):
    text = {utterance: reference for utterance, (reference, _) in pairs.items()}
    score = error_rate(text, text)
    assert (score.total.errors, score.rate, score.total.wrong_sentences) == (0, 0.0, 0)


def test_lines_are_those_of_kaldi():
    reference = [f"w{place}" for place in range(773)]
    # Apart from each other, so that no two errors can be read as one.
    wrong, lost = set(reference[0:64:2]), set(reference[64:76:2])
    found = ["x" if word in wrong else word for word in reference if word not in lost]
    hypothesis = " ".join([*found, *["more"] * 8])
    score = error_rate({"u": " ".join(reference), "v": "", "w": ""}, {"u": hypothesis, "v": "", "w": ""})
    assert score.kaldi_line() == "%WER 5.95 [ 46 / 773, 8 ins, 6 del, 32 sub ]"
    assert score.kaldi_sentence_line() == "%SER 33.33 [ 1 / 3 ]"
    assert dataclasses.replace(score, unit="phone").kaldi_line().startswith("%PER 5.95 [ 46 / 773")
    assert dataclasses.replace(score, unit="character").kaldi_line().startswith("%CER 5.95 [ 46 / 773")


def test_characters_count_with_one_space_between_words():
    score = error_rate({"u": "ab  c\t"}, {"u": "abc"}, "character")
    assert score.total == ErrorCounts(0, 1, 0, 4, 1, 1)


def test_words_are_split_at_blanks_and_tabs_alone():
    score = error_rate({"u": "a\u00a0b\tc"}, {"u": "a\u00a0b  c"})
    assert score.total == ErrorCounts(0, 0, 0, 2, 1, 0)


def test_empty_references_count_insertions_and_empty_hypotheses_deletions():
    score = error_rate({"u": "", "v": "a b", "w": ""}, {"u": "x y z", "v": "", "w": ""})
    assert score.per_utterance["u"] == ErrorCounts(0, 0, 3, 0, 1, 1)
    assert score.per_utterance["v"] == ErrorCounts(0, 2, 0, 2, 1, 1)
    assert score.per_utterance["w"] == ErrorCounts(0, 0, 0, 0, 1, 0)
    assert score.rate == 2.5
    assert error_rate({"u": ""}, {"u": "x"}).kaldi_line() == "%WER inf [ 1 / 0, 1 ins, 0 del, 0 sub ]"
    assert error_rate({"u": ""}, {"u": ""}).kaldi_line() == "%WER 0.00 [ 0 / 0, 0 ins, 0 del, 0 sub ]"


def test_missing_hypotheses_are_deletions_and_extra_ones_an_error():
    score = error_rate({"u": "a b", "v": "c"}, {"v": "c"})
    assert score.missing == ["u"]
    assert (score.deletions, score.substitutions, score.insertions, score.reference_length) == (2, 0, 0, 3)
    with pytest.raises(DataError, match=r"2 hypotheses have no reference(.|\n)*  x\n  y"):
        error_rate({"u": "a"}, {"u": "a", "y": "b", "x": "b"})
    with pytest.raises(DataError, match="no references"):
        error_rate({}, {})


def test_speakers_are_counted_apart():
    score = error_rate({"u": "a b", "v": "c", "w": "d"}, {"u": "a x", "v": "c", "w": "d e"})
    rows = per_speaker(score, {"u": "two", "v": "two", "w": "one", "unused": "three"})
    assert rows == {"one": ErrorCounts(0, 0, 1, 1, 1, 1), "two": ErrorCounts(1, 0, 0, 3, 2, 1)}
    assert list(rows) == ["one", "two"]
    with pytest.raises(DataError, match=r"2 scored utterances are not in utt2spk(.|\n)*  v\n  w"):
        per_speaker(score, {"u": "one"})
