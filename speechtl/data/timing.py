"""Words and phones in time, and the files that other programs read them from: CTM, Praat's TextGrid, SRT."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from speechtl.data.datadir import DataDir
from speechtl.errors import DataError
from speechtl.files import atomic_write


@dataclasses.dataclass(frozen=True)
class Interval:
    """One word or phone in time.

    Attributes:
        label: the word or phone.
        start: seconds from the beginning of the utterance.
        end: seconds.
        confidence: how likely it is right, in [0, 1]; None where nothing computed it.
    """

    label: str
    start: float
    end: float
    confidence: float | None = None


def write_ctm(path: str | Path, utterances: Mapping[str, Sequence[Interval]], data: DataDir | None = None) -> None:
    """Write a CTM: ``recording channel start duration word [confidence]``, as NIST and Kaldi do.

    Lines are sorted by recording, channel and start. Times have milliseconds and are rounded so that words that touch
    still do. The confidence is left out where it is unknown.

    Args:
        path: the file.
        utterances: utterance id (without ``data``: recording) to its words.
        data: where its utterances are cut from recordings (``segments``), times are those of the recording, also
            before a change of speed; ``reco2file_and_channel`` names the file and channel if it is there.

    Raises:
        DataError: the file cannot be written, or a label cannot be in a CTM (empty, or with white space in it).
    """
    rows: list[tuple[str, str, int, int, str, float | None]] = []
    for utterance, intervals in utterances.items():
        recording, channel, start, speed = utterance, "1", 0.0, 1.0
        if data is not None:
            found = data.utterance(utterance)
            recording, start, speed = found.recording, found.start or 0.0, found.speed
            name, _, number = data.reco2file_and_channel.get(recording, "").rpartition(" ")
            recording, channel = (name.strip(), number) if name.strip() else (recording, channel)
        for interval in intervals:
            if interval.label.split() != [interval.label]:
                raise DataError(f"{path}: '{interval.label}' of {utterance} cannot be a word of a CTM; take out spaces")
            first, last = (round(1000 * (start + time * speed)) for time in (interval.start, interval.end))
            rows.append((recording, channel, first, last, interval.label, interval.confidence))
    rows.sort(key=lambda row: row[:4])
    with atomic_write(path) as file:
        for recording, channel, first, last, label, confidence in rows:
            sure = "" if confidence is None else f" {confidence:.3f}"
            file.write(f"{recording} {channel} {first / 1000:.3f} {(last - first) / 1000:.3f} {label}{sure}\n")


def write_textgrid(path: str | Path, tiers: Mapping[str, Sequence[Interval]], duration: float) -> None:
    """Write a TextGrid in Praat's long text format, one interval tier for each name.

    The intervals of a tier fill it from 0 to ``duration``: silence between words is an interval without a label.

    Args:
        path: the file.
        tiers: name to its intervals, in order and not overlapping.
        duration: seconds of the audio.

    Raises:
        DataError: the file cannot be written; intervals overlap; the audio has no length.
    """
    end = _precise(duration)
    if end <= 0:
        raise DataError(f"{path}: a TextGrid needs a duration above 0 (got {duration:g} s)")
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        filled = list(_filled(path, intervals, end))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(filled)}"]
        for position, (first, last, label) in enumerate(filled, 1):
            lines += [f"        intervals [{position}]:", f"            xmin = {first or 0}"]
            lines += [f"            xmax = {last}", f"            text = {_quoted(label)}"]
    with atomic_write(path) as file:
        file.write("\n".join(lines) + "\n")


def _filled(path: str | Path, intervals: Sequence[Interval], end: float) -> Iterator[tuple[float, float, str]]:
    """Yield ``(start, end, label)`` without gaps from 0 to ``end``; what has no length is left out."""
    now = 0.0
    for interval in intervals:
        first, last = _precise(interval.start), min(_precise(interval.end), end)
        if first < now:
            raise DataError(f"{path}: '{interval.label}' starts at {first} s, before the label in front of it ends")
        if first >= last:
            continue
        if first > now:
            yield now, first, ""
        yield first, last, interval.label
        now = last
    if now < end:
        yield now, end, ""


def _precise(seconds: float) -> float:
    """Round to tenths of a millisecond, finer than a sample of most speech is worth; neighbours stay neighbours."""
    return round(seconds, 4)


def _quoted(text: str) -> str:
    """Write a string as Praat does: quotes are doubled, and a label is one line."""
    return '"' + " ".join(text.splitlines()).replace('"', '""') + '"'


def subtitles(
    words: Sequence[Interval], *, characters: int = 84, seconds: float = 6.0, pause: float = 0.7
) -> Iterator[Interval]:
    """Gather words into subtitles.

    A subtitle ends where a pause of ``pause`` seconds follows, behind a word that ends a sentence, or where one more
    word would make it longer than ``characters`` or ``seconds``.

    Args:
        words: in order.
        characters: two lines of 42 are the custom.
        seconds: how long one may stand.
        pause: seconds of silence between two subtitles, at least.

    Yields:
        Text and time of each.
    """
    held: list[Interval] = []
    for word in words:
        if held:
            length = sum(len(other.label) + 1 for other in held) + len(word.label)
            long = length > characters or word.end - held[0].start > seconds
            if long or word.start - held[-1].end >= pause or held[-1].label[-1:] in set(".?!…。？！؟।"):
                yield _joined(held)
                held = []
        held.append(word)
    if held:
        yield _joined(held)


def _joined(words: list[Interval]) -> Interval:
    known = [word.confidence for word in words if word.confidence is not None]
    confidence = sum(known) / len(known) if len(known) == len(words) else None
    return Interval(" ".join(word.label for word in words), words[0].start, words[-1].end, confidence)


def format_srt(cues: Iterable[Interval]) -> str:
    """Return SubRip text of subtitles, numbered from 1; their lines are broken near the middle past 42 characters."""
    return "".join(
        f"{number}\n{_clock(cue.start)} --> {_clock(cue.end)}\n{_two_lines(cue.label)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def write_srt(path: str | Path, cues: Iterable[Interval]) -> None:
    """Write a SubRip file; see `subtitles` for how to make words into subtitles.

    Raises:
        DataError: the file cannot be written.
    """
    text = format_srt(cues)
    with atomic_write(path) as file:
        file.write(text)


def _clock(seconds: float) -> str:
    milliseconds = round(1000 * max(seconds, 0.0))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02},{milliseconds:03}"


def _two_lines(text: str, width: int = 42) -> str:
    # An empty line would end the subtitle.
    text = " ".join(text.split())
    breaks = [place for place, character in enumerate(text) if character == " "]
    if len(text) <= width or not breaks:
        return text
    middle = min(breaks, key=lambda place: abs(place - len(text) / 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"
