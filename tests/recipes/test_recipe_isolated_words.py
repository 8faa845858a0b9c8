"""The tables of the recipe of isolated words: accuracy over folds, and which layers are worth taking over."""

import json
import re
from pathlib import Path

LOCAL = Path(__file__).resolve().parents[2] / "recipes" / "isolated_words" / "local"


def finish(folder, error):
    folder.mkdir(parents=True)
    lines = [{"event": "step", "dev_per": 99.0}, {"event": "final", "dev_per": error}]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_every_run_is_a_point_and_all_blocks_are_on_both_sides(run_python, tmp_path):
    finish(tmp_path / "runs" / "none.true.1", 70.0)
    finish(tmp_path / "runs" / "first:3.false.1", 40.0)
    finish(tmp_path / "runs" / "first:3.false.2", 44.0)
    finish(tmp_path / "runs" / "all.true.1", 30.0)
    result = run_python(LOCAL / "layers_table.py", tmp_path / "runs")
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


def test_a_run_that_has_not_ended_is_named(run_python, tmp_path):
    (tmp_path / "runs" / "last:1.true.1").mkdir(parents=True)
    (tmp_path / "runs" / "last:1.true.1" / "log.jsonl").write_text('{"event": "step"}\n')
    result = run_python(LOCAL / "layers_table.py", tmp_path / "runs")
    assert result.returncode == 1 and "last:1.true.1: training has not ended" in result.stderr


def test_results_count_every_clip_once_as_unseen(run_python, tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test/text").write_text("a1 x\na2 y\nb1 x\nb2 y\n")
    (tmp_path / "test/utt2spk").write_text("a1 a\na2 a\nb1 b\nb2 b\n")
    for fold, word in (("fold1", "x"), ("fold2", "y")):
        (tmp_path / fold).mkdir()
        (tmp_path / fold / "unseen_words").write_text(word + "\n")
    (tmp_path / "fold1/text").write_text("a1 x\na2 y\nb1 y\nb2 y\n")
    (tmp_path / "fold2/text").write_text("a1 x\na2 x\nb1 x\nb2 x\n")
    result = run_python(
        *(LOCAL / "results.py", tmp_path / "test", "--folds", tmp_path / "fold1", tmp_path / "fold2"),
        *("--hypotheses", f"{tmp_path}/{{fold}}/text", "--details", tmp_path / "details"),
    )
    assert result.returncode == 0, result.stderr
    out = result.stdout
    assert re.search(r"unseen +25.0 %  \[ +1 / +4\]", out)
    assert re.search(r"seen +100.0 %  \[ +4 / +4\]", out)
    assert "folds 25.0 ± 35.4" in out
    assert "50.0 %  one of 2 words" in out
    assert "x 50 100 y 1" in (tmp_path / "details").read_text()


def test_the_words_are_divided_evenly_and_the_same_with_the_same_seed(run_python, tmp_path):
    (tmp_path / "text").write_text("".join(f"u{n} {word}\n" for n, word in enumerate(("一", "二", "One", "Two") * 2)))
    (tmp_path / "lexicon.txt").write_text("一 i\n二 a˥˩ ɻ\nOne w a n\nTwo t u\n")
    arguments = ("--text", tmp_path / "text", "--lexicon", tmp_path / "lexicon.txt", "--folds", "2")
    for name in ("a", "b"):
        result = run_python(LOCAL / "divide_words.py", *arguments, "--out", tmp_path / name)
        assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("8 clips of 4 words, 2 to 2 of each\n")
    folds = [(tmp_path / name / f"fold{n}" / "unseen_words").read_text().split() for name in "ab" for n in (1, 2)]
    assert folds[:2] == folds[2:]
    assert all(sorted(word.isascii() for word in fold) == [False, True] for fold in folds)
    for bad, message in {"5": "--folds 5: expected 2 to 4, the number of words", "1": "--folds 1: expected"}.items():
        result = run_python(LOCAL / "divide_words.py", *arguments, "--out", tmp_path / "c", "--folds", bad)
        assert result.returncode == 1 and message in result.stderr
    (tmp_path / "lexicon.txt").write_text("一 i\n")
    result = run_python(LOCAL / "divide_words.py", *arguments, "--out", tmp_path / "c")
    assert result.returncode == 1 and "no pronunciation of One Two 二" in result.stderr
