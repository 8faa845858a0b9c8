"""CTM, TextGrid and SRT: what is written reads back, also in readers that others wrote."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.alignment.span import Span, in_seconds
from speechtl.data.datadir import DataDir, Segment
from speechtl.data.timing import Interval, format_srt, subtitles, write_ctm, write_srt, write_textgrid
from speechtl.errors import DataError


def test_frames_become_seconds():
    spans = [Span("a", 0, 3), Span("b", 3, 10, 0.5)]
    assert in_seconds(spans, 0.03, duration=0.25) == (Interval("a", 0.0, 0.09), Interval("b", 0.09, 0.25, 0.5))
    assert in_seconds(spans[1:], 0.5, offset=2.0) == (Interval("b", 3.5, 7.0, 0.5),)


def test_a_ctm_without_a_data_directory(tmp_path):
    words = {"u2": [Interval("two", 0.5, 0.75, 0.9)], "u1": [Interval("one", 0.0, 0.1234), Interval("x", 0.1234, 0.2)]}
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
        "s-a": [Interval("late", 0.25, 0.5)],
        "s-b": [Interval("early", 1.0, 1.5)],
        "sp0.9-s-c": [Interval("slow", 1, 2)],
    }
    write_ctm(tmp_path / "ctm", words, data)
    assert (tmp_path / "ctm").read_text().splitlines() == [
        "sp0.9-tape 1 2.900 0.900 slow",
        "sw02001 B 11.000 0.500 early",
        "sw02001 B 60.750 0.250 late",
    ]


def test_a_label_with_a_space_cannot_be_in_a_ctm(tmp_path):
    with pytest.raises(DataError, match="'New York' of u1 cannot be a word of a CTM; take out spaces"):
        write_ctm(tmp_path / "ctm", {"u1": [Interval("New York", 0, 1)]})
    assert not (tmp_path / "ctm").exists()


def read_textgrid(path):
    """Read what a long TextGrid says: tier -> [(start, end, label)]; strict about sizes and numbering."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())

    def expect(pattern):
        match = re.fullmatch(pattern, next(lines).strip())
        assert match, pattern
        return match.groups()

    number, quoted = r"([0-9.]+)", '"((?:[^"]|"")*)"'
    for line in ('File type = "ooTextFile"', 'Object class = "TextGrid"', ""):
        expect(line)
    assert expect(f"xmin = {number}") == ("0",)
    (duration,) = expect(f"xmax = {number}")
    expect(r"tiers\? <exists>")
    (size,) = expect(r"size = (\d+)")
    expect(r"item \[\]:")
    tiers = {}
    for tier in range(1, int(size) + 1):
        expect(rf"item \[{tier}\]:")
        expect('class = "IntervalTier"')
        (name,) = expect(f"name = {quoted}")
        assert (expect(f"xmin = {number}"), expect(f"xmax = {number}")) == (("0",), (duration,))
        rows = tiers[name] = []
        for interval in range(1, int(expect(r"intervals: size = (\d+)")[0]) + 1):
            expect(rf"intervals \[{interval}\]:")
            (first,), (last,), (label,) = (
                expect(f"xmin = {number}"),
                expect(f"xmax = {number}"),
                expect(f"text = {quoted}"),
            )
            rows.append((float(first), float(last), label.replace('""', '"')))
        assert rows[0][0] == 0 and rows[-1][1] == float(duration)
        assert all(a[1] == b[0] for a, b in pairwise(rows)) and all(a < b for a, b, _ in rows)
    assert not list(lines)
    return tiers


TIERS = {
    "words": [Interval("да", 0.25, 0.5), Interval('"said"', 0.5, 1.0)],
    "phones": [Interval("d", 0.25, 0.3), Interval("a", 0.3, 0.5), Interval("s", 0.5, 1.0)],
}


def test_a_textgrid(tmp_path):
    write_textgrid(tmp_path / "u.TextGrid", TIERS, 1.5)
    tiers = read_textgrid(tmp_path / "u.TextGrid")
    assert list(tiers) == ["words", "phones"]
    assert tiers["words"] == [(0, 0.25, ""), (0.25, 0.5, "да"), (0.5, 1.0, '"said"'), (1.0, 1.5, "")]


def test_a_textgrid_in_an_independent_reader(tmp_path):
    praatio = pytest.importorskip("praatio.textgrid")
    write_textgrid(tmp_path / "u.TextGrid", TIERS, 1.5)
    grid = praatio.openTextgrid(str(tmp_path / "u.TextGrid"), includeEmptyIntervals=False)
    assert grid.maxTimestamp == 1.5
    for name, intervals in TIERS.items():
        entries = [(entry.start, entry.end, entry.label.replace('""', '"')) for entry in grid.getTier(name).entries]
        assert entries == [(i.start, i.end, i.label) for i in intervals]


@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.text(max_size=4)), max_size=8),
    st.floats(min_value=0.001, max_value=5),
)
def test_a_textgrid_fills_the_whole_file(tmp_path_factory, rows, duration):
    path = tmp_path_factory.mktemp("grid") / "u.TextGrid"
    now, intervals = 0.0, []
    for gap, length, label in rows:
        intervals.append(Interval(" ".join(label.split()), now + gap, now + gap + length))
        now = intervals[-1].end
    write_textgrid(path, {"words": intervals, "none": []}, duration)
    assert read_textgrid(path)["none"] == [(0.0, round(duration, 4), "")]


def test_textgrids_that_cannot_be(tmp_path):
    with pytest.raises(DataError, match=r"'b' starts at 0.4 s, before the label in front of it ends"):
        write_textgrid(tmp_path / "x", {"words": [Interval("a", 0, 0.5), Interval("b", 0.4, 1)]}, 1)
    with pytest.raises(DataError, match="needs a duration above 0"):
        write_textgrid(tmp_path / "x", {}, 0)
    assert not (tmp_path / "x").exists()


def test_srt(tmp_path):
    cues = [Interval("hello world", 0.0, 1.5), Interval("again", 3661.0004, 3662.25)]
    write_srt(tmp_path / "x.srt", cues)
    assert (tmp_path / "x.srt").read_text() == (
        "1\n00:00:00,000 --> 00:00:01,500\nhello world\n\n2\n01:01:01,000 --> 01:01:02,250\nagain\n\n"
    )
    long = "one two three four five six seven eight nine ten eleven"
    assert format_srt([Interval(long, 0, 1)]).splitlines()[2:4] == [
        "one two three four five six",
        "seven eight nine ten eleven",
    ]


def test_words_become_subtitles():
    words = [Interval(w, t, t + 0.4) for t, w in enumerate(["so", "it", "is.", "Then", "go"])]
    assert [cue.label for cue in subtitles(words, pause=1.0)] == ["so it is.", "Then go"]
    assert [cue.label for cue in subtitles(words, pause=0.5)] == ["so", "it", "is.", "Then", "go"]
    assert [cue.label for cue in subtitles(words, pause=1.0, characters=5)] == ["so it", "is.", "Then", "go"]
    assert [cue.label for cue in subtitles(words, pause=1.0, seconds=1.5)] == ["so it", "is.", "Then go"]
    assert [(cue.start, cue.end) for cue in subtitles(words, pause=1.0)] == [(0, 2.4), (3, 4.4)]
    assert list(subtitles([])) == []


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2), st.text("ab.", min_size=1, max_size=60))))
def test_subtitles_keep_every_word_in_order(rows):
    now, words = 0.0, []
    for gap, length, label in rows:
        words.append(Interval(label, now + gap, now + gap + length))
        now = words[-1].end
    cues = list(subtitles(words))
    assert " ".join(cue.label for cue in cues) == " ".join(word.label for word in words)
    assert all(a.end <= b.start for a, b in pairwise(cues))
