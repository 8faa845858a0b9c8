"""Print how many keywords are missed at how many false alarms. Standard library only.

    python local/detection_curve.py DATA --keywords keywords.txt NAME=FOLDER [...] [--points curve.tsv] [--best]

FOLDER has the ``ctm`` of ``speechtl decode``, whose last column is the confidence; DATA has ``text``, ``utt2dur`` and
``utt2spk``. A detection counts as right if the utterance has the keyword, and no more often than it has it; where in
the utterance is not asked. The threshold on the confidence goes from the highest to none. Per cent missed are of all
occurrences; false alarms are per keyword and hour of speech. Intervals (95 %) resample the speakers at the threshold
of the point.

``--points`` writes the curves for ``speechtl chart``. With ``--best`` each curve has a line with its mean, and the
last line names the curve with the fewest misses, on average over the rates of false alarms of the table.
"""

import argparse
import random
import statistics
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

RATES = (0.5, 1.0, 2.0, 5.0, 10.0)  # false alarms per keyword and hour
DRAWS = 1000


class Detection(NamedTuple):
    """A keyword that was found."""

    confidence: float
    utterance: str
    right: bool


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


def read_detections(path: Path, keywords: set[str], spoken: dict[str, Counter]) -> list[Detection]:
    """Return the keywords of a CTM, surest first; where a keyword is found too often, the least sure are wrong."""
    if not path.is_file():
        sys.exit(f"error: {path}: no such file; run keywords.sh from the beginning")
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if len(fields) < 6:
            sys.exit(f"error: {path}, line {number}: expected 'utterance channel start duration word confidence'")
        if fields[4] in keywords:
            found[fields[0], fields[4]].append(float(fields[5]))
    return sorted(
        (
            Detection(confidence, utterance, place < spoken.get(utterance, Counter())[word])
            for (utterance, word), values in found.items()
            for place, confidence in enumerate(sorted(values, reverse=True))
        ),
        reverse=True,
    )


def curve(detections: list[Detection], test: Test) -> list[tuple[float, float, float]]:
    """Return ``(false alarms per keyword and hour, per cent missed, threshold)``, the highest threshold first."""
    points, alarms, hits = [(0.0, 100.0, float("inf"))], 0, 0
    for number, detection in enumerate(detections):
        hits += detection.right
        alarms += not detection.right
        if number + 1 == len(detections) or detections[number + 1].confidence < detection.confidence:
            rate = alarms / test.keywords / test.hours
            points.append((rate, 100 * (1 - hits / test.occurrences), detection.confidence))
    return points


def at(points: list[tuple[float, float, float]], rate: float) -> tuple[float, float, float]:
    """Return the last point with at most this rate of false alarms."""
    return [point for point in points if point[0] <= rate][-1]


def interval(detections: list[Detection], test: Test, threshold: float) -> tuple[float, float]:
    """Return the 95 % interval of the per cent missed at a threshold."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for utterance, words in test.spoken.items():
        counts[test.speakers[utterance]][1] += sum(words.values())
    for detection in detections:
        if detection.right and detection.confidence >= threshold:
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
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument(
        "--keywords", type=Path, required=True, help="lexicon of the keywords, beside it FILE.unheard.txt"
    )
    parser.add_argument("--points", type=Path, metavar="FILE")
    parser.add_argument("--best", action="store_true")
    arguments = parser.parse_args()
    keywords = set(read_table(arguments.keywords))
    unheard = set(read_table(arguments.keywords.with_suffix(".unheard.txt")))
    kinds = {"all": keywords} if arguments.best else {"all": keywords, "heard": keywords - unheard, "unheard": unheard}
    means: dict[str, float] = {}
    rows, lines = [], []
    for run in arguments.runs:
        name, _, folder = run.partition("=")
        for kind, words in kinds.items():
            test = read_test(arguments.data, words)
            detections = read_detections(Path(folder) / "ctm", words, test.spoken)
            points = curve(detections, test)
            cells = []
            for rate in RATES:
                _, missed, threshold = at(points, rate)
                low, high = interval(detections, test, threshold)
                cells.append(f"{missed:.1f} ({low:.1f} to {high:.1f})")
            rows.append(f"| {name}, {kind} | {len(words)} | {test.occurrences} | " + " | ".join(cells) + " |")
            lines += [
                f"{name}, {kind}\t{rate:.4f}\t{missed:.2f}" for rate, missed, _ in points if rate >= RATES[0] / 10
            ]
            if kind == "all":
                means[name] = statistics.fmean(at(points, rate)[1] for rate in RATES)
    if arguments.points:
        arguments.points.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if arguments.best:
        print("\n".join(f"{name}: {mean:.2f} % missed on average" for name, mean in means.items()))
        print(min(means, key=means.__getitem__))
        return
    heading = " | ".join(f"{rate:g}" for rate in RATES)
    print(
        f"Missed, per cent, at so many false alarms per keyword and hour:\n\n| keywords | words | spoken | {heading} |"
    )
    print("|---|---|---|" + "---|" * len(RATES))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
