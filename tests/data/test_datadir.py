import resource
import subprocess
import sys

import pytest
from datadir_strategies import data_dirs, few_examples, same
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data.datadir import DataDir, Segment, Utterance, require_vacant
from speechtl.errors import DataError


def write(folder, **tables):
    folder.mkdir(exist_ok=True)
    for name, content in tables.items():
        path = folder / name.replace("_scp", ".scp")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@few_examples
@given(data=data_dirs())
def test_what_is_saved_loads(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("data") / "x"
    data.save(folder)
    loaded = DataDir.load(folder)
    assert same(loaded, data)
    assert loaded.spk2utt == data.spk2utt


@few_examples
@given(data=data_dirs(), choice=st.randoms(use_true_random=False))
def test_select_keeps_tables_in_agreement(tmp_path_factory, data, choice):
    folder = tmp_path_factory.mktemp("data") / "x"
    chosen = choice.sample(data.utterance_ids, choice.randint(1, len(data)))
    part = data.select(chosen)
    part.save(folder)
    assert same(DataDir.load(folder), part)
    assert part.utterance_ids == sorted(chosen)
    assert set(part.wav_scp) == {part.recording_of(utterance) for utterance in chosen}
    assert [part.utterance(utterance) for utterance in chosen] == [data.utterance(utterance) for utterance in chosen]


def test_utterance_gathers_all_tables(tmp_path):
    write(
        tmp_path,
        utt2spk="a-1 a\na-2 a\n",
        wav_scp="rec some/file.wav\nrest cat x |\n",
        segments="a-1 rec 0.5 2\na-2 rest 1e-3 -1\n",
        text="a-1 one two\na-2 three\n",
        utt2lang="a-1 en\na-2 de\n",
        utt2dom="a-1 phone\na-2 studio\n",
        reco2speed="rec 0.9\n",
    )
    first, second = DataDir.load(tmp_path).utterances()
    assert first == Utterance("a-1", "a", "rec", "some/file.wav", 0.5, 2.0, 0.9, "one two", "en", "phone")
    assert second == Utterance("a-2", "a", "rest", "cat x |", 0.001, None, 1.0, "three", "de", "studio")


def test_without_segments_each_recording_is_an_utterance(tmp_path):
    write(tmp_path, utt2spk="a-1 a\n", wav_scp="a-1 x.wav\n")
    (utterance,) = DataDir.load(tmp_path).utterances()
    assert utterance == Utterance("a-1", "a", "a-1", "x.wav", None, None, 1.0, None, None, None)


def test_every_structural_problem_is_listed_at_once(tmp_path):
    folder = write(
        tmp_path / "d",
        utt2spk="a-1 a\na-2 a\nb-1 b c\nb-2 b\nb-3 b\n",
        wav_scp="rec x.wav\nrec y.wav\n",
        segments="a-1 rec 1 0.5\na-2 other 0 1\nb-2 rec 0 x\nb-3 rec 0\n",
        text=b"a-1 one\nb-1\nb-2 \xe9\nb-3 three\nb-9 nine\n",
        utt2lang="a-1 en\na-2 en\nb-1 en\nb-2 en\n",
        reco2speed="rec 0\n",
    )
    with pytest.raises(DataError) as error:
        DataDir.load(folder)
    assert [line.strip().removeprefix(f"{folder}/") for line in str(error.value).splitlines()[1:]] == [
        f"utt2spk:2: utterance 'a-2' is not in text; add it to {folder}/text, or remove the utterance (fix does)",
        "utt2spk:3: 'b-1': expected one field (got 'b c'); correct or remove the line",
        "utt2spk:3: utterance 'b-1' is not in segments; add it to "
        f"{folder}/segments, or remove the utterance (fix does)",
        f"utt2spk:4: utterance 'b-2' is not in text; add it to {folder}/text, or remove the utterance (fix does)",
        "utt2spk:5: utterance 'b-3' is not in utt2lang; add it to "
        f"{folder}/utt2lang, or remove the utterance (fix does)",
        "wav.scp:2: 'rec' appears again with another value (first in line 1); keep one",
        "segments:1: 'a-1': ends before it starts (start 1, end 0.5); correct or remove the line",
        "segments:2: 'a-2': recording 'other' is not in wav.scp; add it or remove the segment",
        "segments:3: 'b-2': 'x' is not a number; correct or remove the line",
        "segments:4: 'b-3': expected 'recording start end' (got 'rec 0'); correct or remove the line",
        "text:3: not UTF-8 (byte 0xE9 at column 5); save the file as UTF-8",
        "text:5: 'b-9' is not in utt2spk; add it there or remove this line",
        "reco2speed:1: 'rec': expected a speed factor above 0 (got 0); correct or remove the line",
    ]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"wav_scp": "a x.wav\n"}, "utt2spk: missing; write 'utterance speaker' lines"),
        ({"wav_scp": "a x.wav\n", "spk2utt": "a a\n"}, "utt2spk: missing; create it from spk2utt"),
        ({"utt2spk": "a a\n"}, "wav.scp: missing"),
        ({"utt2spk": "", "wav_scp": ""}, "utt2spk: the file is empty"),
        ({"utt2spk": "a a\n", "wav_scp": "a x\n", "utt2dur": "a -1\n"}, "utt2dur:1: 'a': expected seconds, 0 or more"),
        ({"utt2spk": "a a\n", "wav_scp": "a x\n", "utt2num_frames": "a 1.5\n"}, "expected a whole number"),
        ({"utt2spk": "a a\n", "wav_scp": "a x\n", "segments": "a a -2 1\n"}, "starts before the recording"),
        ({"utt2spk": "a a\n", "wav_scp": "a x\nb y\n"}, "wav.scp:2: 'b' is not in utt2spk"),
    ],
)
def test_a_broken_directory_does_not_load(tmp_path, tables, message):
    with pytest.raises(DataError) as error:
        DataDir.load(write(tmp_path, **tables))
    assert message in str(error.value)


def test_no_such_directory(tmp_path):
    with pytest.raises(DataError, match="no such data directory"):
        DataDir.load(tmp_path / "none")


def test_recordings_that_are_no_data_directory_yet_are_told_how_to_become_one(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.wav").touch()
    (tmp_path / "new.csv").touch()
    for place in (tmp_path / "new", tmp_path / "new.csv"):
        with pytest.raises(DataError, match=f"^{place}: .*speechtl data import {place} NEW makes one$"):
            DataDir.load(place)


def test_unfinished_features_load(tmp_path):
    write(tmp_path, utt2spk="a-1 a\na-2 a\n", wav_scp="a-1 x\na-2 y\n", feats_scp="a-1 f.ark:5\n")
    assert DataDir.load(tmp_path).feats_scp == {"a-1": "f.ark:5"}


def test_features_without_audio_load(tmp_path):
    write(tmp_path, utt2spk="a-1 a\n", feats_scp="a-1 f.ark:5\n")
    assert DataDir.load(tmp_path).utterance("a-1").audio == ""


def test_saving_removes_tables_that_are_gone_and_leaves_other_files(tmp_path):
    folder = tmp_path / "x"
    data = DataDir(folder, utt2spk={"a": "a"}, wav_scp={"a": "x"}, text={"a": "one"})
    data.save(folder)
    (folder / "notes").write_text("mine")
    data.text = {}
    data.save(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["notes", "spk2utt", "utt2spk", "wav.scp"]


def test_full_disk_leaves_the_old_tables(tmp_path):
    folder = tmp_path / "x"
    data = DataDir(folder, utt2spk={"a": "a"}, wav_scp={"a": "x"}, text={"a": "one"})
    data.save(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    data.text = {"a": "word " * 10000}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"x/text: cannot write: File too large; free some space"):
            data.save(folder)
        with pytest.raises(DataError, match=r"new/text: cannot write"):
            data.save(tmp_path / "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_select_lists_unknown_utterances(tmp_path):
    data = DataDir(tmp_path, utt2spk={"a": "a"}, wav_scp={"a": "x"})
    with pytest.raises(DataError) as error:
        data.select(["a", "c", "b"])
    assert str(error.value).splitlines()[1:] == ["  no utterance 'b'", "  no utterance 'c'"]


@pytest.mark.parametrize(("start", "end"), [(0.0, -1.0), (1e-7, 2.5), (0.1 + 0.2, 1e5 / 3), (3.0, 1e17)])
def test_segments_read_back_without_exponents(start, end):
    text = str(Segment("r", start, end))
    assert "e" not in text.removeprefix("r")
    assert Segment.parse(text) == Segment("r", start, end)


def test_destinations_must_be_vacant(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "text").write_text("a b\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    require_vacant(tmp_path / "new", tmp_path / "empty")
    require_vacant(tmp_path / "full", overwrite=True)
    with pytest.raises(DataError) as error:
        require_vacant(tmp_path / "full", tmp_path / "file")
    assert len(str(error.value).splitlines()) == 2
    with pytest.raises(DataError, match="also read"):
        require_vacant(tmp_path / "full", overwrite=True, sources=[tmp_path / "full"])
    with pytest.raises(DataError, match="written twice"):
        require_vacant(tmp_path / "new", tmp_path / "empty" / ".." / "new")


def test_tables_load_without_numerical_libraries():
    code = (
        "import sys, speechtl.data.datadir; print({'numpy', 'tensorflow', 'soundfile', 'pydantic'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_a_recording_in_which_nothing_is_said_has_an_empty_transcript(tmp_path):
    folder = write(tmp_path / "d", utt2spk="a-1 a\na-2 a\n", wav_scp="a-1 x\na-2 y\n", text="a-1 one\na-2\n")
    data = DataDir.load(folder)
    assert data.text == {"a-1": "one", "a-2": ""}
    data.save(tmp_path / "copy")
    assert DataDir.load(tmp_path / "copy").text == data.text
