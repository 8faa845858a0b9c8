"""Before and after, in one table."""

import dataclasses
from typing import Any

from speechtl.adaptation.scorer import Scores
from speechtl.errors import DataError
from speechtl.scoring.error_rate import ErrorRate
from speechtl.scoring.significance import ConfidenceInterval, bootstrap_interval, compare


@dataclasses.dataclass(frozen=True)
class BeforeAfter:
    """Errors on the same speech before and after."""

    title: str
    before: Scores
    after: Scores

    @property
    def reduction(self) -> float:
        """Share of the errors that is gone; below 0, there are more."""
        before, after = self.before.main.total.errors, self.after.main.total.errors
        return (before - after) / before if before else 0.0 if not after else -float("inf")


def table_lines(comparisons: list[BeforeAfter]) -> list[str]:
    """Return the table: a row before and a row after for each comparison."""
    rows = [["", "", "utterances", "%WER", "95 % interval", "S", "D", "I", "%PER", "95 % interval"]]
    for comparison in comparisons:
        for when in ("before", "after"):
            score: Scores = getattr(comparison, when)
            words, phones = score.words, score.phones
            counts = score.main.total
            rows.append(
                [
                    comparison.title if when == "before" else "",
                    when,
                    str(counts.sentences),
                    "-" if words is None else f"{100 * words.rate:.2f}",
                    "-" if words is None else _interval_text(words),
                    str(counts.substitutions),
                    str(counts.deletions),
                    str(counts.insertions),
                    f"{100 * phones.rate:.2f}",
                    _interval_text(phones),
                ]
            )
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]


def verdict_line(comparison: BeforeAfter) -> str:
    """Say in a sentence what changed, and how sure that is."""
    first, second = comparison.before.main, comparison.after.main
    unit = "word" if first.unit == "word" else "phone"
    text = f"{comparison.title}: {first.total.errors} {unit} errors before, {second.total.errors} after"
    if first.total.errors:
        text += f" ({100 * abs(comparison.reduction):.0f} % {'fewer' if comparison.reduction >= 0 else 'more'})"
    try:
        difference = compare(first, second)
    except DataError:
        return f"{text}; too little speech to say how sure that is"
    low, high = 100 * difference.interval.low, 100 * difference.interval.high
    return f"{text}; rate {100 * difference.difference:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"


def as_json(comparison: BeforeAfter) -> dict[str, Any]:
    """Return the numbers of a comparison."""
    return {
        when: {
            name: {
                "rate": score.rate,
                "errors": score.total.errors,
                "reference_length": score.reference_length,
                "substitutions": score.substitutions,
                "deletions": score.deletions,
                "insertions": score.insertions,
                "utterances": score.total.sentences,
            }
            for name, score in (("words", one.words), ("phones", one.phones))
            if score is not None
        }
        for when, one in (("before", comparison.before), ("after", comparison.after))
    }


def _interval_text(score: ErrorRate) -> str:
    interval = _interval(score)
    return "-" if interval is None else f"{100 * interval.low:.1f} - {100 * interval.high:.1f}"


def _interval(score: ErrorRate) -> ConfidenceInterval | None:
    try:
        return bootstrap_interval(score)
    except DataError:
        return None
