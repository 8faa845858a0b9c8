"""The tables of a data directory: their keys and the format of their values."""

import dataclasses
import decimal
import math
import sys
from collections.abc import Callable
from typing import Any

from speechtl.data.tables import key_fault


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a recording.

    Attributes:
        recording: key of ``wav.scp``.
        start: seconds of the stored audio (before any change of speed).
        end: likewise; -1 for the end of the recording.
    """

    recording: str
    start: float
    end: float

    @classmethod
    def parse(cls, value: str) -> "Segment":
        """Read ``recording start end``.

        Raises:
            ValueError: with the reason.
        """
        fields = value.split()
        if len(fields) != 3:
            raise ValueError(f"expected 'recording start end' (got '{value}')")
        start, end = _number(fields[1]), _number(fields[2])
        if start < 0:
            raise ValueError(f"starts before the recording (start {fields[1]})")
        if end != -1 and end <= start:
            raise ValueError(f"ends before it starts (start {fields[1]}, end {fields[2]})")
        # Many segments are of one recording, whose name is also in other tables.
        return cls(sys.intern(fields[0]), start, end)

    def __str__(self) -> str:
        end = "-1" if self.end == -1 else format_seconds(self.end)
        return f"{self.recording} {format_seconds(self.start)} {end}"


@dataclasses.dataclass(frozen=True)
class TableKind:
    """The keys and the values of one table of a data directory.

    Attributes:
        owner: what its keys are: ``"utterance"``, ``"recording"`` or ``"speaker"``.
        parse: converts a value to its type in DataDir; raises ValueError with the reason.
        format: the inverse; None where values are text.
        complete: whether a missing key is an error for every reader. The other tables are computed from the audio step
            by step, and may be incomplete.
        computed: whether the table can be recomputed from the audio, so that it may be deleted.
        may_be_empty: whether an entry may have no value: a transcript, where nothing is said.
    """

    owner: str
    parse: Callable[[str], Any] = str
    format: Callable[[Any], str] | None = None
    complete: bool = False
    computed: bool = False
    may_be_empty: bool = False


def format_seconds(seconds: float) -> str:
    """Format seconds without an exponent so that they are read back as the same number."""
    text = repr(float(seconds))
    return text if text.replace(".", "", 1).isdecimal() else format(decimal.Decimal(text), "f")


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"'{text}' is not a number")
    return number


def _seconds(text: str) -> float:
    seconds = _number(text)
    if seconds < 0:
        raise ValueError(f"expected seconds, 0 or more (got {text})")
    return seconds


def _factor(text: str) -> float:
    factor = _number(text)
    if factor <= 0:
        raise ValueError(f"expected a speed factor above 0 (got {text})")
    return factor


def _field(text: str) -> str:
    if len(text.split()) != 1:
        raise ValueError(f"expected one field (got '{text}')")
    fault = key_fault(text)
    if fault:
        raise ValueError(f"'{text}' {fault}")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"expected a whole number (got '{text}')")
    return int(text)


# The attribute of DataDir is the name with "_" for ".". `reco2speed` is specific to speechtl.
TABLES: dict[str, TableKind] = {
    "utt2spk": TableKind("utterance", _field, complete=True),
    "wav.scp": TableKind("recording"),
    "segments": TableKind("utterance", Segment.parse, str, complete=True),
    "text": TableKind("utterance", complete=True, may_be_empty=True),
    "utt2lang": TableKind("utterance", _field, complete=True),
    "utt2dom": TableKind("utterance", _field, complete=True),
    "utt2uniq": TableKind("utterance", _field, complete=True),
    "utt2dur": TableKind("utterance", _seconds, format_seconds, computed=True),
    "utt2num_frames": TableKind("utterance", _count, str, computed=True),
    "feats.scp": TableKind("utterance"),
    "vad.scp": TableKind("utterance", computed=True),
    "reco2dur": TableKind("recording", _seconds, format_seconds, computed=True),
    "reco2speed": TableKind("recording", _factor, format_seconds),
    "reco2file_and_channel": TableKind("recording"),
    "spk2gender": TableKind("speaker", _field),
    "cmvn.scp": TableKind("speaker", computed=True),
}
# Nothing depends on these: a speaker or recording without an entry is only a warning.
OPTIONAL = {"spk2gender"}
