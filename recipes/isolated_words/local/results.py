"""Print the accuracy of unseen and of seen words over all folds. Needs numpy.

    python local/results.py data/test --folds data/fold1 data/fold2 ... --hypotheses "exp/phones_{fold}/test/text" \\
        [--whole-words "exp/whole_words_{fold}/test/phones"] [--details FILE]

In fold N the words of its ``unseen_words`` were not in training, so over all folds each test clip counts once as
unseen, and in the other folds as seen. Every decision is among all words. Intervals (95 %) resample the speakers;
after them are mean and standard deviation over the folds.
``--whole-words`` may be there for some of the folds only; its numbers are of these.
"""

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

SAMPLES = 10_000


def read_table(path: Path) -> dict[str, str]:
    if not path.exists():
        sys.exit(f"error: {path}: no such file; run the stages before this one")
    pairs = [line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {key: value.strip() for key, _, value in pairs}


def accuracy(hits: np.ndarray, tokens: np.ndarray) -> str:
    """Format the accuracy and its interval; hits and tokens ``(speakers,)``."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(tokens), size=(SAMPLES, len(tokens)))
    rates = 100 * hits[drawn].sum(axis=1) / np.maximum(tokens[drawn].sum(axis=1), 1)
    low, high = np.percentile(rates, [2.5, 97.5])
    total = tokens.sum()
    return f"{100 * hits.sum() / max(total, 1):5.1f} %  [{hits.sum():4} / {total:4}]  {low:5.1f} to {high:5.1f}"


def report(
    title: str,
    hypotheses: dict[str, dict[str, str]],
    unseen: dict[str, set[str]],
    references: dict[str, str],
    speakers: dict[str, str],
) -> list[str]:
    """Describe one system: its ``hypotheses`` by fold."""
    rows = {speaker: row for row, speaker in enumerate(sorted(set(speakers.values())))}
    kinds = ("unseen", "seen")
    hits, tokens = np.zeros((2, len(rows)), int), np.zeros((2, len(rows)), int)
    of_folds = np.zeros((2, 2, len(hypotheses)), int)
    for column, (fold, found) in enumerate(hypotheses.items()):
        for utterance, word in references.items():
            kind = 0 if word in unseen[fold] else 1
            tokens[kind, rows[speakers[utterance]]] += 1
            hits[kind, rows[speakers[utterance]]] += found.get(utterance) == word
            of_folds[:, kind, column] += found.get(utterance) == word, 1
    lines = [f"{title}, {len(hypotheses)} fold{'s' * (len(hypotheses) > 1)}"]
    for kind, name in enumerate(kinds):
        rates = 100 * of_folds[0, kind] / np.maximum(of_folds[1, kind], 1)
        spread = f"   folds {rates.mean():.1f} ± {rates.std(ddof=1):.1f}" if len(rates) > 1 else ""
        lines.append(f"  {name:7}{accuracy(hits[kind], tokens[kind])}{spread}")
    return lines


def details(
    hypotheses: dict[str, dict[str, str]], unseen: dict[str, set[str]], references: dict[str, str]
) -> list[str]:
    """Say for each word what it was taken for where it was unseen, and its accuracy where it was seen."""
    heard: dict[str, Counter[str]] = defaultdict(Counter)
    seen: dict[str, list[bool]] = defaultdict(list)
    for fold, found in hypotheses.items():
        for utterance, word in references.items():
            if word in unseen[fold]:
                heard[word][found.get(utterance, "")] += 1
            else:
                seen[word].append(found.get(utterance) == word)
    lines = ["word, % correct where unseen, % correct where seen, what it was taken for where unseen"]
    for word in sorted(heard, key=lambda word: -heard[word][word]):
        total = sum(heard[word].values())
        others = ", ".join(f"{other or '(nothing)'} {n}" for other, n in heard[word].most_common(4) if other != word)
        rate = 100 * sum(seen[word]) / max(len(seen[word]), 1)
        lines.append(f"{word} {100 * heard[word][word] / total:.0f} {rate:.0f} {others}".rstrip())
    return lines


def read_folds(pattern: str, folds: list[str], all_needed: bool) -> dict[str, dict[str, str]]:
    paths = {fold: Path(pattern.format(fold=fold)) for fold in folds}
    return {fold: read_table(path) for fold, path in paths.items() if all_needed or path.exists()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of unseen and seen words.")
    parser.add_argument("test", type=Path, help="data directory with text and utt2spk")
    parser.add_argument("--folds", type=Path, nargs="+", required=True, help="folders with unseen_words")
    parser.add_argument("--hypotheses", required=True, help="text table of each fold; {fold} is the folder's name")
    parser.add_argument("--whole-words", help="the same of the system of whole words")
    parser.add_argument("--details", type=Path, help="file for the accuracy of each word")
    arguments = parser.parse_args()
    references, speakers = read_table(arguments.test / "text"), read_table(arguments.test / "utt2spk")
    unseen = {folder.name: set(read_table(folder / "unseen_words")) for folder in arguments.folds}
    found = read_folds(arguments.hypotheses, list(unseen), all_needed=True)
    print("\n".join(report("phones", found, unseen, references, speakers)))
    if arguments.whole_words:
        whole = read_folds(arguments.whole_words, list(unseen), all_needed=False)
        if whole:
            print("\n".join(report("whole words", whole, unseen, references, speakers)))
    words = set(references.values())
    print(f"chance\n  {100 / len(words):12.1f} %  one of {len(words)} words")
    if arguments.details:
        lines = details(found, unseen, references)
        arguments.details.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
