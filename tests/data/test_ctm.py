"""CTM files: times of recordings and of utterances."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data.ctm import TimedLabel, read_ctm, write_ctm
from speechtl.data.datadir import DataDir
from speechtl.data.table_kinds import Segment
from speechtl.errors import DataError


def data_dir(path, segments=None, speeds=None, files=None):
    utterances = list(segments or ["s-a", "s-b"])
    recordings = {cut.recording for cut in segments.values()} if segments else utterances
    return DataDir(
        path,
        utt2spk=dict.fromkeys(utterances, "s"),
        wav_scp={recording: f"{recording}.wav" for recording in recordings},
        segments=segments or {},
        reco2speed=speeds or {},
        reco2file_and_channel=files or {},
    )


def test_times_are_those_of_the_utterance(tmp_path):
    (tmp_path / "ctm").write_text(";; a comment\ns-b 1 0.5 0.25 i 0.9\ns-a 1 1.0 0.1 u\ns-a 1 0.0 0.5 a\n\n")
    assert read_ctm(tmp_path / "ctm", data_dir(tmp_path)) == {
        "s-a": [TimedLabel("a", 0.0, 0.5), TimedLabel("u", 1.0, 1.1)],
        "s-b": [TimedLabel("i", 0.5, 0.75, 0.9)],
    }


def test_a_label_belongs_to_the_segment_of_its_middle(tmp_path):
    (tmp_path / "ctm").write_text("r 1 0.9 0.15 a\nr 1 1.9 0.4 b\nr 1 5 1 c\n")
    segments = {"s-a": Segment("r", 0.5, 2.0), "s-b": Segment("r", 2.0, -1)}
    found = read_ctm(tmp_path / "ctm", data_dir(tmp_path, segments))
    assert {key: [one.label for one in labels] for key, labels in found.items()} == {"s-a": ["a"], "s-b": ["b", "c"]}
    assert (found["s-a"][0].start, found["s-a"][0].end) == pytest.approx((0.4, 0.55))
    assert (found["s-b"][0].start, found["s-b"][0].end) == pytest.approx((-0.1, 0.3))


@given(
    speed=st.sampled_from([0.8, 0.9, 1.0, 1.1, 2.0]),
    start=st.integers(0, 300).map(lambda hundredths: hundredths / 100),
    times=st.lists(st.integers(0, 500).map(lambda hundredths: hundredths / 100), min_size=2, max_size=8, unique=True),
    named=st.booleans(),
)
def test_what_is_written_is_read_back(tmp_path_factory, speed, start, times, named):
    folder = tmp_path_factory.mktemp("ctm")
    files = {"r": "FILE 2"} if named else {}
    data = data_dir(folder, {"s-a": Segment("r", start, -1)}, {"r": speed}, files)
    times.sort()
    intervals = [TimedLabel(f"p{n}", first, last) for n, (first, last) in enumerate(itertools.pairwise(times))]
    write_ctm(folder / "ctm", {"s-a": intervals}, data)
    found = read_ctm(folder / "ctm", data)["s-a"]
    expected = [(one.label, pytest.approx(one.start, abs=2e-3), pytest.approx(one.end, abs=2e-3)) for one in intervals]
    assert sorted((one.label, one.start, one.end) for one in found) == sorted(expected, key=lambda one: one[0])


def test_all_bad_lines_are_listed(tmp_path):
    (tmp_path / "ctm").write_text("s-a 1 0 1 a\ns-a 1 0 a\nnobody 1 0 1 a\ns-a 1 -1 nan a\n")
    with pytest.raises(DataError) as error:
        read_ctm(tmp_path / "ctm", data_dir(tmp_path))
    for line in (2, 3, 4):
        assert f"{tmp_path / 'ctm'}:{line}: " in str(error.value)
    assert "no recording 'nobody'" in str(error.value)
    with pytest.raises(DataError, match="cannot read"):
        read_ctm(tmp_path / "nosuch", data_dir(tmp_path))


def test_a_ctm_without_a_data_directory(tmp_path):
    words = {
        "u2": [TimedLabel("two", 0.5, 0.75, 0.9)],
        "u1": [TimedLabel("one", 0.0, 0.1234), TimedLabel("x", 0.1234, 0.2)],
    }
    write_ctm(tmp_path / "ctm", words)
    expected = "u1 1 0.000 0.123 one\nu1 1 0.123 0.077 x\nu2 1 0.500 0.250 two 0.900\n"
    assert (tmp_path / "ctm").read_text() == expected


def test_a_ctm_of_segments_has_the_times_of_the_recording(tmp_path):
    data = DataDir(
        tmp_path,
        utt2spk={"s-b": "s", "s-a": "s", "sp0.9-s-c": "s"},
        wav_scp={"call": "call.wav", "sp0.9-tape": "tape.wav"},
        segments={
            "s-b": Segment("call", 10.0, 12.0),
            "s-a": Segment("call", 60.5, 62.0),
            "sp0.9-s-c": Segment("sp0.9-tape", 2, 4),
        },
        reco2speed={"sp0.9-tape": 0.9},
        reco2file_and_channel={"call": "sw02001 B"},
    )
    words = {
        "s-a": [TimedLabel("late", 0.25, 0.5)],
        "s-b": [TimedLabel("early", 1.0, 1.5)],
        "sp0.9-s-c": [TimedLabel("slow", 1, 2)],
    }
    write_ctm(tmp_path / "ctm", words, data)
    assert (tmp_path / "ctm").read_text().splitlines() == [
        "sp0.9-tape 1 2.900 0.900 slow",
        "sw02001 B 11.000 0.500 early",
        "sw02001 B 60.750 0.250 late",
    ]


def test_a_label_with_a_space_cannot_be_in_a_ctm(tmp_path):
    with pytest.raises(DataError, match="'New York' of u1 cannot be a word of a CTM; take out spaces"):
        write_ctm(tmp_path / "ctm", {"u1": [TimedLabel("New York", 0, 1)]})
    assert not (tmp_path / "ctm").exists()


def test_a_confidence_is_read_back(tmp_path):
    labels = [TimedLabel("a", 0.0, 0.5, 0.25), TimedLabel("b", 0.5, 1.0)]
    write_ctm(tmp_path / "ctm", {"s-a": labels})
    assert read_ctm(tmp_path / "ctm", data_dir(tmp_path)) == {"s-a": labels}
    (tmp_path / "ctm").write_text("s-a 1 0.0 0.5 a NA\n")
    assert read_ctm(tmp_path / "ctm", data_dir(tmp_path))["s-a"] == [TimedLabel("a", 0.0, 0.5)]
