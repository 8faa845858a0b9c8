"""TextGrid files of Praat: interval tiers of words and phones."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from speechtl.data.ctm import TimedLabel
from speechtl.errors import DataError
from speechtl.files import atomic_write


def write_textgrid(path: str | Path, tiers: Mapping[str, Sequence[TimedLabel]], duration: float) -> None:
    """Write a TextGrid; see `format_textgrid`.

    Raises:
        DataError: the file cannot be written, labels overlap, or ``duration`` is 0.
    """
    text = format_textgrid(path, tiers, duration)
    with atomic_write(path) as file:
        file.write(text)


def format_textgrid(path: str | Path, tiers: Mapping[str, Sequence[TimedLabel]], duration: float) -> str:
    """Return a TextGrid in Praat's long text format, one interval tier for each name.

    Tiers are padded with unlabelled intervals so that they cover 0 to ``duration`` without gaps.

    Args:
        path: the file, for messages.
        tiers: name to its labels, in order of time and without overlap.
        duration: seconds of the audio.

    Raises:
        DataError: labels overlap, or ``duration`` is 0.
    """
    end = _precise(duration)
    if end <= 0:
        raise DataError(f"{path}: a TextGrid needs a duration above 0 (got {duration:g} s)")
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, labels) in enumerate(tiers.items(), 1):
        filled = list(_filled(path, labels, end))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(filled)}"]
        for position, (first, last, label) in enumerate(filled, 1):
            lines += [f"        intervals [{position}]:", f"            xmin = {first or 0}"]
            lines += [f"            xmax = {last}", f"            text = {_quoted(label)}"]
    return "\n".join(lines) + "\n"


def _filled(path: str | Path, labels: Sequence[TimedLabel], end: float) -> Iterator[tuple[float, float, str]]:
    """Yield ``(start, end, label)`` without gaps from 0 to ``end``; labels of no duration are left out."""
    now = 0.0
    for one in labels:
        first, last = _precise(one.start), min(_precise(one.end), end)
        if first < now:
            raise DataError(f"{path}: '{one.label}' starts at {first} s, before the label in front of it ends")
        if first >= last:
            continue
        if first > now:
            yield now, first, ""
        yield first, last, one.label
        now = last
    if now < end:
        yield now, end, ""


def _precise(seconds: float) -> float:
    """Round to tenths of a millisecond, about one sample; adjacent labels stay adjacent."""
    return round(seconds, 4)


def _quoted(text: str) -> str:
    """Quote a string as Praat does: double the quotes, and put it on one line."""
    return '"' + " ".join(text.splitlines()).replace('"', '""') + '"'
