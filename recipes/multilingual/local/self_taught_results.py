"""Print phone error rates with and without self-taught learning, by the share of the labels.

    python local/self_taught_results.py exp/self_taught [--parts dev test] [--systems baseline self_taught]

Reads ``SYSTEM_PERCENT_SEED/PART/per/wer`` below the folder. Each cell is the mean over the seeds with the standard
deviation; the change is that of the means, relative to the first system.
"""

import argparse
import re
import statistics
import sys
from pathlib import Path


def read_rate(path: Path) -> float:
    """Read the error rate, in percent, from a file that ``speechtl score`` wrote."""
    found = re.match(r"%\w+ ([\d.]+) \[", path.read_text(encoding="utf-8"))
    if not found:
        sys.exit(f"error: {path}: does not start with an error rate (%WER ...); score that experiment again")
    return float(found.group(1))


def main() -> None:
    """Print one table per part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", nargs="+", default=["dev", "test"])
    parser.add_argument("--systems", nargs="+", default=["baseline", "self_taught"])
    arguments = parser.parse_args()
    printed = False
    for part in arguments.parts:
        rates: dict[tuple[str, int], list[float]] = {}
        for system in arguments.systems:
            for path in sorted(arguments.folder.glob(f"{system}_*_*/{part}/per/wer")):
                name = re.fullmatch(rf"{re.escape(system)}_(\d+)_(\d+)", path.parents[2].name)
                if name:
                    rates.setdefault((system, int(name.group(1))), []).append(read_rate(path))
        if not rates:
            continue
        printed = True
        print(f"| % of the labels | {' | '.join(f'{system}, {part} PER %' for system in arguments.systems)} | change |")
        print("|---:|" + "---:|" * (len(arguments.systems) + 1))
        for percent in sorted({percent for _, percent in rates}):
            cells = [rates.get((system, percent)) for system in arguments.systems]
            shown = [
                f"{statistics.mean(cell):.1f} ± {statistics.stdev(cell) if len(cell) > 1 else 0:.1f}" if cell else "–"
                for cell in cells
            ]
            changes = [
                f"{100 * (statistics.mean(cell) / statistics.mean(cells[0]) - 1):+.1f} %"
                for cell in cells[1:]
                if cell and cells[0]
            ]
            print(f"| {percent} | {' | '.join(shown)} | {', '.join(changes) or '–'} |")
        print()
    if not printed:
        sys.exit(f"error: {arguments.folder}: no scores below it; run self_taught.sh")


if __name__ == "__main__":
    main()
