"""Tables of recordings as other tools write them, and as people get them wrong."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.errors import DataError
from speechtl.exchange.recording_table import read_recording_table


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "b.wav", "c.wav", "wavs/LJ-1.wav", "wavs/LJ-2.wav", "clips/cv_1.mp3", "clips/cv_2.mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def read(folder, content, name="t.csv"):
    source = read_recording_table(folder / name, content)
    assert all(Path(row.audio).is_file() for row in source.entries)
    rows = [(int(row.place.rpartition(":")[2]), row.name, row.text or "", row.speaker) for row in source.entries]
    return rows, [one.partition(f"{name}:")[2] for one in source.problems]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        # A comma in the text is no column where another delimiter names files.
        ("a.wav\tone, two, three\nb.wav\tfour\n", [(1, "a", "one, two, three", ""), (2, "b", "four", "")]),
        ('a.wav\t"Well, no\nb.wav\tfour\n', [(1, "a", '"Well, no', ""), (2, "b", "four", "")]),
        ('a.wav,"one, two",anna\nb.wav,four,ben\n', [(1, "a", "one, two", "anna"), (2, "b", "four", "ben")]),
        ('path, sentence\na.wav, "one, ""two"""\n', [(2, "a", 'one, "two"', "")]),
        ('file,text\na.wav,"one\ntwo"\nb.wav,four\n', [(2, "a", "one two", ""), (4, "b", "four", "")]),
        ("a.wav\nb.wav\n", [(1, "a", "", ""), (2, "b", "", "")]),
        # LJSpeech: the text with its numbers written out. Piper. Coqui. Common Voice. DeepSpeech.
        (
            "LJ-1|In 1822, no.|In eighteen, no.\nLJ-2|It was|It was\n",
            [(1, "LJ-1", "In eighteen, no.", ""), (2, "LJ-2", "It was", "")],
        ),
        ("LJ-1|It was\nLJ-2|No\n", [(1, "LJ-1", "It was", ""), (2, "LJ-2", "No", "")]),
        ("LJ-1|anna|It was\nLJ-2|ben|No\n", [(1, "LJ-1", "It was", "anna"), (2, "LJ-2", "No", "ben")]),
        ("audio_file|text|speaker_name\nLJ-1.wav|It was|anna\n", [(2, "LJ-1", "It was", "anna")]),
        (
            "client_id\tpath\tsentence\tup_votes\nxyz\tcv_1.mp3\t\"Well, it's\tgood\n".replace("\tgood", "\t2"),
            [(2, "cv_1", "\"Well, it's", "xyz")],
        ),
        ("wav_filename,wav_filesize,transcript\na.wav,123,it was\n", [(2, "a", "it was", "")]),
        (
            json.dumps({"audio_filepath": "a.wav", "duration": 1.5, "text": "it was"}) + "\n",
            [(1, "a", "it was", "")],
        ),
    ],
)
def test_tables_are_read_as_their_tools_write_them(folder, content, rows):
    assert read(folder, content) == (rows, [])


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("a.wav,one\nb.wav,two, three\nc.wav,x\n", ["2: 3 columns, expected 2 as in most lines (a text with commas"]),
        ("file,text\na.wav,one, two\n", ["2: 3 columns, expected 2 as in its header, line 1 (a text with commas"]),
        (
            "a.wav,one, two\nb.wav,three, four\n",
            [" no header, so column 3 is the speaker, and 'two' looks like a text"],
        ),
        ("a.wav,1.2,one two\nb.wav,1.3,three\n", [" no header, so column 3 is the speaker, and 'one two' looks like"]),
        ("a.wav,x,1,2\n", [" 4 columns and no header; write one, its columns are called: file, path"]),
        ('a.wav,"one\nb.wav,two\n', ["1: quote marks that are not in pairs"]),
        ('a.wav,"one\nb.wav,two"\n', ["1: a quote mark opens here and takes the next lines with it; close it"]),
        ('a.wav,one "two" three\nb.wav,"one" two\n', ["2: quote marks that are not in pairs"]),
        (
            "recording,words\na.wav,one\n",
            ["1: neither an audio file nor a header that is known (recording, words); col"],
        ),
        ("", [" no rows; write an audio file and its text in each"]),
        (
            '{"audio_filepath": "a.wav", "offset": -2.0}\n{"audio_filepath"\n',
            ["2: not a JSON ob", "1: expected seconds, 0 or more (got '-2.0'); correct the row"],
        ),
        ("file,text,start,end\na.wav,x,2,1\n", ["2: ends at 1 s, before it starts (2 s); correct the row"]),
    ],
)
def test_rows_that_do_not_fit_are_told_with_their_line(folder, content, problems):
    _, found = read(folder, content)
    expected = [one for one in found if not one.partition(": ")[2].startswith("no audio file")]
    assert len(expected) == len(problems)
    for one, start in zip(expected, problems, strict=True):
        assert one.startswith(start)


def test_a_header_without_texts_lists_the_names_that_there_are(folder):
    with pytest.raises(
        DataError, match=r"t\.csv:1: a header without a column of texts \(file, words\); it may have: .*sentence"
    ):
        read(folder, "file,words\na.wav,one\n")


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text(st.sampled_from("ab ,;|\"\n'é"), max_size=9), min_size=1, max_size=3),
    delimiter=st.sampled_from(",;"),
)
def test_what_csv_writers_write_is_read_back(tmp_path_factory, texts, delimiter):
    import csv
    import io

    folder = tmp_path_factory.mktemp("table")
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter)
    writer.writerow(["file", "text"])
    for number, text in enumerate(texts):
        (folder / f"r{number}.wav").touch()
        writer.writerow([f"r{number}.wav", text])
    source = read_recording_table(folder / "t.csv", written.getvalue())
    assert not source.problems
    assert [row.text for row in source.entries] == [" ".join(text.split()) for text in texts]
