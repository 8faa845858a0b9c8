"""Print phone error rates by language, with their means over languages. Standard library only.

    python local/language_table.py local/unseen_languages.tsv exp/evaluation/base/unseen_all/test/2
    python local/language_table.py local/unseen_languages.tsv exp/evaluation/base/unseen_all/dev --best

The folder has LANGUAGE/wer for each language, as ``speechtl score --unit phone --out`` writes it. With ``--best`` it
has a folder of such folders for each value of a setting; each value is followed by its means over the languages, and
the last line is the value with the lowest mean feature error rate.

Languages count alike in the means, whatever their number of utterances; the last row has the rates of all phones.
Intervals (95 %) resample the languages.
"""

import argparse
import random
import re
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

DRAWS = 10_000


def read_names(path: Path) -> dict[str, str]:
    """Return the names of the languages by code, in the order of the table."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    return {row[0]: row[1] for row in rows}


class Rates(NamedTuple):
    """Error rates of phones and of their features in percent, and what they are: errors of how many."""

    phones: float
    features: float
    phone_errors: float
    phone_count: int
    feature_errors: float
    segments: int


def read_rates(path: Path) -> Rates:
    """Return what ``speechtl score --unit phone`` has found."""
    text = path.read_text(encoding="utf-8")
    phones = re.search(r"%PER ([\d.]+) \[ (\d+) / (\d+)", text)
    features = re.search(r"%PFER ([\d.]+) \[ ([\d.]+) / (\d+)", text)
    if phones is None or features is None:
        sys.exit(f"error: {path}: no %PER and %PFER in it; it is not what speechtl score --unit phone --out writes")
    counts = float(phones[2]), int(phones[3]), float(features[2]), int(features[3])
    return Rates(float(phones[1]), float(features[1]), *counts)


def rates_of(folder: Path) -> dict[str, Rates]:
    """Return the rates of every language in a folder."""
    found = {path.parent.name: read_rates(path) for path in sorted(folder.glob("*/wer"))}
    if not found:
        sys.exit(f"error: {folder}: no LANGUAGE/wer in it; score the languages first")
    return found


def interval(values: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by resampling the values."""
    draw = random.Random(1)
    means = sorted(statistics.fmean(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    return means[int(0.025 * DRAWS)], means[int(0.975 * DRAWS)]


def best(folder: Path) -> list[str]:
    """Return a line for each value, and the value with the lowest feature error rate, the smallest of equals."""
    means = {}
    for place in sorted(
        (path for path in folder.iterdir() if any(path.glob("*/wer"))), key=lambda path: float(path.name)
    ):
        rates = rates_of(place)
        means[place.name] = tuple(statistics.fmean(row[column] for row in rates.values()) for column in (0, 1))
    if not means:
        sys.exit(f"error: {folder}: no VALUE/LANGUAGE/wer in it; score the languages first")
    lines = [f"{value}: PER {per:.2f} %, PFER {pfer:.2f} %" for value, (per, pfer) in means.items()]
    return [*lines, min(means, key=lambda value: (means[value][1], float(value)))]


def table(names: dict[str, str], rates: dict[str, Rates]) -> list[str]:
    """Return the rows of the table, languages in the order of ``names``."""
    lines = ["| language | phones | %PER | %PFER |", "|---|---|---|---|"]
    for language in sorted(rates, key=list(names).index):
        one = rates[language]
        lines.append(f"| {names[language]} | {one.phone_count} | {one.phones:.1f} | {one.features:.1f} |")
    cells = []
    for column in (0, 1):
        values = [row[column] for row in rates.values()]
        low, high = interval(values)
        cells.append(f"**{statistics.fmean(values):.1f}** ({low:.1f} to {high:.1f})")
    _, _, phone_errors, phones, feature_errors, segments = (sum(column) for column in zip(*rates.values()))
    lines.append(f"| mean of {len(rates)} | {phones} | {cells[0]} | {cells[1]} |")
    both = f"{100 * phone_errors / phones:.1f} | {100 * feature_errors / segments:.1f}"
    lines.append(f"| all phones alike | {phones} | {both} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Print phone error rates by language.")
    parser.add_argument("names", type=Path, help="table of languages: code, name, ...")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--best", action="store_true", help="choose between the values that are folders of the folder")
    arguments = parser.parse_args()
    if arguments.best:
        print("\n".join(best(arguments.folder)))
        return
    names, rates = read_names(arguments.names), rates_of(arguments.folder)
    unknown = sorted(rates.keys() - names.keys())
    if unknown:
        sys.exit(f"error: {arguments.folder}: {', '.join(unknown)} is not in {arguments.names}")
    print("\n".join(table(names, rates)))


if __name__ == "__main__":
    main()
