"""Print mean and spread of phone error rates over seeds. Standard library only.

    python ../shared/rates_table.py "alone=exp/alone_{seed}/ar" "multitask=exp/multitask_{seed}/ar" [--parts test]

A pattern names the folder of an experiment's results in one language; every seed that has them counts. The first row is
the baseline of the relative change.
"""

import argparse
import re
import statistics
from pathlib import Path


def rates(pattern: str, part: str) -> list[float]:
    """Return the error rates in percent, by seed."""
    found = []
    for path in sorted(Path().glob(pattern.replace("{seed}", "[0-9]*") + f"/{part}/per/wer")):
        match = re.search(r"%\wER ([\d.]+)", path.read_text(encoding="utf-8"))
        if match:
            found.append(float(match[1]))
    return found


def cell(values: list[float], baseline: list[float]) -> str:
    if not values:
        return "-"
    mean = statistics.fmean(values)
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    change = f" ({100 * (mean / statistics.fmean(baseline) - 1):+.1f} %)" if baseline and baseline != values else ""
    return f"{mean:.2f}{spread}{change}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Print phone error rates over seeds.")
    parser.add_argument("rows", nargs="+", metavar="NAME=PATTERN")
    parser.add_argument("--parts", nargs="+", default=["dev", "test"])
    arguments = parser.parse_args()
    rows = [row.partition("=")[::2] for row in arguments.rows]
    print("| system |" + "".join(f" {part} %PER |" for part in arguments.parts) + " seeds |")
    print("|---|" + "---|" * len(arguments.parts) + "---|")
    baselines = {part: rates(rows[0][1], part) for part in arguments.parts}
    for name, pattern in rows:
        cells = [cell(rates(pattern, part), baselines[part]) for part in arguments.parts]
        print(f"| {name} | " + " | ".join(cells) + f" | {len(rates(pattern, arguments.parts[0]))} |")


if __name__ == "__main__":
    main()
