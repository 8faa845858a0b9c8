"""The table of recipes/multilingual/self_taught.sh."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "recipes" / "multilingual" / "local" / "self_taught_results.py"


def results(*arguments):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def score(folder, system, percent, seed, part, rate):
    place = folder / f"{system}_{percent}_{seed}" / part / "per"
    place.mkdir(parents=True)
    (place / "wer").write_text(f"%PER {rate:.2f} [ 1 / 2, 0 ins, 0 del, 1 sub ]\n%SER 1.00 [ 1 / 2 ]\n")


def test_rates_are_means_over_seeds_with_their_deviation_and_changes_are_relative(tmp_path):
    for seed, (before, after) in enumerate([(60, 40), (50, 45), (40, 35)], 1):
        score(tmp_path, "baseline", 5, seed, "dev", before)
        score(tmp_path, "self_taught", 5, seed, "dev", after)
    score(tmp_path, "baseline", 20, 1, "dev", 30)
    score(tmp_path, "self_taught_longer", 20, 1, "dev", 1)
    done = results(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "| % of the labels | baseline, dev PER % | self_taught, dev PER % | change |",
        "|---:|---:|---:|---:|",
        "| 5 | 50.0 ± 10.0 | 40.0 ± 5.0 | -20.0 % |",
        "| 20 | 30.0 ± 0.0 | – | – |",
        "",
    ]


def test_a_folder_without_scores_and_a_damaged_score_are_one_line(tmp_path):
    done = results(tmp_path)
    assert done.returncode == 1 and done.stderr.startswith(f"error: {tmp_path}: no scores below it")
    score(tmp_path, "baseline", 5, 1, "dev", 3)
    path = tmp_path / "baseline_5_1" / "dev" / "per" / "wer"
    path.write_text("nothing\n")
    done = results(tmp_path)
    assert done.returncode == 1 and done.stderr.startswith(f"error: {path}: does not start with an error rate")
