"""Draw so many minutes of a data directory, the shorter draws within the longer. Standard library only.

    python local/draw_minutes.py data/taiwanese/train --minutes 1 10 60 --seed 1 --out data/taiwanese/minutes_1

Written below ``--out``: ``1min.txt``, ... with ids of utterances, for ``speechtl data subset --utterance-list``. DATA
has ``utt2dur``, as ``speechtl features`` writes it. The utterances are taken in one random order until the minutes
are reached.
"""

import argparse
import random
import sys
from pathlib import Path


def read_durations(path: Path) -> dict[str, float]:
    """Return the seconds of each utterance."""
    if not path.is_file():
        sys.exit(f"error: {path}: no such file; run speechtl features on its folder")
    pairs = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {utterance: float(seconds) for utterance, seconds in pairs}


def draw(durations: dict[str, float], minutes: list[int], seed: int) -> dict[int, list[str]]:
    """Return the utterances of each length, in the order in which they were drawn."""
    order = sorted(durations)
    random.Random(seed).shuffle(order)
    taken: dict[int, list[str]] = {}
    seconds = 0.0
    wanted = sorted(minutes)
    for number, utterance in enumerate(order, 1):
        seconds += durations[utterance]
        while wanted and seconds >= 60 * wanted[0]:
            taken[wanted.pop(0)] = order[:number]
    if wanted:
        sys.exit(f"error: {wanted[0]} minutes are more than there are ({seconds / 60:.1f})")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw so many minutes of a data directory.")
    parser.add_argument("data", type=Path, help="data directory with utt2dur")
    parser.add_argument("--minutes", type=int, nargs="+", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    parts = draw(read_durations(arguments.data / "utt2dur"), arguments.minutes, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for minutes, utterances in parts.items():
        lines = "".join(f"{utterance}\n" for utterance in sorted(utterances))
        (arguments.out / f"{minutes}min.txt").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
