"""Read back what ``speechtl score --out`` wrote below an experiment."""

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from speechtl.errors import DataError
from speechtl.files import read_lines
from speechtl.layout import ExperimentLayout
from speechtl.scoring.error_rate import ErrorCounts, ErrorRate, Pair, Unit, split_words

_UNITS: dict[str, Unit] = {"WER": "word", "PER": "phone", "CER": "character"}
MEASURES = tuple(_UNITS)
_RATE = re.compile(r"%(WER|CER|PER) ")
_MISSING = re.compile(r"Scored \d+ sentences, (\d+) not present")
_AGAIN = "score again with speechtl score --out"
_NUMBER = r"-?\d+(?:\.\d+)?"
_FEATURE_RATE = re.compile(rf"%PFER ({_NUMBER}) \[ ({_NUMBER}) / (\d+) segments")
_INTERVAL = re.compile(
    rf"(?P<note>\S+ % confidence) interval (?P<low>{_NUMBER}) to (?P<high>{_NUMBER}) \((?P<how>.*)\)"
)


@dataclasses.dataclass(frozen=True)
class ScoredFeatures:
    """The phone feature error rate of a scored decoding.

    Attributes:
        rate: 1.0 is 100 %.
        errors: sum of the distances.
        segments: of the references.
        interval: as that of `ScoredTest`.
    """

    rate: float
    errors: float
    segments: int
    interval: tuple[float, float] | None


@dataclasses.dataclass(frozen=True)
class ScoredTest:
    """One scored decoding.

    Attributes:
        place: path of its folder below the experiment.
        name: the test: the same path without a last part that only names the measure.
        measure: ``"WER"``, ``"CER"`` or ``"PER"``.
        score: rates and alignments.
        missing: utterances without a hypothesis.
        interval: lower and upper end of the confidence interval of the rate; None if it was not drawn.
        interval_note: what the interval is.
        speakers: counts of each speaker; empty if speakers are not known.
        features: phone feature errors; None for words, characters and phones that are not IPA.
    """

    place: str
    name: str
    measure: str
    score: ErrorRate
    missing: int
    interval: tuple[float, float] | None
    interval_note: str
    speakers: dict[str, ErrorCounts]
    features: ScoredFeatures | None = None


def find_scored_tests(experiment: Path) -> list[ScoredTest]:
    """Read all scored decodings below an experiment, sorted by path; experiments inside it are left out.

    Raises:
        DataError: see `read_scored_test`.
    """
    return [read_scored_test(folder, experiment) for folder in sorted(_folders(experiment))]


def read_scored_test(folder: Path, experiment: Path) -> ScoredTest:
    """Read one folder of ``speechtl score --out``.

    Raises:
        DataError: a file is missing or not as ``speechtl score`` writes it, or they do not belong together.
    """
    lines = read_lines(folder / "wer", advice=_AGAIN)
    measure = next((match[1] for line in lines if (match := _RATE.match(line))), None)
    if measure is None:
        raise DataError(f"{folder / 'wer'}: no line with %WER, %CER or %PER; {_AGAIN}")
    alignments = _read_alignments(folder / "per_utt")
    per_utterance = {utterance: _count(pairs) for utterance, pairs in alignments.items()}
    score = ErrorRate(_UNITS[measure], sum(per_utterance.values(), ErrorCounts()), per_utterance, alignments, [])
    if score.kaldi_line() not in lines:
        raise DataError(
            f"{folder}: per_utt and wer are not of the same score (per_utt sums up to {score.kaldi_line()}); {_AGAIN}"
        )
    # The phone feature error rate comes after the phone error rate, each followed by its interval.
    start = next((number for number, line in enumerate(lines) if _FEATURE_RATE.match(line)), len(lines))
    interval = _read_interval(lines[:start])
    place = folder.relative_to(experiment)
    trimmed = len(place.parts) > 1 and place.name.upper() in _UNITS
    return ScoredTest(
        place.as_posix(),
        (place.parent if trimmed else place).as_posix(),
        measure,
        score,
        next((int(match[1]) for line in lines if (match := _MISSING.match(line))), 0),
        interval.bounds if interval else None,
        interval.note if interval else "",
        _read_speakers(folder / "per_spk") if (folder / "per_spk").exists() else {},
        _read_features(lines[start:]),
    )


@dataclasses.dataclass(frozen=True)
class _Interval:
    bounds: tuple[float, float]
    note: str


def _read_interval(lines: Sequence[str]) -> _Interval | None:
    match = next((match for line in lines if (match := _INTERVAL.match(line))), None)
    if match is None:
        return None
    bounds = (float(match["low"]) / 100, float(match["high"]) / 100)
    return _Interval(bounds, f"{match['note']}, {match['how']}")


def _read_features(lines: Sequence[str]) -> ScoredFeatures | None:
    match = _FEATURE_RATE.match(lines[0]) if lines else None
    if match is None:
        return None
    interval = _read_interval(lines)
    bounds = interval.bounds if interval else None
    return ScoredFeatures(float(match[1]) / 100, float(match[2]), int(match[3]), bounds)


def _folders(experiment: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(experiment):
        folder = Path(parent)
        if "per_utt" in files:
            yield folder
        shown = [name for name in folders if not name.startswith(".")]
        folders[:] = [name for name in shown if not ExperimentLayout(folder / name).config.exists()]


def _read_alignments(path: Path) -> dict[str, list[Pair]]:
    """Read rows of ``ref``, ``hyp``, ``op`` and ``#csid``; words, and so columns, hold no blanks."""
    alignments: dict[str, list[Pair]] = {}
    lines = read_lines(path, advice=_AGAIN)
    for start in range(0, len(lines), 4):
        rows = [split_words(line) for line in lines[start : start + 4]]
        heads = [tuple(row[:2]) for row in rows]
        utterance = rows[0][0] if rows[0] else ""
        columns = list(zip(*(row[2:] for row in rows[:3])))
        same_length = len({len(row) for row in rows[:3]}) == 1
        if heads != [(utterance, name) for name in ("ref", "hyp", "op", "#csid")] or not same_length:
            raise DataError(
                f"{path}:{start + 1}: expected rows of ref, hyp, op and #csid with as many columns each; {_AGAIN}"
            )
        alignments[utterance] = [
            Pair(operation, None if operation == "I" else reference, None if operation == "D" else hypothesis)
            for reference, hypothesis, operation in columns
        ]
    return alignments


def _count(pairs: Sequence[Pair]) -> ErrorCounts:
    operations = [pair.operation for pair in pairs]
    substitutions, deletions, insertions = (operations.count(operation) for operation in "SDI")
    wrong = int(substitutions + deletions + insertions > 0)
    return ErrorCounts(substitutions, deletions, insertions, len(pairs) - insertions, 1, wrong)


def _read_speakers(path: Path) -> dict[str, ErrorCounts]:
    """Read the rows between the heading and the sum."""
    speakers = {}
    for number, line in enumerate(read_lines(path, advice=_AGAIN)[1:-1], start=2):
        try:
            name, *cells = split_words(line)
            sentences, words, substitutions, deletions, insertions = map(int, cells[:5])
            wrong = round(float(cells[7]) * sentences / 100)
        except (ValueError, IndexError, OverflowError) as error:
            raise DataError(f"{path}:{number}: not a row of a speaker; {_AGAIN}") from error
        speakers[name] = ErrorCounts(substitutions, deletions, insertions, words, sentences, wrong)
    return speakers
