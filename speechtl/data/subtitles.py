"""Subtitles from timed words, and SubRip (SRT) and WebVTT files of them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from speechtl.data.ctm import TimedLabel
from speechtl.files import atomic_write


def subtitles(
    words: Sequence[TimedLabel], *, characters: int = 84, seconds: float = 6.0, pause: float = 0.7
) -> Iterator[TimedLabel]:
    """Group words into subtitles.

    A subtitle ends before a pause of ``pause`` seconds, after a word that ends a sentence, or where one more word would
    make it longer than ``characters`` or ``seconds``.

    Args:
        words: in order of time.
        characters: longest text; two lines of 42 are customary.
        seconds: longest duration.
        pause: seconds of silence that end a subtitle.

    Yields:
        Text and time of each subtitle.
    """
    group: list[TimedLabel] = []
    for word in words:
        if group:
            length = sum(len(other.label) + 1 for other in group) + len(word.label)
            long = length > characters or word.end - group[0].start > seconds
            if long or word.start - group[-1].end >= pause or group[-1].label[-1:] in set(".?!…。？！؟।"):
                yield _joined(group)
                group = []
        group.append(word)
    if group:
        yield _joined(group)


def _joined(words: list[TimedLabel]) -> TimedLabel:
    known = [word.confidence for word in words if word.confidence is not None]
    confidence = sum(known) / len(known) if len(known) == len(words) else None
    return TimedLabel(" ".join(word.label for word in words), words[0].start, words[-1].end, confidence)


def format_srt(cues: Iterable[TimedLabel]) -> str:
    """Return SubRip text of subtitles, numbered from 1; texts over 42 characters are broken into two lines."""
    return "".join(
        f"{number}\n{_clock(cue.start)} --> {_clock(cue.end)}\n{_two_lines(cue.label)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def format_vtt(cues: Iterable[TimedLabel]) -> str:
    """Return WebVTT text of subtitles (W3C, WebVTT: The Web Video Text Tracks Format), broken as in `format_srt`."""
    # A cue ends where a line is empty or holds an arrow; & and < begin what is no text.
    marks = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    return "WEBVTT\n\n" + "".join(
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_two_lines(cue.label).translate(marks)}\n\n"
        for cue in cues
    )


def write_srt(path: str | Path, cues: Iterable[TimedLabel]) -> None:
    """Write a SubRip file; `subtitles` groups words into cues.

    Raises:
        DataError: the file cannot be written.
    """
    text = format_srt(cues)
    with atomic_write(path) as file:
        file.write(text)


def _clock(seconds: float, point: str = ",") -> str:
    milliseconds = round(1000 * max(seconds, 0.0))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{milliseconds:03}"


def _two_lines(text: str, width: int = 42) -> str:
    # An empty line would end the subtitle.
    text = " ".join(text.split())
    breaks = [place for place, character in enumerate(text) if character == " "]
    if len(text) <= width or not breaks:
        return text
    middle = min(breaks, key=lambda place: abs(place - len(text) / 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"
