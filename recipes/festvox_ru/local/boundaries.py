"""Compare the phone boundaries of an alignment with the corpus's labels. Standard library only.

    python local/boundaries.py data/reference.ctm exp/tdnn/align_always/phones.ctm --dev data/dev/text

Both CTMs have the same phones in the same order. Where two phones touch in both, they have one boundary between them;
otherwise the end of one and the start of the next are two. Printed for all utterances and for those of --dev, which the
acoustic model was not trained on.
"""

import argparse
import statistics
import sys
from pathlib import Path

TOUCH = 0.0015  # seconds; times in a CTM are rounded to milliseconds


def read_ctm(path: Path) -> dict[str, list[tuple[float, float, str]]]:
    found: dict[str, list[tuple[float, float, str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        recording, _, start, duration, phone = line.split()[:5]
        found.setdefault(recording, []).append((float(start), float(start) + float(duration), phone))
    return found


def errors(reference: list[tuple[float, float, str]], aligned: list[tuple[float, float, str]]) -> list[float]:
    """Return by how many seconds each boundary is late."""
    late = [aligned[0][0] - reference[0][0], aligned[-1][1] - reference[-1][1]]
    for number in range(1, len(reference)):
        ends = aligned[number - 1][1] - reference[number - 1][1]
        starts = aligned[number][0] - reference[number][0]
        touching = [rows[number][0] - rows[number - 1][1] < TOUCH for rows in (reference, aligned)]
        late += [starts] if all(touching) else [ends, starts]
    return late


def line(name: str, late: list[float]) -> str:
    sizes = sorted(abs(1000 * value) for value in late)
    within = [100 * sum(size <= limit for size in sizes) / len(sizes) for limit in (10, 20, 50)]
    ninetieth = sizes[int(0.9 * (len(sizes) - 1))]
    return (
        f"{name:4} {len(late):6} boundaries: median error {statistics.median(sizes):.1f} ms, 90th percentile "
        f"{ninetieth:.1f} ms, mean {statistics.fmean(sizes):.1f} ms; within 10 ms {within[0]:.1f} %, 20 ms "
        f"{within[1]:.1f} %, 50 ms {within[2]:.1f} %; median shift {1000 * statistics.median(late):+.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare phone boundaries with labels.")
    parser.add_argument("reference", type=Path)
    parser.add_argument("aligned", type=Path)
    parser.add_argument("--dev", type=Path, help="text table of the utterances to print apart")
    arguments = parser.parse_args()
    reference, aligned = read_ctm(arguments.reference), read_ctm(arguments.aligned)
    dev = set()
    if arguments.dev:
        dev = {row.split()[0] for row in arguments.dev.read_text(encoding="utf-8").splitlines()}
    late = {}
    for key in sorted(set(reference) & set(aligned)):
        if [row[2] for row in reference[key]] != [row[2] for row in aligned[key]]:
            sys.exit(f"error: {key}: {arguments.aligned} has other phones than {arguments.reference}")
        late[key] = errors(reference[key], aligned[key])
    if not late:
        sys.exit(f"error: {arguments.aligned} has no utterance of {arguments.reference}")
    if len(late) < len(reference):
        print(f"{len(reference) - len(late)} utterances of the reference are not aligned")
    print(line("all", [value for values in late.values() for value in values]))
    if dev & late.keys():
        print(line("dev", [value for key in sorted(dev & late.keys()) for value in late[key]]))


if __name__ == "__main__":
    main()
