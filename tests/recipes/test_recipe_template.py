"""What recipe N+1 starts from: a copy of it, made as its README says, runs from the corpus to a score."""

import re
from pathlib import Path

import pytest
from command_line import run

from speechtl.data.datadir import DataDir

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
WORDS = {"tak": "t a k", "sit": "s i t", "kus": "k u s"}


@pytest.fixture
def corpus(tmp_path, write_audio):
    """Make a corpus in the layout that the template reads: eight speakers, three clips each, one without transcript."""
    folder = tmp_path / "corpus"
    rows = []
    for speaker in "abcdefgh":
        for number in range(3):
            clip = f"{speaker}{number}"
            write_audio(folder / "clips" / f"speaker_{speaker}" / f"{clip}.{'wav' if number else 'flac'}", 0.5)
            words = sorted(WORDS)[number:] or ["tak"]
            rows.append(f"{clip}\t{' '.join(words)}")
    write_audio(folder / "clips" / "speaker_a" / "silent.wav")
    (folder / "transcripts.tsv").write_text("\n".join(rows) + "\n")
    (folder / "lexicon.txt").write_text("".join(f"{word} {phones}\n" for word, phones in WORDS.items()))
    return folder


@pytest.fixture
def copied(copy_recipe, run_bash, tmp_path):
    """Copy the template as its README says."""
    readme = (copy_recipe("TEMPLATE") / "README.md").read_text()
    commands = re.findall(r"^    ((?:cp|grep) .*)$", readme, re.MULTILINE)
    assert len(commands) == 3
    (tmp_path / "copy.sh").write_text(f"set -e\ncd {tmp_path}\n" + "\n".join(commands) + "\n")
    result = run_bash(tmp_path / "copy.sh")
    assert result.returncode == 0, result.stderr
    return tmp_path / "recipes" / "mycorpus"


def test_a_copy_of_the_template_runs_from_the_corpus_to_a_score(corpus, copied, commands_of, monkeypatch):
    for path in (*copied.rglob("*.*"), copied.parent / "corpora" / "mycorpus.py"):
        assert "TEMPLATE" not in path.read_text()
    commands = commands_of(copied, "--corpus", corpus, "--nj", "1")
    monkeypatch.chdir(copied)
    small = ["training.epochs=1", "model.encoder.size=8", "model.encoder.dilations=[1, 1]"]
    small = [argument for setting in small for argument in ("--set", setting)]
    for arguments in commands:
        done = run(*arguments, *(small if arguments[0] == "train" else []))
        assert done.exit_code == 0, (arguments, done.output)
    parts = {part: DataDir.load(copied / "data" / part) for part in ("train", "dev", "test")}
    assert {part: len(data.spk2utt) for part, data in parts.items()} == {"train": 5, "dev": 1, "test": 2}
    scored = (copied / "exp" / "tdnn" / "test" / "wer" / "wer").read_text()
    assert re.match(r"%WER [\d.]+ \[ \d+ / 12, ", scored)
    assert (copied / "exp" / "tdnn" / "test" / "per" / "wer").exists()


def test_what_is_wrong_with_a_corpus_is_listed_at_once(corpus, run_python, tmp_path):
    script = RECIPES / "corpora" / "TEMPLATE.py"
    result = run_python(script, "--corpus", corpus, "--out", tmp_path / "data")
    assert result.returncode == 0, result.stderr
    assert "left out: 1 clips without a transcript" in result.stdout
    (corpus / "clips" / "speaker_a" / "a0.flac").unlink()
    with (corpus / "transcripts.tsv").open("a") as file:
        file.write("x1 no tab\n")
    result = run_python(script, "--corpus", corpus, "--out", tmp_path / "other")
    assert result.returncode == 1
    assert "2 problems" in result.stderr
    assert "transcripts.tsv:25: expected clip and text with a tab between (got 'x1 no tab')" in result.stderr
    assert "clips: no audio of a0" in result.stderr
    assert not (tmp_path / "other").exists()
    (corpus / "lexicon.txt").unlink()
    result = run_python(script, "--corpus", corpus, "--out", tmp_path / "other")
    assert "is not the TEMPLATE corpus, these are missing: lexicon.txt. TEMPLATE is free: get it" in result.stderr
