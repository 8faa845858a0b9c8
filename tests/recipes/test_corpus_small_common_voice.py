"""The preparations of Persian and Twi: few Common Voice clips, many of them by one speaker."""

import csv
import json
import runpy
import sqlite3
from pathlib import Path

import pytest

from speechtl.data.datadir import DataDir
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import split_ipa

CORPORA = Path(__file__).resolve().parents[2] / "recipes" / "corpora"


def write_table(corpus, table, rows, write_clip=lambda path: path.with_suffix(".mp3").write_bytes(b"")):
    """Write a table of ``(speaker, clip, sentence)``, and the clips, by default empty ones."""
    (corpus / "clips").mkdir(parents=True, exist_ok=True)
    with (corpus / f"{table}.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow(["client_id", "path", "sentence", "up_votes"])
        for speaker, clip, sentence in rows:
            writer.writerow([speaker, f"{clip}.mp3", sentence, "2"])
            write_clip(corpus / "clips" / f"{clip}.wav")


@pytest.fixture
def twi(tmp_path):
    rows = [(f"speaker{number}", f"clip{number}", "Ná m’adwuma, “nkwaa”!") for number in range(8)]
    write_table(
        tmp_path / "twi", "validated", [*rows, ("speaker1", "digits", "Afe 1990"), ("speaker1", "foreign", "cv")]
    )
    write_table(tmp_path / "twi", "other", [("many", f"many{number}", "Me kɔɔ hɔ.") for number in range(205)])
    return tmp_path / "twi"


def test_twi_is_spelled_as_it_is_spoken(twi, tmp_path, prepare_corpus):
    result = prepare_corpus("twi", twi, tmp_path / "data")
    assert result.returncode == 0, result.stderr
    assert "left out: 1 clips with digits" in result.stdout
    assert "left out: 1 clips with words that have letters Twi has not" in result.stdout
    assert "left out: 5 clips of a speaker who has more than 200" in result.stdout
    lexicon = Lexicon.load(tmp_path / "data" / "lexicon.txt")
    phones = {word: " ".join(lexicon.pronounce(word)[0].phones) for word in lexicon.words}
    assert phones["m'adwuma"] == "m a d͡ʑʷ u m a"
    assert phones["nkwaa"] == "ŋ kʷ aː"
    assert phones["na"] == "n a"
    assert all(len(split_ipa(phone)) == 1 for text in phones.values() for phone in text.split())


def test_who_speaks_most_is_for_training_and_is_capped(twi, tmp_path, prepare_corpus):
    assert prepare_corpus("twi", twi, tmp_path / "data").returncode == 0
    parts = {part: DataDir.load(tmp_path / "data" / part) for part in ("train", "dev", "test")}
    assert [len(part.spk2utt) for part in parts.values()] == [6, 1, 2]
    assert sorted(map(len, parts["train"].spk2utt.values())) == [1, 1, 1, 1, 1, 200]
    assert {len(own) for part in ("dev", "test") for own in parts[part].spk2utt.values()} == {1}
    chosen = (tmp_path / "data" / "train" / "text").read_text()
    assert prepare_corpus("twi", twi, tmp_path / "data").returncode == 0
    assert (tmp_path / "data" / "train" / "text").read_text() == chosen
    assert prepare_corpus("twi", twi, tmp_path / "data", "--seed", "2").returncode == 0
    assert (tmp_path / "data" / "train" / "text").read_text() != chosen


def test_missing_clips_and_tables_are_named(twi, tmp_path, prepare_corpus):
    (twi / "clips" / "many7.mp3").unlink()
    assert "clips/many7.mp3: missing, other.tsv has it" in prepare_corpus("twi", twi, tmp_path / "data").stderr
    (twi / "other.tsv").unlink()
    result = prepare_corpus("twi", twi, tmp_path / "data")
    assert "these are missing: other.tsv. It is free: clone" in result.stderr


@pytest.fixture
def persian(tmp_path, write_audio):
    rows = [(f"speaker{number}", f"clip{number}", "كتابٔ می‌شود، خانه؟") for number in range(8)]
    write_table(tmp_path / "fa", "validated", rows, write_audio)
    write_table(tmp_path / "fa", "other", [("speaker0", "more", "جدید خانه")], write_audio)
    tihu = {"کتاب": "k e t A b", "میشود": "m i S a v a d", "دو کلمه": "d o k a l a m e"}
    moin = [
        ("خانه", "xɒːneh"),
        ("کتاب", "kʰotʰtʰɒːb"),
        ("بی معنی", "biː"),
        ("آیا", "ʔɒːiːɒː"),
        ("مورد", "movɾed"),
        ("نو", None),
    ]
    for path in ("PersianG2p/data", "persian_phonemizer/data"):
        (tmp_path / "dictionaries" / path).mkdir(parents=True)
    (tmp_path / "dictionaries/PersianG2p/data/tihudictBIG.json").write_text(json.dumps(tihu))
    with sqlite3.connect(tmp_path / "dictionaries/persian_phonemizer/data/moen_parsed.db") as database:
        database.execute("CREATE TABLE dictionary (id integer PRIMARY KEY, word text, IPA text)")
        database.executemany("INSERT INTO dictionary (word, IPA) VALUES (?, ?)", moin)
    database.close()
    return tmp_path


def test_persian_words_are_looked_up_in_two_dictionaries(persian, prepare_corpus):
    options = ("--dictionaries", persian / "dictionaries")
    result = prepare_corpus("persian", persian / "fa", persian / "data", *options)
    assert result.returncode == 0, result.stderr
    assert "1 of 4 words are in no dictionary" in result.stdout
    assert set(DataDir.load(persian / "data" / "test").text.values()) == {"کتاب میشود خانه"}
    lexicon = Lexicon.load(persian / "data" / "dictionary.txt")
    phones = {word: " ".join(lexicon.pronounce(word)[0].phones) for word in lexicon.words}
    assert phones == {
        "کتاب": "k e t ɒ b",
        "میشود": "m i ʃ æ v æ d",
        "خانه": "x ɒ n e",
        "آیا": "ɒ j ɒ",
        "مورد": "m o ɾ e d",
    }
    assert sorted(Lexicon.load(persian / "data" / "lexicon.txt").words) == sorted(["کتاب", "میشود", "خانه"])
    assert (persian / "data" / "unknown.txt").read_text() == "جدید\n"
    assert len((persian / "data" / "words.txt").read_text().split()) == 4


def test_persian_without_dictionaries_has_words_alone(persian, prepare_corpus):
    assert prepare_corpus("persian", persian / "fa", persian / "data").returncode == 0
    assert sorted(path.name for path in (persian / "data").glob("*.txt")) == ["words.txt"]
    result = prepare_corpus("persian", persian / "fa", persian / "other", "--dictionaries", persian / "fa")
    assert result.returncode == 1
    assert "Run pip install --no-deps --target DIR PersianG2p persian-phonemizer" in result.stderr


def test_tables_of_letters_say_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(CORPORA))
    spelled = runpy.run_path(str(CORPORA / "spelled.py"))
    (tmp_path / "letters.tsv").write_text("# a comment\na\ta\nsh\tʃ\n's\t\n")
    letters = spelled["read_letters"](tmp_path / "letters.tsv")
    assert spelled["phones_of"]("asha's", letters) == ["a", "ʃ", "a"]
    assert spelled["phones_of"]("sax", letters) == []
    (tmp_path / "letters.tsv").write_text("a\ta\nb b\na\te\n")
    with pytest.raises(SystemExit, match=r"letters\.tsv:2: expected new letters[^\n]*\n[^\n]*letters\.tsv:3"):
        spelled["read_letters"](tmp_path / "letters.tsv")
