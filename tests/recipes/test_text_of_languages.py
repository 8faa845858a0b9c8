"""Sentences without speech, and what a language model of phones is made from."""

import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def run(script, *arguments):
    command = [sys.executable, str(RECIPES / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def fortunes(tmp_path):
    folder = tmp_path / "fortunes/usr/share/games/fortunes/de"
    folder.mkdir(parents=True)
    (folder / "weisheiten").write_text(
        "Der Ball ist rund, und ein Spiel\ndauert 90 Minuten. Wer früh aufsteht, ist müde!\n\t\t-- Sepp H.\n%\n"
        "Kaffee à la carte mag er nicht. Ja, nein.\n%\nWer FRÜH aufsteht - ist müde.\n",
        encoding="utf-8",
    )
    (folder / "weisheiten.dat").write_bytes(b"\xff\x00")
    return tmp_path / "fortunes"


def test_sentences_are_words_of_the_language_each_once(fortunes, tmp_path):
    done = run("corpora/fortunes.py", "--corpus", fortunes, "--out", tmp_path / "text")
    assert (done.returncode, done.stderr) == (0, "")
    # One has a number, one a letter of another language, one is short, one was there before.
    assert (tmp_path / "text/de/text").read_text(encoding="utf-8") == "fortunes-000000 wer früh aufsteht ist müde\n"
    words = (tmp_path / "text/de/words.txt").read_text(encoding="utf-8")
    assert words.split() == ["aufsteht", "früh", "ist", "müde", "wer"]
    assert done.stdout.endswith("de: 1 sentences\n")
    assert not (tmp_path / "text/ru").exists()


def test_what_is_wrong_with_the_sentences_is_said(fortunes, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("corpora/fortunes.py", "--corpus", tmp_path / "empty", "--out", tmp_path / "text")
    assert done.returncode and "has no sentences of de or ru in usr/share/games/fortunes. It is free" in done.stderr
    (fortunes / "usr/share/games/fortunes/de/alt").write_bytes("müde".encode("latin-1"))
    done = run("corpora/fortunes.py", "--corpus", fortunes, "--out", tmp_path / "text")
    assert done.returncode and "alt: not UTF-8" in done.stderr
    assert not (tmp_path / "text").exists()


def test_words_become_their_first_pronunciation_and_sentences_without_one_are_left_out(tmp_path):
    (tmp_path / "text").write_text("a one two\nb two three\nc two four\nd two one two\n")
    (tmp_path / "own.txt").write_text("one w ʌ n\none ʌ n\n")
    (tmp_path / "lexiconp.txt").write_text("one 1.0 o n\ntwo 0.9 t u\ntwo 0.1 t ə\nfour 1.0 f ɔ\n")
    (tmp_path / "model.txt").write_text("won w ʌ n\nto t u o\n")
    done = run(
        *("foundation/local/phone_text.py", "--text", tmp_path / "text", "--out", tmp_path / "phones"),
        *("--phones", tmp_path / "model.txt", "--lexicon", tmp_path / "own.txt", tmp_path / "lexiconp.txt"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "phones").read_text() == "a w ʌ n t u\nd t u w ʌ n t u\n"
