"""TextGrid files of Praat: interval tiers of words and phones."""

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from speechtl.data.ctm import TimedLabel
from speechtl.errors import DataError
from speechtl.files import atomic_write, decode_text, read_bytes

# Praat passes over everything in a text file but strings in quotes, numbers and flags that stand alone, and comments.
_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"|!.*|(?<!\S)(?P<number>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)(?!\S)|<(?P<flag>\w+)>'
)


@dataclasses.dataclass(frozen=True)
class Tier:
    """An interval tier.

    Attributes:
        name: of the tier.
        labels: its intervals that have a label, in order.
        end: seconds where it ends.
    """

    name: str
    labels: tuple[TimedLabel, ...]
    end: float


def read_textgrid(path: str | Path) -> list[Tier]:
    """Read the interval tiers of a TextGrid, in Praat's long or short text format, UTF-8 or UTF-16.

    Args:
        path: the file. Tiers of points are passed over.

    Raises:
        DataError: the file cannot be read or is no TextGrid; names the file and the line.
    """
    content = read_bytes(path)
    if content.startswith(b"ooBinaryFile"):
        raise DataError(f"{path}: a binary TextGrid; save it in Praat as a text file")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-16 ({error.reason}); save it again in Praat") from error
    else:
        text = decode_text(content, path)
    tokens = _Tokens(path, text)
    if (tokens.text(), tokens.text()) != ("ooTextFile", "TextGrid"):
        raise DataError(f"{path}:1: not a TextGrid of Praat; save it as a text file")
    tokens.number(), tokens.number()
    tiers = []
    for _ in range(int(tokens.number()) if tokens.flag() == "exists" else 0):
        kind, name = tokens.text(), tokens.text()
        _, end, count = tokens.number(), tokens.number(), int(tokens.number())
        if kind == "IntervalTier":
            labels = [_interval(tokens) for _ in range(count)]
            tiers.append(Tier(name, tuple(one for one in labels if one.label), end))
        else:
            for _ in range(count):
                tokens.number(), tokens.text()
    return tiers


def _interval(tokens: "_Tokens") -> TimedLabel:
    start, end, label = tokens.number(), tokens.number(), " ".join(tokens.text().split())
    if label and end <= start:
        raise tokens.error(f"'{label}' ends at {end:g} s, before it starts ({start:g} s)")
    return TimedLabel(label, start, end)


class _Tokens:
    """What Praat reads of a text file, one after the other."""

    def __init__(self, path: str | Path, text: str):
        self.path, self.content = path, text
        self.found = (one for one in _TOKEN.finditer(text) if one.lastgroup)
        self.place = 0

    def text(self) -> str:
        return self._next("text").replace('""', '"')

    def flag(self) -> str:
        return self._next("flag")

    def number(self) -> float:
        text = self._next("number")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.error(f"'{text}' is not a number")
        return number

    def error(self, message: str) -> DataError:
        line = self.content.count("\n", 0, self.place) + 1
        return DataError(f"{self.path}:{line}: {message}; save the TextGrid again in Praat")

    def _next(self, kind: str) -> str:
        token = next(self.found, None)
        if token is not None:
            self.place = token.start()
        if token is None or token.lastgroup != kind:
            wanted = {"text": "a text in quotes", "number": "a number", "flag": "<exists>"}[kind]
            got = "the end of the file" if token is None else token.group()[:20]
            raise self.error(f"expected {wanted}, got {got}")
        return token.group(kind)


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
