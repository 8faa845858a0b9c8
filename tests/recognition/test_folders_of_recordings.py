"""``align`` and ``decode`` of recordings as people have them: a folder of audio and texts, a CSV."""

import numpy as np
import pytest
import soundfile
from command_line import run
from whistled_speech import RATE, whistle

from speechtl.data.tables import read_table
from speechtl.errors import DataError

TEXTS = {"anna/one": "tak sit kus", "anna/two": "ata si tak", "bert/one": "kus ata"}
IDS = {"anna-one": "anna/one", "anna-two": "anna/two", "bert-one": "bert/one"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of two speakers' recordings with their texts."""
    folder = tmp_path_factory.mktemp("recordings") / "talks"
    for seed, (name, text) in enumerate(TEXTS.items()):
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, whistle(text, seed, gap=0.3)[0], RATE)
        path.with_suffix(".txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def imported(experiment, folder):
    """Return a data directory of the same recordings, with features."""
    data = folder.parent / "imported"
    run("data import", folder, data)
    run("features", data, model=experiment)
    return data


def test_a_folder_is_aligned_as_its_data_directory(experiment, folder, imported, tmp_path):
    run("align", experiment, imported, tmp_path / "one", refine="never")
    found = run("align", experiment, folder, tmp_path / "two", refine="never")
    assert found.exit_code == 0 and "3 utterances" in found.stdout
    for name in ("ctm", "phones.ctm"):
        assert (tmp_path / "two" / name).read_text() == (tmp_path / "one" / name).read_text()
    written = {path.stem for path in (tmp_path / "two" / "textgrid").rglob("*.TextGrid")}
    assert written == {"anna-one", "anna-two", "bert-one"}
    # The folder itself is only read.
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".wav", ".txt"}


def test_a_folder_is_decoded_as_its_data_directory(experiment, folder, imported, tmp_path):
    words = {"lexicon": experiment / "lexicon" / "xx.txt"}
    run("decode", experiment, imported, tmp_path / "one", **words)
    found = run("decode", experiment, folder, tmp_path / "two", tune=folder, grid=["lm_weight=1"], **words)
    assert found.exit_code == 0 and f"{folder}: WER 0.00 %" in found.stdout
    expected = {utterance: TEXTS[name] for utterance, name in IDS.items()}
    assert read_table(tmp_path / "two" / "text") == read_table(tmp_path / "one" / "text") == expected
    assert (tmp_path / "two" / "phones.ctm").read_text() == (tmp_path / "one" / "phones.ctm").read_text()


def test_written_texts_are_aligned_as_clean_ones(experiment, folder, imported, tmp_path):
    run("align", experiment, imported, tmp_path / "one", refine="never")
    table = tmp_path / "talks.csv"
    rows = [f'{folder / name}.wav,{name.partition("/")[0]},"{text.capitalize()} – !"' for name, text in TEXTS.items()]
    table.write_text("\n".join(["file,speaker,text", *rows]))
    found = run("align", experiment, table, tmp_path / "two", refine="never")
    assert "talks.csv: read as the lexicon spells them: 'Ata' as 'ata', 'Kus' as 'kus', 'Tak' as 'tak'" in found.stdout
    assert (tmp_path / "two" / "ctm").read_text() == (tmp_path / "one" / "ctm").read_text()


def test_words_that_a_dictionary_lacks_are_guessed(experiment, tmp_path, monkeypatch):
    """It is guessed how they are said; a small lexicon says too little of that, unless rules or a model do."""
    (tmp_path / "talks").mkdir()
    soundfile.write(tmp_path / "talks" / "new.wav", whistle("tak sit", 3, gap=0.3)[0], RATE)
    (tmp_path / "talks" / "new.txt").write_text("Tak, titta! [noise]")
    with pytest.raises(DataError, match=r"'titta' is not in the lexicon"):
        run("align", experiment, tmp_path / "talks", tmp_path / "one")
    (tmp_path / "talks" / "new.txt").write_text("Tak, titta!")
    found = run("align", experiment, tmp_path / "talks", tmp_path / "two", rules="it")
    assert "talks: pronunciations guessed: titta t i tː a; say how they are pronounced with --add-word" in found.stdout
    monkeypatch.setattr("speechtl.recognition.forced_alignment._DICTIONARY", 2)
    found = run("align", experiment, tmp_path / "talks", tmp_path / "three")
    assert "talks: pronunciations guessed: titta t i t" in found.stdout
    for name in ("two", "three"):
        words = [line.split()[4] for line in (tmp_path / name / "ctm").read_text().splitlines()]
        assert words == ["tak", "titta"]


def test_a_table_is_decoded_again_without_computing_anything_twice(experiment, folder, tmp_path):
    table = tmp_path / "talks.csv"
    table.write_text("file\n" + "".join(f"{folder / name}.wav\n" for name in TEXTS))
    run("decode", experiment, table, tmp_path / "out")
    features = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "data").rglob("fbank.*.ark")}
    assert run("decode", experiment, table, tmp_path / "out").exit_code == 0
    assert features == {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "data").rglob("fbank.*.ark")}
    assert features
    # Another recording of the same name is another recording.
    other = tmp_path / "other.wav"
    soundfile.write(other, whistle("kus kus", 5, gap=0.3)[0], RATE)
    before = read_table(tmp_path / "out" / "phones")
    table.write_text(f"file,id\n{other},anna-one\n")
    run("decode", experiment, table, tmp_path / "out")
    after = read_table(tmp_path / "out" / "phones")
    assert len(after) == 1 and after["anna-one"] not in before.values()


def test_shards_are_decoded_as_their_data_directory(experiment, imported, tmp_path):
    run("data shard", imported, tmp_path / "shards")
    for name, data in (("one", imported), ("two", tmp_path / "shards")):
        assert run("decode", experiment, data, tmp_path / name).exit_code == 0
    assert (tmp_path / "two" / "phones").read_text() == (tmp_path / "one" / "phones").read_text()


def test_a_single_file_is_a_folder_of_one(experiment, folder, tmp_path):
    found = run("align", experiment, folder / "anna" / "two.wav", tmp_path / "out", refine="never")
    assert found.exit_code == 0 and "1 utterance" in found.stdout
    lines = [line.split() for line in (tmp_path / "out" / "ctm").read_text().splitlines()]
    assert [line[0] for line in lines] == ["two"] * 3 and [line[4] for line in lines] == TEXTS["anna/two"].split()


def test_what_is_of_no_use_costs_itself_alone(experiment, folder, tmp_path):
    talks = tmp_path / "talks"
    talks.mkdir()
    soundfile.write(talks / "good.wav", whistle("tak sit", 1, gap=0.3)[0], RATE)
    soundfile.write(talks / "silent.wav", np.zeros(RATE), RATE)
    (talks / "broken.wav").write_bytes(b"RIFF")
    for name in ("good", "silent", "broken"):
        (talks / f"{name}.txt").write_text("tak sit")
    soundfile.write(talks / "untold.wav", whistle("tak", 1)[0], RATE)
    for verb, options in (("align", {"refine": "never"}), ("decode", {"lexicon": experiment / "lexicon" / "xx.txt"})):
        found = run(verb, experiment, talks, tmp_path / verb, **options)
        assert found.exit_code == 0
        told = [line.strip() for line in found.stderr.splitlines()]
        assert "talks-silent: silent: nothing but digital silence" in told
        assert any(line.startswith("talks-broken: ") and "broken.wav" in line for line in told)
        assert ("talks-untold: no transcript" in told) == (verb == "align")
    words = [line.split()[4] for line in (tmp_path / "align" / "ctm").read_text().splitlines()]
    assert words == ["tak", "sit"]
    assert read_table(tmp_path / "decode" / "text")["talks-good"] == "tak sit"


def test_mistakes(experiment, imported, tmp_path):
    with pytest.raises(DataError, match="nowhere: missing; give a data directory, a folder of audio or a CSV"):
        run("align", experiment, tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "out" / "data").mkdir(parents=True)
    soundfile.write(tmp_path / "out" / "data" / "a.wav", whistle("tak")[0], RATE)
    with pytest.raises(DataError, match="is the folder that results are written into"):
        run("decode", experiment, tmp_path / "out" / "data", tmp_path / "out")
    with pytest.raises(DataError, match="has features, of a channel that was chosen"):
        run("decode", experiment, imported, tmp_path / "other", channel="first")
