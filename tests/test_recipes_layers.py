"""The table of the recipes that try which layers are worth taking over."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
SCRIPTS = sorted(RECIPES.glob("*/local/layers_table.py"))


def run_table(script, folder):
    command = [sys.executable, str(script), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def finish(folder, error):
    folder.mkdir(parents=True)
    lines = [{"event": "step", "dev_per": 99.0}, {"event": "final", "dev_per": error}]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.parts[-3])
def test_every_run_is_a_point_and_all_blocks_are_on_both_sides(script, tmp_path):
    finish(tmp_path / "runs" / "none.true.1", 70.0)
    finish(tmp_path / "runs" / "first:3.false.1", 40.0)
    finish(tmp_path / "runs" / "first:3.false.2", 44.0)
    finish(tmp_path / "runs" / "all.true.1", 30.0)
    result = run_table(script, tmp_path / "runs")
    assert result.returncode == 0
    points = [line.split("\t") for line in result.stdout.splitlines()]
    assert [point for point in points if point[0] == "first blocks, frozen"] == [
        ["first blocks, frozen", "3", "40.000"],
        ["first blocks, frozen", "3", "44.000"],
    ]
    assert {point[0] for point in points if point[1] == "5" and point[2] == "30.000"} == {
        "first blocks, trained on",
        "last blocks, trained on",
    }
    assert [point[1:] for point in points if point[0].startswith("=")] == [[str(n), "70.000"] for n in range(1, 6)]


def test_a_run_that_has_not_ended_is_named(tmp_path):
    (tmp_path / "runs" / "last:1.true.1").mkdir(parents=True)
    (tmp_path / "runs" / "last:1.true.1" / "log.jsonl").write_text('{"event": "step"}\n')
    result = run_table(SCRIPTS[0], tmp_path / "runs")
    assert result.returncode == 1 and "last:1.true.1: training has not ended" in result.stderr
