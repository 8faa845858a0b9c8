from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from speechtl.adaptation.config import METHODS, AdaptationConfig, choose_config
from speechtl.adaptation.held_out import cross_validate, deal, is_above
from speechtl.adaptation.learner import Outputs, Speech
from speechtl.adaptation.report import BeforeAfter, table_lines, verdict_line
from speechtl.adaptation.request import Request
from speechtl.adaptation.result import Adapted, lines_of
from speechtl.adaptation.scorer import Scores
from speechtl.errors import ConfigError
from speechtl.scoring.error_rate import error_rate


@pytest.mark.parametrize("count", [2, 3, 4, 10, 60])
def test_every_utterance_is_held_out_once(count):
    parts = deal(count, 4, seed=1)
    assert len(parts) == min(count, 4)
    assert sorted(np.concatenate(parts)) == list(range(count))
    assert [list(part) for part in parts] == [list(part) for part in deal(count, 4, seed=1)]


def test_of_many_utterances_a_fifth_is_held_out_once():
    (part,) = deal(100, 4, seed=1)
    assert len(part) == 20


class FakeLearner:
    """Losses by fold and epoch as given; posteriors that name fold and epoch."""

    def __init__(self, curves, standard_errors=None):
        shape = {"folds": len(curves), "epochs": len(curves[0])}
        self.curves, self.config = curves, SimpleNamespace(**shape, seed=0, standard_errors=standard_errors)

    def learn(self, speech, epochs, seed):
        self.fold, self.epoch = seed - 1, 0
        for epoch in range(epochs):
            self.epoch = epoch + 1
            yield self.epoch

    def evaluate(self, held):
        loss = self.curves[self.fold][self.epoch - 1] / len(held)
        return Outputs(dict.fromkeys(held.ids, (self.fold, self.epoch)), dict.fromkeys(held.ids, loss))


class FakeScorer:
    """The hypothesis is right from some epoch on."""

    def __init__(self, right):
        self.right = right

    def score(self, references, posteriors):
        self.seen = posteriors
        words = {name: "a" if epoch >= self.right else "b" for name, (_, epoch) in posteriors.items()}
        rate = error_rate(dict.fromkeys(posteriors, "a"), words)
        return Scores(rate, rate)


def judge(curves, right, start=10.0, count=4, standard_errors=None):
    ids = [f"u{number}" for number in range(count)]
    speech = Speech(ids, [np.zeros((3, 2))] * count, [[1]] * count)
    parts = len(curves)
    before = Outputs(dict.fromkeys(ids, (-1, 0)), dict.fromkeys(ids, start * parts / count))
    learner, scorer = FakeLearner(curves, standard_errors), FakeScorer(right)
    return cross_validate(learner, speech, before, dict.fromkeys(ids, "a"), scorer), scorer


def test_the_other_parts_decide_when_a_part_stops():
    # Fold 0 alone would stop after 3 epochs, fold 1 after 1; each is tested where the other one stops.
    verdict, scorer = judge([[9.0, 8.0, 1.0], [2.0, 5.0, 9.5]], right=1)
    assert dict(scorer.seen.values()) == {0: 1, 1: 3}
    assert verdict.epochs == 3
    assert verdict.losses == pytest.approx([20 / 4, 11 / 4, 13 / 4, 10.5 / 4])
    assert verdict.before.words.total.errors == 4 and verdict.after.words.total.errors == 0


def test_the_source_is_kept_where_held_out_losses_rise():
    verdict, _ = judge([[11.0, 12.0], [11.0, 13.0]], right=0)
    assert verdict.epochs == 0 and verdict.after == verdict.before


def test_the_source_is_kept_where_errors_rise_though_losses_fall():
    ids = ["u0", "u1"]
    speech = Speech(ids, [np.zeros((3, 2))] * 2, [[1]] * 2)
    before = Outputs(dict.fromkeys(ids, (-1, 5)), dict.fromkeys(ids, 10.0))
    verdict = cross_validate(FakeLearner([[1.0], [1.0]]), speech, before, dict.fromkeys(ids, "a"), FakeScorer(5))
    assert verdict.epochs == 0 and verdict.after.words.total.errors == 0


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=12), st.sampled_from([0.5, 1.0, 2.0]))
def test_above_by_standard_errors_is_its_definition(differences, standard_errors):
    found = np.array(differences, float)
    expected = found.mean() - standard_errors * scipy.stats.sem(found)
    if abs(expected) > 1e-9:
        assert is_above(found, standard_errors) == (expected > 0)
    assert is_above(found, 0.0) == is_above(found, None) == (sum(differences) > 0)
    assert not is_above(np.array([5.0]), standard_errors)


@pytest.mark.parametrize("standard_errors", [0.0, 2.0])
def test_where_errors_alone_have_a_say_all_epochs_are_trained(standard_errors):
    # The losses are lowest after one epoch; the words are right after three.
    verdict, scorer = judge([[5.0, 8.0, 9.0], [4.0, 9.0, 9.5]], right=3, standard_errors=standard_errors)
    assert dict(scorer.seen.values()) == {0: 3, 1: 3}
    assert verdict.epochs == 3 and verdict.after.words.total.errors == 0


@pytest.mark.parametrize(("standard_errors", "epochs"), [(None, 0), (0.0, 0), (1.0, 1)])
def test_one_error_more_is_not_enough_for_standard_errors(standard_errors, epochs):
    ids = [f"u{number}" for number in range(6)]
    speech = Speech(ids, [np.zeros((3, 2))] * 6, [[1]] * 6)
    before = Outputs(dict.fromkeys(ids, "before"), dict.fromkeys(ids, 10.0))

    class OneMore:
        def score(self, references, posteriors):
            wrong = {"u0"} if "before" in posteriors.values() else {"u1", "u2"}
            rate = error_rate(dict.fromkeys(ids, "a"), {name: "b" if name in wrong else "a" for name in ids})
            return Scores(rate, rate)

    learner = FakeLearner([[1.0], [1.0]], standard_errors)
    verdict = cross_validate(learner, speech, before, dict.fromkeys(ids, "a"), OneMore())
    assert verdict.epochs == epochs
    assert verdict.after.words.total.errors == (2 if epochs else 1)


def test_without_transcripts_losses_alone_decide():
    ids = ["u0", "u1"]
    speech = Speech(ids, [np.zeros((3, 2))] * 2, [[1]] * 2)
    before = Outputs(dict.fromkeys(ids, (-1, 0)), dict.fromkeys(ids, 10.0))
    verdict = cross_validate(FakeLearner([[1.0], [1.0]]), speech, before, {}, FakeScorer(0))
    assert verdict.epochs == 1 and verdict.before is None
    # Losses that have risen, in both alike.
    for standard_errors in (None, 1.0):
        verdict = cross_validate(FakeLearner([[9.0], [11.0]], standard_errors), speech, before, {}, FakeScorer(0))
        assert verdict.epochs == (0 if standard_errors is None else 1)
        verdict = cross_validate(FakeLearner([[12.0], [12.1]], standard_errors), speech, before, {}, FakeScorer(0))
        assert verdict.epochs == 0


def test_a_method_and_its_settings():
    config = choose_config(30.0, "adapter", ("rank=2", "blocks=last:3"))
    assert isinstance(config, AdaptationConfig) and (config.rank, config.blocks) == (2, "last:3")
    assert {name: choose_config(1.0, name).method for name in METHODS} == {name: name for name in METHODS}
    assert choose_config(0.5).method in METHODS
    with pytest.raises(ConfigError, match=r"--method magic: unknown; known: fine_tuning, conserv"):
        choose_config(30.0, "magic")
    with pytest.raises(ConfigError, match=r"method lhuc: 1 problem\n  rate: unknown key; known keys: alpha, augment"):
        choose_config(30.0, "lhuc", ("rate=3",))


@pytest.mark.parametrize(("standard_errors", "said"), [(2.0, True), (None, False)])
def test_the_report_says_why_a_speaker_is_adapted_in_spite_of_more_errors(standard_errors, said, tmp_path):
    references = {f"u{number}": "a b c d" for number in range(10)}
    before = error_rate(references, dict(references))
    after = error_rate(references, references | {"u1": "a b c"})
    config = choose_config(30.0).model_copy(update={"standard_errors": standard_errors})
    pair = BeforeAfter("held out", Scores(before, before), Scores(after, after))
    numbers = {"seconds": 30.0, "utterances": 10, "epochs": 3, "parameters": 5, "size": 100}
    result = Adapted(config, comparisons=[pair], warnings=[], lines=[], file=tmp_path / "speaker.h5", **numbers)
    lines = lines_of(result, Request(tmp_path, tmp_path, tmp_path), 1.0)
    assert any("0 word errors before, 1 after" in line for line in lines)
    assert any("may be chance" in line for line in lines) == said


def test_the_table_lines_up_and_the_sentence_says_how_sure():
    references = {f"u{number}": "a b c d" for number in range(10)}
    before = error_rate(references, dict.fromkeys(references, "a b x"))
    after = error_rate(references, dict(references))
    comparison = BeforeAfter("held out", Scores(before, before), Scores(after, after))
    lines = table_lines([comparison])
    row = "held out before 10 50.00 50.0 - 50.0 10 10 0 50.00 50.0 - 50.0"
    assert " ".join(lines[1].split()) == row
    assert lines[2].split()[:4] == ["after", "10", "0.00", "0.0"]
    assert len({len(line) for line in lines}) == 1
    assert verdict_line(comparison) == (
        "held out: 20 word errors before, 0 after (100 % fewer); rate -50.0 points, 95 % interval -50.0 to -50.0"
    )
