"""The results of a study: a table, and a picture of error against seconds of speech."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from speechtl.report.curves import Curve, draw_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWS = 1000
_SURE = (2.5, 97.5)

HEADING = (
    "system",
    "utterances",
    "seconds",
    "%WER before",
    "after",
    "95 % interval",
    "reduction",
    "%PER before",
    "after",
    "reduction",
    "worse",
    "source before",
    "after",
    "time",
    "trained",
    "stored",
)


def main_unit(line: dict[str, Any]) -> str:
    """Return what is counted: words where there are words, phones otherwise."""
    return "words" if "words" in line["after"] else "phones"


def errors_of_speakers(lines: Sequence[dict[str, Any]], when: str, unit: str) -> np.ndarray:
    """Sum errors and reference lengths over a speaker's draws.

    Args:
        lines: after the last epoch, of one system and count.
        when: ``"before"`` or ``"after"``.
        unit: ``"words"`` or ``"phones"``.

    Returns:
        ``(speakers, 2)``, speakers in the order in which they first come.
    """
    speakers: dict[str, np.ndarray] = {}
    for line in lines:
        speakers[line["speaker"]] = speakers.get(line["speaker"], 0) + np.array(line[when][unit])
    return np.array(list(speakers.values()), float)


def interval(errors: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of an error rate in percent, speakers resampled."""
    chosen = np.random.default_rng(0).integers(len(errors), size=(_DRAWS, len(errors)))
    sums = errors[chosen].sum(axis=1)
    low, high = np.percentile(100 * sums[:, 0] / np.maximum(sums[:, 1], 1), _SURE)
    return float(low), float(high)


def relative_reduction(before: np.ndarray, after: np.ndarray) -> float:
    """Return the mean over speakers of the share of errors that is gone, in percent.

    A speaker without errors before counts 0 if there are none after, and -100 otherwise.
    """
    changes = [(b - a) / b if b else float(a == 0) - 1.0 for b, a in zip(before[:, 0], after[:, 0], strict=True)]
    return 100 * float(np.mean(changes))


def curve(lines: Sequence[dict[str, Any]], when: str = "after") -> list[tuple[float, float, float, float]]:
    """Return error rates of one system, with intervals from resampled speakers.

    Args:
        lines: of the study, of one system, each after the last epoch.
        when: ``"after"`` or ``"before"``.

    Returns:
        For every count of utterances: mean seconds of speech, error rate, and its 95 % interval, in percent.
    """
    points = []
    for count in dict.fromkeys(line["count"] for line in lines):
        group = [line for line in lines if line["count"] == count]
        errors = errors_of_speakers(group, when, main_unit(group[0]))
        seconds = float(np.mean([line["seconds"] for line in group]))
        points.append((seconds, _percent(errors), *interval(errors)))
    return sorted(points)


def study_chart(lines: Sequence[dict[str, Any]], title: str) -> "Figure":
    """Draw a study; error bars are 95 % intervals over speakers, the dashed line is the source model."""
    finished = [line for line in lines if line["last"]]
    systems = {name: [one for one in finished if one["system"] == name] for name in _names(finished)}
    widest = max(systems.values(), key=lambda group: len({line["count"] for line in group}))
    curves = [Curve("source model", curve(widest, "before"), reference=True)]
    curves += [Curve(name, curve(group)) for name, group in systems.items()]
    unit = main_unit(finished[0])[:-1]
    return draw_curves(title, curves, "seconds of speech adapted to", f"{unit} errors, %", log_x=True)


def study_rows(lines: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a row for every system and count of utterances, under `HEADING`.

    Of several seeds, ``after`` is all of them together with the standard deviation between them. ``worse`` counts
    speakers with more errors afterwards; ``source`` is the error rate on speech of the source's own
    speakers; ``time`` is processor seconds for an adaptation.
    """
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for line in lines:
        if line["last"]:
            groups.setdefault((line["system"], line["count"]), []).append(line)
    rows = []
    for (system, count), group in groups.items():
        row = [system, str(count or "all"), f"{np.mean([line['seconds'] for line in group]):.1f}"]
        unit = main_unit(group[0])
        before, after = (errors_of_speakers(group, when, unit) for when in ("before", "after"))
        low, high = interval(after)
        row += [f"{_percent(before):.2f}", _with_spread(group, after, unit), f"{low:.1f} - {high:.1f}"]
        row += [f"{relative_reduction(before, after):.1f} %"]
        phones = [errors_of_speakers(group, when, "phones") for when in ("before", "after")]
        row += [f"{_percent(one):.2f}" for one in phones] + [f"{relative_reduction(*phones):.1f} %"]
        row += [f"{int(np.sum(after[:, 0] > before[:, 0]))} of {len(after)}"]
        for when in ("source_before", "source_after"):
            counts = np.array([line[when][unit] for line in group if when in line], float)
            row += [f"{_percent(counts):.2f}" if len(counts) else "-"]
        sizes = {line.get("bytes", 0) for line in group}
        row += [f"{np.mean([line['processor'] for line in group]):.1f} s"]
        row += [f"{max(line['parameters'] for line in group):,}", f"{math.ceil(max(sizes) / 1000):,} kB"]
        rows.append(row)
    return rows


def text_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align the rows of a study under the heading."""
    table = [list(HEADING), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    aligned = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in table]
    return ["  ".join(row).rstrip() for row in aligned]


def markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write the rows of a study for a README."""
    lines = ["| " + " | ".join(HEADING) + " |", "|---" * len(HEADING) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _with_spread(group: Sequence[dict[str, Any]], errors: np.ndarray, unit: str) -> str:
    seeds = list(dict.fromkeys(line["seed"] for line in group))
    text = f"{_percent(errors):.2f}"
    if len(seeds) == 1:
        return text
    rates = [
        _percent(errors_of_speakers([line for line in group if line["seed"] == seed], "after", unit)) for seed in seeds
    ]
    return f"{text} ± {np.std(rates, ddof=1):.2f}"


def _percent(errors: np.ndarray) -> float:
    total = errors.sum(axis=0)
    return 100 * float(total[0]) / max(float(total[1]), 1.0)


def _names(lines: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(line["system"] for line in lines))
