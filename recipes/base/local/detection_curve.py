"""Print how many keywords are missed at how many false alarms. Standard library only.

    python local/detection_curve.py DATA --keywords keywords.txt NAME=FOLDER[,FOLDER ...] [...] [--points curve.tsv]

Each FOLDER has the ``ctm`` of ``speechtl decode``, whose last column is the confidence; DATA has ``text``, ``utt2dur``
and ``utt2spk``. The folders of a name are decoded with settings that find fewer or more keywords, the fewest first: a
detection that an earlier folder has is surer than one that only later ones have, and among those of the same folder
first, its confidence decides. The threshold goes from the surest to none.

A detection counts as right if the utterance has the keyword, and no more often than it has it; where in the utterance
is not asked. Per cent missed are of all occurrences; false alarms are per keyword and hour of speech. Intervals (95 %)
resample the speakers at the threshold of the point. ``--points`` writes the curves for ``speechtl chart``.
"""

import argparse
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

RATES = (0.5, 1.0, 2.0, 5.0, 10.0)  # false alarms per keyword and hour
DRAWS = 1000


class Detection(NamedTuple):
    """A keyword that was found; ``sureness`` is how early the first folder with it comes, then its confidence."""

    sureness: tuple[int, float]
    utterance: str
    right: bool


class Point(NamedTuple):
    """Of a curve: false ``alarms`` per keyword and hour, per cent ``missed``, and the ``threshold``."""

    alarms: float
    missed: float
    threshold: tuple[int, float]


class Test(NamedTuple):
    """What was spoken: ``spoken`` counts keywords by utterance."""

    spoken: dict[str, Counter]
    speakers: dict[str, str]
    keywords: int
    hours: float

    @property
    def occurrences(self) -> int:
        return sum(sum(counts.values()) for counts in self.spoken.values())


def read_table(path: Path) -> dict[str, str]:
    if not path.is_file():
        sys.exit(f"error: {path}: no such file; run keywords.sh from the beginning")
    pairs = [line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {key: value.strip() for key, _, value in pairs}


def read_test(data: Path, keywords: set[str]) -> Test:
    """Return what of the keywords is spoken in a data directory."""
    texts = read_table(data / "text")
    spoken = {key: Counter(word for word in text.split() if word in keywords) for key, text in texts.items()}
    durations = read_table(data / "utt2dur")
    hours = sum(float(durations[key]) for key in texts) / 3600
    test = Test(spoken, read_table(data / "utt2spk"), len(keywords), hours)
    if not test.occurrences:
        sys.exit(f"error: {data}: none of the {len(keywords)} keywords is spoken; draw others")
    return test


def read_ctm(path: Path, keywords: set[str]) -> dict[tuple[str, str], list[float]]:
    """Return the confidences of each keyword in each utterance, the highest first."""
    if not path.is_file():
        sys.exit(f"error: {path}: no such file; run keywords.sh from the beginning")
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if len(fields) < 6:
            sys.exit(f"error: {path}, line {number}: expected 'utterance channel start duration word confidence'")
        if fields[4] in keywords:
            found[fields[0], fields[4]].append(float(fields[5]))
    return {place: sorted(values, reverse=True) for place, values in found.items()}


def read_detections(paths: list[Path], keywords: set[str], spoken: dict[str, Counter]) -> list[Detection]:
    """Return the keywords of CTMs, surest first; where a keyword is found too often, the least sure are wrong."""
    sureness: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for level, path in enumerate(paths):
        for place, values in read_ctm(path, keywords).items():
            sureness[place] += [(-level, value) for value in values[len(sureness[place]) :]]
    return sorted(
        (
            Detection(sure, utterance, number < spoken.get(utterance, Counter())[word])
            for (utterance, word), found in sureness.items()
            for number, sure in enumerate(found)
        ),
        reverse=True,
    )


def curve(detections: list[Detection], test: Test) -> list[Point]:
    """Return the points of all thresholds, the highest first."""
    points, alarms, hits = [Point(0.0, 100.0, (1, 0.0))], 0, 0
    for number, detection in enumerate(detections):
        hits += detection.right
        alarms += not detection.right
        if number + 1 == len(detections) or detections[number + 1].sureness < detection.sureness:
            rate = alarms / test.keywords / test.hours
            points.append(Point(rate, 100 * (1 - hits / test.occurrences), detection.sureness))
    return points


def at(points: list[Point], rate: float) -> Point:
    """Return the last point with at most this rate of false alarms."""
    return [point for point in points if point.alarms <= rate][-1]


def interval(detections: list[Detection], test: Test, threshold: tuple[int, float]) -> tuple[float, float]:
    """Return the 95 % interval of the per cent missed at a threshold."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for utterance, words in test.spoken.items():
        counts[test.speakers[utterance]][1] += sum(words.values())
    for detection in detections:
        if detection.right and detection.sureness >= threshold:
            counts[test.speakers[detection.utterance]][0] += 1
    draw, speakers, missed = random.Random(1), list(counts.values()), []
    for _ in range(DRAWS):
        chosen = draw.choices(speakers, k=len(speakers))
        total = sum(total for _, total in chosen)
        missed.append(100 * (1 - sum(hits for hits, _ in chosen) / total) if total else 0.0)
    missed.sort()
    return missed[int(0.025 * DRAWS)], missed[int(0.975 * DRAWS)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Print how many keywords are missed at how many false alarms.")
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER,...")
    parser.add_argument(
        "--keywords", type=Path, required=True, help="lexicon of the keywords, beside it FILE.unheard.txt"
    )
    parser.add_argument("--points", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    keywords = set(read_table(arguments.keywords))
    unheard = set(read_table(arguments.keywords.with_suffix(".unheard.txt")))
    kinds = {"all": keywords, "heard": keywords - unheard, "unheard": unheard}
    rows, lines = [], []
    for run in arguments.runs:
        name, _, folders = run.partition("=")
        for kind, words in kinds.items():
            test = read_test(arguments.data, words)
            detections = read_detections([Path(folder) / "ctm" for folder in folders.split(",")], words, test.spoken)
            points = curve(detections, test)
            cells = []
            for rate in RATES:
                point = at(points, rate)
                low, high = interval(detections, test, point.threshold)
                cells.append(f"{point.missed:.1f} ({low:.1f} to {high:.1f})")
            rows.append(f"| {name}, {kind} | {len(words)} | {test.occurrences} | " + " | ".join(cells) + " |")
            shown = [point for point in points if point.alarms >= RATES[0] / 10]
            lines += [f"{name}, {kind}\t{point.alarms:.4f}\t{point.missed:.2f}" for point in shown]
    if arguments.points:
        arguments.points.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    heading = " | ".join(f"{rate:g}" for rate in RATES)
    print(
        f"Missed, per cent, at so many false alarms per keyword and hour:\n\n| keywords | words | spoken | {heading} |"
    )
    print("|---|---|---|" + "---|" * len(RATES))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
