"""The AN4 recipe that holds words out of training: how words are chosen and accuracies counted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
HOLD_OUT = RECIPES / "an4/local/hold_out_words.py"
WORD_ACCURACY = RECIPES / "shared/held_out_accuracy.py"


def run_python(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def output_of(*arguments):
    result = run_python(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def listed(path):
    return [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]


@pytest.fixture
def transcripts(tmp_path):
    """Make 40 utterances of ten words that share their phones, and two words that sound the same."""
    words = {f"W{first}{second}": f"{first} {second} A B" for first in "AB" for second in "ABCDE"}
    words |= {"O": "O", "OH": "O", "RARE": "Z A"}
    lines = [f"u{n:02} " + " ".join(sorted(words)[(n + k) % 10] for k in (0, 3)) for n in range(40)]
    lines = [line.replace(" WAA", " WAA O OH") for line in lines]
    (tmp_path / "text").write_text("\n".join([*lines, "u99 RARE"]) + "\n")
    (tmp_path / "lexicon.txt").write_text("\n".join(f"{word} {phones}" for word, phones in words.items()) + "\n")
    return tmp_path


def choose(folder, *options):
    arguments = ("--text", folder / "text", "--lexicon", folder / "lexicon.txt", "--out", folder / "words", *options)
    return run_python(HOLD_OUT, "choose", "--rarest", "0.05", "--commonest", "0.5", "--phones", "5", *arguments)


def test_words_are_held_out_by_rule(transcripts):
    assert choose(transcripts, "--number", "3", "--budget", "0.6").returncode == 0
    words = listed(transcripts / "words")
    assert 1 <= len(words) <= 3
    assert not {"O", "OH", "RARE"} & set(words)
    first = (transcripts / "words").read_text()
    assert choose(transcripts, "--number", "3", "--budget", "0.6").returncode == 0
    assert (transcripts / "words").read_text() == first
    arguments = ("--text", transcripts / "text", "--words", transcripts / "words", "--out", transcripts / "keep")
    output_of(HOLD_OUT, "keep", *arguments, "--vocabulary", transcripts / "vocabulary")
    text = {line.split()[0]: line.split()[1:] for line in (transcripts / "text").read_text().splitlines()}
    kept = listed(transcripts / "keep")
    assert set(kept) == {key for key, spoken in text.items() if not set(words) & set(spoken)}
    assert len(kept) >= 0.4 * len(text)
    assert not set(words) & set(listed(transcripts / "vocabulary"))


def test_the_phones_of_held_out_words_stay(transcripts):
    assert choose(transcripts, "--number", "9", "--budget", "1").returncode == 0
    lexicon = {line.split()[0]: line.split()[1:] for line in (transcripts / "lexicon.txt").read_text().splitlines()}
    words = listed(transcripts / "words")
    text = [line.split()[1:] for line in (transcripts / "text").read_text().splitlines()]
    left = [phone for spoken in text if not set(words) & set(spoken) for word in spoken for phone in lexicon[word]]
    assert words
    assert all(left.count(phone) >= 5 for word in words for phone in lexicon[word])


def test_a_word_without_pronunciation_is_named(transcripts):
    (transcripts / "text").write_text("u1 WAA NOSUCH\n")
    result = choose(transcripts)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "NOSUCH" in result.stderr


def test_accuracy_of_unseen_and_seen_words(tmp_path):
    test = tmp_path / "test"
    test.mkdir()
    (test / "text").write_text("s1-a P ONE TWO\ns1-b ONE X\ns2-a TWO TWO\ns2-b RARE ONE\n")
    (test / "utt2spk").write_text("s1-a s1\ns1-b s1\ns2-a s2\ns2-b s2\n")
    (tmp_path / "words").write_text("# held out\nP  # 9\nX  # 3\n")
    (tmp_path / "training").write_text("t1 ONE TWO\n")
    (tmp_path / "hyp").write_text("s1-a P ONE ONE\ns1-b ONE\ns2-a TWO P TWO\ns2-b RARE X\n")
    options = ("--words", tmp_path / "words", "--training", tmp_path / "training", "--details", tmp_path / "details")
    out = output_of(WORD_ACCURACY, test, *options, f"mine={tmp_path / 'hyp'}")
    found = {
        name: (int(hits), int(total)) for name, hits, total in re.findall(r"  (\S.*?) +\S+ %  \[ *(\d+) / *(\d+)", out)
    }
    assert found == {"held out": (1, 2), "all unseen": (2, 3), "seen, same": (2, 3), "seen, rest": (2, 3)}
    assert "difference  -16.7" in out
    assert "false alarms of held-out words: 2" in out
    details = (tmp_path / "details").read_text()
    assert re.search(r"X +0 / +1  \(nothing\) 1", details)
    (tmp_path / "training").write_text("t1 ONE P\n")
    result = run_python(WORD_ACCURACY, test, *options, f"mine={tmp_path / 'hyp'}")
    assert result.returncode == 1
    assert "has words of" in result.stderr
