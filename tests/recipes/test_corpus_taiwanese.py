"""The preparation of the Taiwanese corpus, on a small copy of its layout."""

import pytest

from speechtl.data.datadir import DataDir
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import split_ipa


@pytest.fixture
def corpus(tmp_path, write_audio):
    folder = tmp_path / "corpus" / "data" / "train"
    texts = {1: "li be e mih", 2: " gua  siong ai", 3: "Obama ka li", 4: "ah", 10: "kiu lang"} | dict.fromkeys(
        range(11, 40), "eh siann"
    )
    for number in texts:
        write_audio(folder / f"{number}.wav", 16 if number == 4 else 4, rate=8000)
    (folder / "text").write_text("utils/fix_data_dir.sh: no such directory\n")
    lines = ["idtext", *(f"{number}{text}" for number, text in texts.items())]
    broken = b"\n5sa\xa8\xa7 sa\n\n"
    (folder / "text_normal.txt").write_bytes("\n".join(lines).encode() + broken)
    write_audio(folder / "5.wav")
    return tmp_path / "corpus"


def test_glued_texts_become_data_directories(corpus, tmp_path, prepare_corpus):
    result = prepare_corpus("taiwanese", corpus, tmp_path / "data", "--minutes", "1", "10")
    assert result.returncode == 0, result.stderr
    assert "left out: 2 recordings with words that are no Tâi-lô syllables" in result.stdout
    assert "left out: 1 recordings over 15 s" in result.stdout
    parts = {part: DataDir.load(tmp_path / "data" / part) for part in ("train", "dev", "test")}
    assert {part: len(data) for part, data in parts.items()} == {"train": 24, "dev": 4, "test": 4}
    everything = {key: text for data in parts.values() for key, text in data.text.items()}
    assert everything["taiwanese-0002"] == "gua siong ai"
    assert everything["taiwanese-0010"] == "kiu lang"
    assert set(parts["dev"].utt2lang.values()) == {"nan"}
    assert not (tmp_path / "data" / "dev" / "spk2gender").exists()
    lexicon = Lexicon.load(tmp_path / "data" / "lexicon.txt")
    assert sorted(lexicon.words) == sorted({word for text in everything.values() for word in text.split()})
    assert all(len(split_ipa(phone)) == 1 for word in lexicon.words for phone in lexicon.pronounce(word)[0].phones)


def test_minutes_of_training_speech_are_nested(corpus, tmp_path, prepare_corpus):
    arguments = ("taiwanese", corpus, tmp_path / "data", "--minutes", "1", "10", "--seed", "2")
    assert prepare_corpus(*arguments).returncode == 0
    # 24 utterances of four seconds last less than two minutes.
    assert not (tmp_path / "data" / "train_10min").exists()
    minute = DataDir.load(tmp_path / "data" / "train_1min")
    assert len(minute) == 15
    assert set(minute.text) < set(DataDir.load(tmp_path / "data" / "train").text)
    first = (tmp_path / "data" / "train_1min" / "text").read_text()
    assert prepare_corpus(*arguments).returncode == 0
    assert (tmp_path / "data" / "train_1min" / "text").read_text() == first


def test_what_is_wrong_is_listed(corpus, tmp_path, prepare_corpus):
    folder = corpus / "data" / "train"
    (folder / "11.wav").unlink()
    with (folder / "text_normal.txt").open("a") as file:
        file.write("1li be\nho ho\n")
    result = prepare_corpus("taiwanese", corpus, tmp_path / "data")
    assert result.returncode == 1
    assert "3 problems" in result.stderr
    assert "text_normal.txt:38: 1 has a text already" in result.stderr
    assert "text_normal.txt:39: expected a number and syllables (got 'ho ho')" in result.stderr
    assert "no audio file" in result.stderr
    (folder / "text_normal.txt").unlink()
    result = prepare_corpus("taiwanese", corpus, tmp_path / "data")
    assert "these are missing: data/train/text_normal.txt. It can be read by all: clone" in result.stderr
