import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.errors import ModelError
from speechtl.report.history import curve, read_history

STEP = {"event": "step", "step": 20, "frames_per_second": 100.0, "ctc": 5.0, "gradient_norm": 2.0}
EPOCH = {"event": "epoch", "step": 25, "epoch": 1, "train_loss": 6.0, "dev_loss": 5.0, "dev_per": 40.0}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


def write(log, *events):
    log.write_text("".join(json.dumps(event) + "\n" for event in events))
    return log


def test_events_are_sorted_by_kind(log):
    better = {**EPOCH, "step": 50, "epoch": 2, "dev_per": 30.0}
    worse = {**EPOCH, "step": 75, "epoch": 3, "dev_per": 35.0}
    chosen = {"event": "pronunciations", "step": 50, "changed": 7}
    final = {"event": "final", "step": 75, "epochs_averaged": 2, "dev_per": 29.0}
    history = read_history(write(log, STEP, EPOCH, better, chosen, worse, {"event": "unheard_of", "step": 1}, final))
    assert history.steps == [STEP]
    assert history.epochs == [EPOCH, better, worse]
    assert history.pronunciations == [{**chosen, "epoch": 2}]
    assert history.final == final
    assert history.best_epoch == better
    assert history.step_names == ["frames_per_second", "ctc", "gradient_norm"]


def test_a_run_without_held_out_speech_has_no_best_epoch(log):
    history = read_history(write(log, {"event": "epoch", "step": 1, "epoch": 1, "train_loss": 1.0}))
    assert history.best_epoch is None and history.final is None


def test_a_missing_log(log):
    with pytest.raises(ModelError) as error:
        read_history(log)
    assert str(error.value) == (
        f"{log}: cannot read: No such file or directory; give the directory of an experiment that speechtl train made"
    )


@pytest.mark.parametrize("events", [(), ({"event": "final", "step": 0},)])
def test_a_log_without_training(log, events):
    with pytest.raises(ModelError) as error:
        read_history(write(log, *events))
    assert str(error.value) == f"{log}: no training in it yet; wait for the first 20 steps of speechtl train"


def test_half_a_log_lists_every_bad_line(log):
    good = json.dumps(STEP).encode() + b"\n"
    log.write_bytes(good + b"\xff\n[1]\n" + good + b'{"event": "epoch", "step": 3}\n{"event": "step", "st')
    with pytest.raises(ModelError) as error:
        read_history(log)
    assert str(error.value).splitlines() == [
        f"{log}: damaged; continue the run with speechtl train, or remove these lines:",
        f"  {log}:2: not JSON in UTF-8 (got '\N{REPLACEMENT CHARACTER}')",
        f"  {log}:3: not an event (got '[1]')",
        f"""  {log}:5: an event without 'epoch' (got '{{"event": "epoch", "step": 3}}')""",
        f"  {log}:6: half a line; training was killed while it wrote, or is writing now",
    ]


@given(st.lists(st.floats(-1e6, 1e6), max_size=300), st.integers(1, 50))
def test_a_long_curve_keeps_its_mean_and_order(values, limit):
    points = curve([{"step": step, "loss": value} for step, value in enumerate(values)], "step", "loss", limit)
    assert len(points) <= limit
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    if values:
        assert min(values) - 1e-6 <= min(y for _, y in points) <= max(y for _, y in points) <= max(values) + 1e-6
    if len(values) <= limit:
        assert points == list(enumerate(values))


def test_what_is_not_a_finite_number_is_left_out():
    entries = [{"step": 1, "loss": math.nan}, {"step": 2}, {"step": 3, "loss": 1.5}, {"step": 4, "loss": math.inf}]
    assert curve(entries, "step", "loss") == [(3.0, 1.5)]
