"""Subtitles: how words are grouped, and SubRip files."""

import html
import io
from itertools import pairwise

import webvtt
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data.ctm import TimedLabel
from speechtl.data.subtitles import format_srt, format_vtt, subtitles, write_srt


def test_srt(tmp_path):
    cues = [TimedLabel("hello world", 0.0, 1.5), TimedLabel("again", 3661.0004, 3662.25)]
    write_srt(tmp_path / "x.srt", cues)
    assert (tmp_path / "x.srt").read_text() == (
        "1\n00:00:00,000 --> 00:00:01,500\nhello world\n\n2\n01:01:01,000 --> 01:01:02,250\nagain\n\n"
    )
    long = "one two three four five six seven eight nine ten eleven"
    assert format_srt([TimedLabel(long, 0, 1)]).splitlines()[2:4] == [
        "one two three four five six",
        "seven eight nine ten eleven",
    ]


def test_words_become_subtitles():
    words = [TimedLabel(w, t, t + 0.4) for t, w in enumerate(["so", "it", "is.", "Then", "go"])]
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
        words.append(TimedLabel(label, now + gap, now + gap + length))
        now = words[-1].end
    cues = list(subtitles(words))
    assert " ".join(cue.label for cue in cues) == " ".join(word.label for word in words)
    assert all(a.end <= b.start for a, b in pairwise(cues))


def test_webvtt():
    cues = [TimedLabel("rock & <roll>", 0.0, 1.5), TimedLabel('--> "now"', 3661.0004, 3662.25)]
    assert format_vtt(cues) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nrock &amp; &lt;roll&gt;\n\n"
        '01:01:01.000 --> 01:01:02.250\n--&gt; "now"\n\n'
    )


words = st.text("ab&<>-.é", min_size=1, max_size=30)


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0.002, 2), words), max_size=8))
def test_an_independent_reader_reads_webvtt(rows):
    now, cues = 0.0, []
    for gap, length, label in rows:
        cues.append(TimedLabel(label, now + gap, now + gap + length))
        now = cues[-1].end
    found = list(webvtt.from_buffer(io.StringIO(format_vtt(cues))))
    assert [html.unescape(cue.raw_text) for cue in found] == [cue.label for cue in cues]
    for cue, other in zip(cues, found, strict=True):
        assert abs(cue.start - other.start_in_seconds) < 1 and abs(cue.end - other.end_in_seconds) < 1
