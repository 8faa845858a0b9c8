"""What gives the words of prepared corpora pronunciations, and lists the utterances that lack one."""

from pathlib import Path

import pytest

from speechtl.lang.lexicon import Lexicon

CORPORA = Path(__file__).resolve().parents[2] / "recipes" / "corpora"


def test_utterances_with_unknown_words_are_listed(tmp_path, run_python):
    (tmp_path / "text").write_text("a-2 go enter\na-1 go xx yy\nb-1 enter\n")
    (tmp_path / "lexiconp.txt").write_text("enter 0.9 ɛ n t ɝ\ngo 1.0 ɡ o͡ʊ\n")
    arguments = ("--data", tmp_path, "--lexicon", tmp_path / "lexiconp.txt", "--out", tmp_path / "out")
    result = run_python(CORPORA / "known_words.py", *arguments)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "kept.txt").read_text().split() == ["a-2", "b-1"]
    assert (tmp_path / "out" / "left_out.txt").read_text() == "a-1 xx yy\n"
    assert "left out: 1 of 3 utterances" in result.stdout
    (tmp_path / "lexiconp.txt").write_text("stop 1.0 s t ɑ p\n")
    assert "every utterance has words that" in run_python(CORPORA / "known_words.py", *arguments).stderr
    (tmp_path / "lexiconp.txt").unlink()
    assert "lexiconp.txt: no such file" in run_python(CORPORA / "known_words.py", *arguments).stderr


def test_epitran_reads_what_its_mapping_knows(tmp_path, run_python):
    pytest.importorskip("epitran")
    (tmp_path / "words.txt").write_text("csík\nszög\nщ\n", encoding="utf-8")
    options = ("--words", tmp_path / "words.txt", "--out", tmp_path / "lexicon.txt")
    result = run_python(CORPORA / "epitran_lexicon.py", "--language", "hu", *options)
    assert result.returncode == 0, result.stderr
    assert "left out: 1 of 3 words that epitran's mapping cannot read щ" in result.stdout
    lexicon = Lexicon.load(tmp_path / "lexicon.txt")
    assert {word: " ".join(lexicon.pronounce(word)[0].phones) for word in lexicon.words} == {
        "csík": "t͡ʃ iː k",
        "szög": "s ø ɡ",
    }
    (tmp_path / "words.txt").write_text("d'eau\n", encoding="utf-8")
    assert run_python(CORPORA / "epitran_lexicon.py", "--language", "fr", *options).returncode == 0
    assert (tmp_path / "lexicon.txt").read_text() == "d'eau d o\n"
    assert run_python(CORPORA / "epitran_lexicon.py", "--language", "cs", *options).returncode == 2
