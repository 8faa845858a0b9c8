"""The Common Voice recipe on a small directory in the corpus's layout, from the tables to a transferred model."""

import csv
import runpy
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import run

from speechtl.data.datadir import DataDir
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import split_ipa
from speechtl.models.weights import load_arrays

CORPORA = Path(__file__).resolve().parents[2] / "recipes" / "corpora"
MP3 = "MP3" in soundfile.available_formats()
MANDARIN = ("你好。", "天氣，很好！", "我三十", "有 3 個")
TAIWANESE = ("自然 (tsū-jiân)", "飯（pn̄g）", "好 (hó)", "你好")


def make_language(folder, sentences, parts=("train", "dev", "test")):
    """Write tables and clips: one speaker for each part, each says every sentence once, as noise."""
    (folder / "clips").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for part in parts:
        with (folder / f"{part}.tsv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
            table.writerow(["client_id", "path", "sentence_id", "sentence", "up_votes", "age", "locale"])
            for number, sentence in enumerate(sentences):
                name = f"common_voice_{folder.name}_{part}{number}.mp3"
                table.writerow([f"{folder.name}{part}" * 8, name, "0", sentence, "2", "", folder.name])
                path = folder / "clips" / name
                soundfile.write(path if MP3 else path.with_suffix(".wav"), rng.normal(0, 0.1, 8000), 16000)
    return folder


@pytest.fixture
def corpus(tmp_path):
    make_language(tmp_path / "cv" / "zh-TW", MANDARIN)
    make_language(tmp_path / "cv" / "nan-tw", TAIWANESE)
    return tmp_path / "cv"


@pytest.fixture
def prepare(run_python):
    """Return a function that prepares one language of a corpus."""

    def run(corpus, language, out, *options):
        arguments = ("--corpus", corpus / language, "--language", language, "--out", out, "--tables", "utt2lang")
        return run_python(CORPORA / "commonvoice.py", *arguments, *options)

    return run


def texts(folder):
    return sorted(DataDir.load(folder).text.values())


@pytest.fixture(scope="module")
def spelling():
    return runpy.run_path(str(CORPORA / "commonvoice_spelling.py"))


def test_sentences_become_words_by_language(spelling):
    units_of, words_of = spelling["units_of"], spelling["words_of"]
    assert [units_of(code) for code in ("zh-TW", "nan-tw", "de", "ja")] == [
        "characters",
        "romanised",
        "words",
        "characters",
    ]
    assert words_of("L’été n'est pas «fini»!", "words") == ["l'été", "n'est", "pas", "fini"]
    assert words_of("天氣，很好。", "characters") == ["天", "氣", "很", "好"]
    assert words_of("天氣，很好。", "characters", frozenset({"天氣", "好"})) == ["天氣", "很", "好"]
    assert words_of("自然 (tsū-jiân)", "romanised") == ["tsu", "jian"]
    assert words_of("自然", "romanised") == []
    assert words_of("نمی\u200cشود.", "words") == ["نمیشود"]
    assert spelling["letters"]("नमस्ते") == ["न", "म", "स्", "ते"]


@pytest.mark.parametrize(
    ("syllable", "phones"),
    [
        ("tsu", "t͡s u"),
        ("jian", "d͡ʑ i ɛ n"),
        ("png", "p ŋ̩"),
        ("ng", "ŋ̩"),
        ("ngoo", "ŋ ɔ"),
        ("tshit", "t͡ɕʰ i t"),
        ("sann", "s \u00e3"),
        ("tsiah", "t͡ɕ i a ʔ"),
        ("kong", "k ɔ ŋ"),
        ("siong", "ɕ i ɔ ŋ"),
        ("io", "i o"),
        ("honnh", "h ɔ̃ ʔ"),
        ("ho", "h o"),
        ("hoo", "h ɔ"),
        ("chhit", "t͡ɕʰ i t"),
        ("strength", ""),
    ],
)
def test_taiwanese_syllables_have_phones(spelling, syllable, phones):
    found = spelling["taiwanese_phones"](syllable)
    assert [unicodedata.normalize("NFC", phone) for phone in found] == phones.split()
    # Each is one phone of the IPA.
    assert all(len(split_ipa(phone)) == 1 for phone in found)


def test_a_language_becomes_data_directories(corpus, tmp_path, prepare):
    result = prepare(corpus, "zh-TW", tmp_path / "zh")
    assert result.returncode == 0, result.stderr
    assert "left out: 3 clips with digits" in result.stdout
    assert texts(tmp_path / "zh" / "train") == ["你 好", "天 氣 很 好", "我 三 十"]
    result = prepare(corpus, "nan-tw", tmp_path / "nan")
    assert "left out: 3 clips with no romanisation" in result.stdout
    assert texts(tmp_path / "nan" / "dev") == ["ho", "png", "tsu jian"]
    assert Lexicon.load(tmp_path / "nan" / "syllables.txt").pronounce("png")[0].phones == ("p", "ŋ̩")
    assert prepare(corpus, "zh-TW", tmp_path / "letters", "--letters", "--units", "words").returncode == 0
    assert texts(tmp_path / "letters" / "train") == ["你 好", "天 氣 很 好", "我 三 十"]
    parts = [DataDir.load(tmp_path / "nan" / part) for part in ("train", "dev", "test")]
    assert len({speaker for part in parts for speaker in part.spk2utt}) == 3
    assert set(parts[0].utt2lang.values()) == {"nan-tw"}


def test_a_lexicon_chooses_sentences(corpus, tmp_path, prepare):
    (tmp_path / "lexicon.txt").write_text("天氣 tʰ j ɛ n t͡ɕʰ i\n很 x ə n\n好 x a͡ʊ\n", encoding="utf-8")
    result = prepare(corpus, "zh-TW", tmp_path / "zh", "--lexicon", tmp_path / "lexicon.txt")
    assert result.returncode == 0, result.stderr
    assert texts(tmp_path / "zh" / "train") == ["天氣 很 好"]


def test_validated_alone_is_divided_by_speaker(tmp_path, prepare):
    folder = make_language(tmp_path / "cv" / "de", ("Guten Tag",), [f"part{number}" for number in range(8)])
    tables = sorted(folder.glob("*.tsv"))
    rows = [line for path in tables for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    header = tables[0].read_text(encoding="utf-8").splitlines()[0]
    (folder / "validated.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    assert prepare(tmp_path / "cv", "de", tmp_path / "out").returncode == 0
    sizes = [len(DataDir.load(tmp_path / "out" / part).spk2utt) for part in ("train", "dev", "test")]
    assert sizes == [5, 1, 2]


def test_what_is_missing_is_said(corpus, tmp_path, prepare):
    for path in (corpus / "zh-TW" / "clips").glob("*train*"):
        path.unlink()
    result = prepare(corpus, "zh-TW", tmp_path / "zh")
    assert result.returncode == 1
    assert "4 problems" in result.stderr
    assert "train0.mp3: missing, train.tsv has it" in result.stderr
    (corpus / "nan-tw" / "test.tsv").unlink()
    result = prepare(corpus, "nan-tw", tmp_path / "nan")
    assert "neither train.tsv, dev.tsv and test.tsv nor validated.tsv. Common Voice is free" in result.stderr


def test_a_libsndfile_without_mp3_is_said(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(CORPORA))
    script = runpy.run_path(str(CORPORA / "commonvoice.py"))
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "", "FLAC": ""})
    script["check_mp3"]([Path("x.flac")])
    with pytest.raises(SystemExit, match=r"libsndfile reads from 1\.1 on \(got .*pip install -U soundfile"):
        script["check_mp3"]([Path("x.mp3")])


def test_the_whole_recipe(corpus, copy_recipe, commands_of, monkeypatch):
    recipe = copy_recipe("commonvoice")
    commands = commands_of(recipe, "--corpus", corpus, "--epochs", "1", "--nj", "1")
    monkeypatch.chdir(recipe)
    small = ["--set", "model.encoder.size=8", "--set", "model.encoder.dilations=[1, 1, 1]"]
    for arguments in commands:
        done = run(*arguments, *(small if arguments[0] == "train" else []))
        assert done.exit_code == 0, (arguments, done.output)
    exp = recipe / "exp" / "zh-TW-nan-tw"
    names = set(load_arrays(exp / "transfer" / "weights.h5")[0])
    assert {name.split("/")[1] for name in names if name.startswith("heads/")} == {"nan-tw", "zh-TW"}
    assert (exp / "transfer" / "phones" / "zh-TW.txt").read_text() == (exp / "source/phones/zh-TW.txt").read_text()
    for system in ("target", "transfer"):
        decoded = {line.split()[0] for line in (exp / system / "test" / "phones").read_text().splitlines()}
        assert decoded == set(DataDir.load(recipe / "data/zh-TW-nan-tw/target/test").utterance_ids)
        assert (exp / system / "test" / "per").exists()
