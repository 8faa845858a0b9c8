"""Spans of frames in seconds."""

from speechtl.alignment.span import Span, in_seconds
from speechtl.data.ctm import TimedLabel


def test_frames_become_seconds():
    spans = [Span("a", 0, 3), Span("b", 3, 10, 0.5)]
    assert in_seconds(spans, 0.03, duration=0.25) == (TimedLabel("a", 0.0, 0.09), TimedLabel("b", 0.09, 0.25, 0.5))
    assert in_seconds(spans[1:], 0.5, offset=2.0) == (TimedLabel("b", 3.5, 7.0, 0.5),)
