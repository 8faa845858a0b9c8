"""The rule that leaves out utterances by their alignment scores, on scores that are made up."""

import json
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "recipes" / "corpora" / "left_out_by_alignment.py"


@pytest.fixture
def check(tmp_path, run_python):
    """Return a function that writes scores by utterance (None: not aligned), runs the script and reads its lists."""

    def run(scores, *options):
        found = {utterance: score for utterance, score in scores.items() if score is not None}
        rows = [json.dumps({"utterance": u, "segments": [{"score_per_frame": s}]}) for u, s in found.items()]
        (tmp_path / "log.jsonl").write_text("\n".join(rows) + "\n")
        (tmp_path / "text").write_text("".join(f"{utterance} word\n" for utterance in sorted(scores)))
        arguments = ("--log", tmp_path / "log.jsonl", "--data", tmp_path, "--out", tmp_path / "out")
        result = run_python(SCRIPT, *arguments, *options)
        assert result.returncode == 0, result.stderr
        kept = (tmp_path / "out" / "kept.txt").read_text().split()
        return kept, (tmp_path / "out" / "left_out.txt").read_text().splitlines(), result.stdout

    return run


def test_outliers_and_what_was_not_aligned_are_left_out(check):
    # The median is -3 and the median deviation from it 1.
    scores = dict(zip("abcde", (-1.0, -2.0, -3.0, -4.0, -5.0), strict=True)) | {"f": -9.0, "g": 0.0, "h": None}
    kept, left_out, output = check(scores, "--deviations", "2")
    # Of a, ..., g the median is -3, the deviations are 2 1 0 1 2 6 3, of which the median is 2.
    assert left_out == ["h not aligned", "f -9.0000 below -8.9304"]
    assert kept == list("abcdeg")
    assert "left out: 1 of 8 utterances with outlying scores, 1 not aligned" in output
    assert check(scores, "--deviations", "2.1")[1] == ["h not aligned"]


def test_good_scores_are_never_too_good_and_equal_ones_are_kept(check):
    assert check({**dict.fromkeys("abcdef", -2.0), "g": 0.0})[1] == []


def test_normal_scores_are_kept(check):
    values = np.random.default_rng(1).normal(-2, 0.5, 1000)
    kept, left_out, _ = check({f"u{number:04}": value for number, value in enumerate(values)})
    assert len(left_out) <= 2
    assert len(kept) >= 998


def test_groups_are_judged_apart_if_they_are_large(check, tmp_path):
    values = np.linspace(-0.2, 0.2, 30).tolist() * 2
    scores = {f"a{number}": value - 1 for number, value in enumerate(values[:30])}
    scores |= {f"b{number}": value - 5 for number, value in enumerate(values[30:])}
    scores |= {"a-bad": -5.0, "c0": -5.0}
    (tmp_path / "utt2lang").write_text("".join(f"{utterance} {utterance[0]}\n" for utterance in scores))
    assert check(scores)[1] == []
    kept, left_out, _ = check(scores, "--groups", tmp_path / "utt2lang")
    assert [line.split()[0] for line in left_out] == ["a-bad"]
    assert "c0" in kept


def test_other_files_are_refused(tmp_path, run_python):
    (tmp_path / "text").write_text("a word\n")
    (tmp_path / "log.jsonl").write_text('{"utterance": "a"}\n')
    arguments = ("--log", tmp_path / "log.jsonl", "--data", tmp_path, "--out", tmp_path / "out")
    result = run_python(SCRIPT, *arguments)
    assert result.returncode == 1
    assert "log.jsonl:1: expected the log.jsonl of speechtl align" in result.stderr
    (tmp_path / "log.jsonl").write_text('{"utterance": "b", "segments": [{"score_per_frame": -1}]}\n')
    assert "b for one, are not in" in run_python(SCRIPT, *arguments).stderr
    (tmp_path / "log.jsonl").unlink()
    assert "log.jsonl: no such file" in run_python(SCRIPT, *arguments).stderr
