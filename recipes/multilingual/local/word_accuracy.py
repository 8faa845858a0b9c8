"""Print how many isolated words were found, by system, mean and spread over its runs. Needs numpy.

    python local/word_accuracy.py data/arabic/test --system "attributes=exp/attributes_*/arabic/text" [--system ...] \\
        [--words FILE] [--baseline NAME]

``NAME=PATTERN``: every file that matches the pattern is one run (one seed). ``--words`` counts the utterances of these
words alone. With ``--baseline``, every other system is followed by the difference from it and its interval (95 %),
drawn from the speakers.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

SAMPLES = 10_000


def read_table(path: Path) -> dict[str, str]:
    if not path.exists():
        sys.exit(f"error: {path}: no such file; run the stages before this one")
    pairs = [line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {key: value.strip() for key, _, value in pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", type=Path, help="data directory with text and utt2spk")
    parser.add_argument("--system", action="append", required=True, metavar="NAME=PATTERN")
    parser.add_argument("--words", type=Path, help="count these words alone")
    parser.add_argument("--baseline", help="name of the system that the others are compared with")
    parser.add_argument("--choices", type=int, help="words to choose from; by default those of the test part")
    args = parser.parse_args()
    references, speakers = read_table(args.test / "text"), read_table(args.test / "utt2spk")
    choices = args.choices or len(set(references.values()))
    if args.words:
        wanted = set(args.words.read_text(encoding="utf-8").split())
        references = {utterance: word for utterance, word in references.items() if word in wanted}
    names = sorted({speakers[utterance] for utterance in references})
    draws = np.random.default_rng(0).integers(len(names), size=(SAMPLES, len(names)))
    right: dict[str, np.ndarray] = {}
    tokens = np.array([sum(speakers[utterance] == name for utterance in references) for name in names])
    print(f"{args.test}: {tokens.sum()} utterances of {len(names)} speakers, {choices} words to choose from")
    print(f"{'chance':24}{100 / choices:6.1f} %")
    for system in args.system:
        name, _, pattern = system.partition("=")
        runs = sorted(Path().glob(pattern))
        if not runs:
            sys.exit(f"error: {pattern}: no such files; run the stages before this one")
        hits = np.zeros((len(runs), len(names)))
        for row, run in zip(hits, runs, strict=True):
            found = read_table(run)
            for column, speaker in enumerate(names):
                row[column] = sum(
                    found.get(utterance) == word
                    for utterance, word in references.items()
                    if speakers[utterance] == speaker
                )
        rates = 100 * hits.sum(axis=1) / tokens.sum()
        right[name] = hits.mean(axis=0)
        spread = rates.std(ddof=1) if len(rates) > 1 else 0.0
        line = f"{name:24}{rates.mean():6.1f} % ± {spread:.1f}   runs {' '.join(f'{rate:.1f}' for rate in rates)}"
        if args.baseline in right and name != args.baseline:
            gain = 100 * (right[name] - right[args.baseline])[draws].sum(axis=1) / tokens[draws].sum(axis=1)
            low, high = np.percentile(gain, [2.5, 97.5])
            line += f"   {args.baseline} {gain.mean():+.1f}, {low:+.1f} to {high:+.1f}"
        print(line)


if __name__ == "__main__":
    main()
