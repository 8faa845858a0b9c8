"""CTM files: words or phones with their times."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write


class Timed(NamedTuple):
    """A label in time.

    Attributes:
        label: the word or phone.
        start: seconds from the beginning of the utterance, as it sounds after a change of speed.
        end: likewise.
    """

    label: str
    start: float
    end: float


def read_ctm(path: str | Path, data: DataDir) -> dict[str, list[Timed]]:
    """Read a CTM, ``recording channel start duration label [confidence]``, and give it the times of utterances.

    The times of a CTM are those of the stored recording. Where ``segments`` cut utterances from it, a label belongs to
    the one that its middle is in; where ``reco2speed`` plays it at another speed, times change with it. Lines that
    start with ``;;`` are comments.

    Args:
        path: the file.
        data: the data directory whose recordings (or files, by ``reco2file_and_channel``) it names.

    Returns:
        Utterance to its labels, in order of time. Utterances without a label are left out.

    Raises:
        DataError: the file cannot be read, or lists every line that is no CTM or names a recording that is not there.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read: {error}; check the path") from error
    utterances = _utterances_by_recording(data)
    found: dict[str, list[Timed]] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        try:
            recording, channel, label = fields[0], fields[1], fields[4]
            start, length = float(fields[2]), float(fields[3])
        except (IndexError, ValueError):
            start = length = math.nan
        if not (math.isfinite(start) and math.isfinite(length) and start >= 0 and length >= 0):
            problems.append(f"{path}:{number}: expected 'recording channel start duration label' (got '{line}')")
            continue
        known = utterances.get((recording, channel)) or utterances.get((recording, ""))
        if known is None:
            problems.append(f"{path}:{number}: no recording '{recording}' in {data.path}; is this the CTM of it?")
            continue
        for utterance, first, last, speed in known:
            if first <= start + length / 2 < last:
                timed = Timed(label, (start - first) / speed, (start + length - first) / speed)
                found.setdefault(utterance, []).append(timed)
    if problems:
        raise DataError(problems[0] if len(problems) == 1 else list_problems(f"{path}: bad lines", problems))
    return {utterance: sorted(found[utterance], key=lambda timed: timed.start) for utterance in sorted(found)}


def write_ctm(path: str | Path, utterances: Mapping[str, Sequence[Timed]]) -> None:
    """Write the CTM of recordings that are one utterance each, sorted; times have milliseconds.

    Raises:
        DataError: it cannot be written.
    """
    with atomic_write(path) as file:
        for utterance in sorted(utterances):
            for label, start, end in utterances[utterance]:
                file.write(f"{utterance} 1 {start:.3f} {end - start:.3f} {label}\n")


def _utterances_by_recording(data: DataDir) -> Mapping[tuple[str, str], list[tuple[str, float, float, float]]]:
    """Return (recording or file, channel) -> its utterances with first and last second and speed.

    The channel is empty where no table names it, since then any will do.
    """
    utterances: dict[tuple[str, str], list[tuple[str, float, float, float]]] = {}
    for utterance in data.utterances():
        file, _, channel = data.reco2file_and_channel.get(utterance.recording, "").rpartition(" ")
        key = (file.strip(), channel) if file.strip() else (utterance.recording, "")
        last = math.inf if utterance.end is None else utterance.end
        utterances.setdefault(key, []).append((utterance.id, utterance.start or 0.0, last, utterance.speed))
    return utterances
