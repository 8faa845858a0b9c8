"""The preparation of speechocean762, on a small copy of its layout."""

import pytest

from speechtl.data.datadir import DataDir
from speechtl.lang.lexicon import Lexicon

# Speakers of each half and their ages.
HALVES = {
    "train": {f"1{number:03}": 6 + number for number in range(16)},
    "test": {"0003": 6, "0009": 17, "0044": 18, "0051": 40},
}


@pytest.fixture
def corpus(tmp_path):
    """Make two halves of speakers with one recording each, and one recording that neither half lists."""
    for half, ages in HALVES.items():
        rows = {"wav.scp": [], "text": [], "utt2spk": [], "spk2age": [], "spk2gender": []}
        for speaker, age in ages.items():
            name = f"0{speaker}0001"
            audio = tmp_path / "corpus" / "WAVE" / f"SPEAKER{speaker}" / f"{name}.WAV"
            audio.parent.mkdir(parents=True)
            audio.write_bytes(b"")
            rows["wav.scp"].append(f"{name}\t{audio.relative_to(tmp_path / 'corpus')}")
            rows["text"].append(f"{name}\tWE CALL  IT")
            rows["utt2spk"].append(f"{name} {speaker}")
            rows["spk2age"].append(f"{speaker}\t{age}")
            rows["spk2gender"].append(f"{speaker}\t{'fm'[age % 2]}")
        (tmp_path / "corpus" / half).mkdir()
        for table, lines in rows.items():
            (tmp_path / "corpus" / half / table).write_text("\n".join(lines) + "\n")
    (audio.parent / "000510009.WAV").write_bytes(b"")
    (tmp_path / "corpus" / "resource").mkdir()
    lexicon = "CALL\tK AO0 L\nIT\tIH0 T\nIT\tIH0\nWE\tW IY0\nZERO\tZ IH1 R OW0\n"
    (tmp_path / "corpus" / "resource" / "lexicon.txt").write_text(lexicon)
    return tmp_path / "corpus"


def test_halves_are_divided_by_age(corpus, tmp_path, prepare_corpus):
    result = prepare_corpus("speechocean762", corpus, tmp_path / "data")
    assert result.returncode == 0, result.stderr
    assert "left out: 1 recordings without a text" in result.stdout
    names = ("train_all", "train", "dev", "test", "test_adults", "test_children")
    parts = {name: DataDir.load(tmp_path / "data" / name) for name in names}
    # Every eighth speaker of the training half, from the fifth on: the speakers of the test are sorted by age already.
    assert sorted(parts["dev"].spk2utt) == ["1004", "1012"]
    assert sorted(parts["train"].spk2utt) == sorted(set(HALVES["train"]) - {"1004", "1012"})
    assert sorted(parts["train_all"].spk2utt) == sorted(HALVES["train"])
    assert sorted(parts["test_adults"].spk2utt) == ["0044", "0051"]
    assert sorted(parts["test_children"].spk2utt) == ["0003", "0009"]
    assert parts["test"].text["0003-000030001"] == "WE CALL IT"
    assert parts["test"].spk2gender == {"0003": "f", "0009": "m", "0044": "f", "0051": "f"}
    assert set(parts["train"].utt2lang.values()) == {"en"}
    lexicon = Lexicon.load(tmp_path / "data" / "dict" / "lexicon.txt", notation="arpabet")
    assert len(lexicon.pronounce("IT")) == 2
    assert "ZERO" in lexicon.words


def test_all_problems_are_listed(corpus, tmp_path, prepare_corpus):
    (corpus / "WAVE/SPEAKER1000/010000001.WAV").unlink()
    (corpus / "resource/lexicon.txt").write_text("CALL K AO0 L\nIT IH0 T\n")
    for table in ("text", "spk2age"):
        lines = (corpus / "test" / table).read_text().splitlines()
        (corpus / "test" / table).write_text("\n".join(lines[1:] if table == "text" else lines[:-1]) + "\n")
    result = prepare_corpus("speechocean762", corpus, tmp_path / "data")
    assert result.returncode == 1
    assert "4 problems" in result.stderr
    assert "no audio file" in result.stderr
    assert "lexicon.txt: no pronunciation of WE" in result.stderr
    assert "000030001 is not in text" in result.stderr
    assert "000510001 is not in spk2age" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_missing_table_says_how_to_get_the_corpus(corpus, tmp_path, prepare_corpus):
    (corpus / "test" / "spk2age").unlink()
    result = prepare_corpus("speechocean762", corpus, tmp_path / "data")
    assert result.returncode == 1
    assert "these are missing: test/spk2age. It is free: clone the git repository" in result.stderr
