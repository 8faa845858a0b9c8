"""CTM files: words or phones with their times, as NIST and Kaldi write them."""

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write, read_lines


@dataclasses.dataclass(frozen=True)
class TimedLabel:
    """A word or phone in time.

    Attributes:
        label: the word or phone.
        start: seconds from the beginning of the utterance, after any change of speed.
        end: likewise.
        confidence: probability that the label is right, in [0, 1]; None where it is unknown.
    """

    label: str
    start: float
    end: float
    confidence: float | None = None


def read_ctm(path: str | Path, data: DataDir) -> dict[str, list[TimedLabel]]:
    """Read a CTM, ``recording channel start duration label [confidence]``, in the time of utterances.

    The times in a CTM are those of the stored recording. Where ``segments`` cut utterances out of it, a label belongs
    to the utterance that contains its midpoint; where ``reco2speed`` changes the speed, times change with it. Lines
    that start with ``;;`` are comments. A confidence that is no number is ignored.

    Args:
        path: the file.
        data: the data directory of its recordings (or files, by ``reco2file_and_channel``).

    Returns:
        Utterance to its labels, in order of time. Utterances without a label are left out.

    Raises:
        DataError: the file cannot be read, or lists every line that is malformed or names an unknown recording.
    """
    utterances = _utterances_by_recording(data)
    found: dict[str, list[TimedLabel]] = {}
    problems = []
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        label = _parse(fields)
        if label is None:
            problems.append(f"{path}:{number}: expected 'recording channel start duration label' (got '{line}')")
            continue
        recording, channel = fields[:2]
        known = utterances.get((recording, channel)) or utterances.get((recording, ""))
        if known is None:
            problems.append(f"{path}:{number}: no recording '{recording}' in {data.path}; is this the CTM of it?")
            continue
        for utterance, first, last, speed in known:
            if first <= (label.start + label.end) / 2 < last:
                start, end = (label.start - first) / speed, (label.end - first) / speed
                found.setdefault(utterance, []).append(dataclasses.replace(label, start=start, end=end))
    if problems:
        raise DataError(problems[0] if len(problems) == 1 else list_problems(f"{path}: bad lines", problems))
    return {utterance: sorted(found[utterance], key=lambda label: label.start) for utterance in sorted(found)}


def _parse(fields: Sequence[str]) -> TimedLabel | None:
    """Return the label of a line in the time of its recording, None if the line is malformed."""
    try:
        label, start, duration = fields[4], float(fields[2]), float(fields[3])
    except (IndexError, ValueError):
        return None
    if not (math.isfinite(start) and math.isfinite(duration) and start >= 0 and duration >= 0):
        return None
    confidence = None
    if len(fields) > 5:
        with contextlib.suppress(ValueError):
            confidence = float(fields[5])
    return TimedLabel(label, start, start + duration, confidence)


def write_ctm(path: str | Path, utterances: Mapping[str, Sequence[TimedLabel]], data: DataDir | None = None) -> None:
    """Write a CTM; see `format_ctm`.

    Raises:
        DataError: the file cannot be written, or a label cannot be in a CTM (empty, or with white space in it).
    """
    text = format_ctm(path, utterances, data)
    with atomic_write(path) as file:
        file.write(text)


def format_ctm(path: str | Path, utterances: Mapping[str, Sequence[TimedLabel]], data: DataDir | None = None) -> str:
    """Return a CTM: ``recording channel start duration label [confidence]``, as NIST and Kaldi do.

    Lines are sorted by recording, channel and start. Times are rounded to milliseconds so that adjacent labels stay
    adjacent. The confidence is left out where it is unknown.

    Args:
        path: the file, for messages.
        utterances: utterance id (without ``data``: recording) to its labels.
        data: where its utterances are cut from recordings (``segments``), times are those of the stored recording,
            before any change of speed; ``reco2file_and_channel``, if present, names the file and channel.

    Raises:
        DataError: a label cannot be in a CTM (empty, or with white space in it).
    """
    rows: list[tuple[str, str, int, int, str, float | None]] = []
    for utterance, labels in utterances.items():
        recording, channel, offset, speed = utterance, "1", 0.0, 1.0
        if data is not None:
            found = data.utterance(utterance)
            recording, offset, speed = found.recording, found.start or 0.0, found.speed
            name, _, number = data.reco2file_and_channel.get(recording, "").rpartition(" ")
            recording, channel = (name.strip(), number) if name.strip() else (recording, channel)
        for one in labels:
            if one.label.split() != [one.label]:
                raise DataError(f"{path}: '{one.label}' of {utterance} cannot be a word of a CTM; take out spaces")
            start, end = (round(1000 * (offset + time * speed)) for time in (one.start, one.end))
            rows.append((recording, channel, start, end, one.label, one.confidence))
    rows.sort(key=lambda row: row[:4])
    lines = []
    for recording, channel, start, end, label, confidence in rows:
        sure = "" if confidence is None else f" {confidence:.3f}"
        lines.append(f"{recording} {channel} {start / 1000:.3f} {(end - start) / 1000:.3f} {label}{sure}\n")
    return "".join(lines)


def _utterances_by_recording(data: DataDir) -> Mapping[tuple[str, str], list[tuple[str, float, float, float]]]:
    """Return (recording or file, channel) -> its utterances with first and last second and speed.

    The channel is empty where no table names it: then any channel matches.
    """
    utterances: dict[tuple[str, str], list[tuple[str, float, float, float]]] = {}
    for utterance in data.utterances():
        file, _, channel = data.reco2file_and_channel.get(utterance.recording, "").rpartition(" ")
        key = (file.strip(), channel) if file.strip() else (utterance.recording, "")
        last = math.inf if utterance.end is None else utterance.end
        utterances.setdefault(key, []).append((utterance.id, utterance.start or 0.0, last, utterance.speed))
    return utterances
