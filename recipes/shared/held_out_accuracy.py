"""Print how many unseen and how many seen words of a test were recognised. Needs jiwer and numpy.

    python ../shared/held_out_accuracy.py data/test --words WORDS.txt --training data/unseen/train/text \\
        [--details FILE] "NAME=exp/unseen/test/text" ...

Reference and hypothesis are aligned with the fewest edits; the accuracy of a group of words is the share of its
reference tokens that are aligned with themselves. The groups:

    held out    the words of the list
    all unseen  all words that are in no training utterance: those, and rare words that only occur together with
                them or never
    seen, same  the other words, in utterances with at least one held-out word
    seen, rest  the other words of the other utterances

The difference is "held out" minus "seen, same". Intervals (95 %) resample the speakers. False alarms are held-out words
in the hypotheses in places where another word, or none, was spoken.
"""

import argparse
import dataclasses
import sys
from collections import Counter, defaultdict
from pathlib import Path

import jiwer
import numpy as np

GROUPS = ("held out", "all unseen", "seen, same", "seen, rest")
SAMPLES = 10_000


def read_text(path: Path) -> dict[str, list[str]]:
    if not path.exists():
        sys.exit(f"error: {path}: no such file; run the stages before this one")
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {fields[0]: fields[1:] for fields in lines}


def read_words(path: Path) -> set[str]:
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return {line for line in lines if line}


@dataclasses.dataclass
class Counts:
    """Of one system: ``tokens`` and ``hits`` are ``(speakers, groups)``."""

    tokens: np.ndarray
    hits: np.ndarray
    false_alarms: int
    heard: dict[str, Counter]


def align(reference: list[str], hypothesis: list[str]) -> tuple[list[str], list[str]]:
    """Return what stands for each reference word ("" for nothing), and the hypothesis words that are wrong."""
    if not hypothesis:
        return ["" for _ in reference], []
    result = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    found, wrong = ["" for _ in reference], []
    for chunk in result.alignments[0]:
        if chunk.type in ("equal", "substitute"):
            said = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            found[chunk.ref_start_idx : chunk.ref_end_idx] = said
        if chunk.type in ("insert", "substitute"):
            wrong += hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
    return found, wrong


def count(
    references: dict[str, list[str]],
    hypotheses: dict[str, list[str]],
    speakers: dict[str, str],
    held_out: set[str],
    trained: set[str],
) -> Counts:
    rows = {speaker: row for row, speaker in enumerate(sorted(set(speakers.values())))}
    counts = Counts(np.zeros((len(rows), 4), int), np.zeros((len(rows), 4), int), 0, defaultdict(Counter))
    for utterance, reference in references.items():
        found, wrong = align(reference, hypotheses.get(utterance, []))
        same = bool(held_out.intersection(reference))
        counts.false_alarms += sum(word in held_out for word in wrong)
        for word, said in zip(reference, found, strict=True):
            groups = {0: word in held_out, 1: word not in trained, 2: word in trained and same}
            groups[3] = word in trained and not same
            for group, member in groups.items():
                counts.tokens[rows[speakers[utterance]], group] += member
                counts.hits[rows[speakers[utterance]], group] += member and word == said
            if word not in trained:
                counts.heard[word][said] += 1
    return counts


def intervals(counts: Counts, seed: int) -> np.ndarray:
    """Return 2.5 % and 97.5 % points ``(2, groups + 1)`` of the accuracies and of the difference, in percent."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(counts.tokens), size=(SAMPLES, len(counts.tokens)))
    tokens, hits = counts.tokens[drawn].sum(axis=1), counts.hits[drawn].sum(axis=1)
    rates = 100 * hits / np.maximum(tokens, 1)
    rates = np.concatenate([rates, rates[:, :1] - rates[:, 2:3]], axis=1)
    return np.percentile(rates, [2.5, 97.5], axis=0)


def report(name: str, counts: Counts, seed: int) -> list[str]:
    tokens, hits = counts.tokens.sum(axis=0), counts.hits.sum(axis=0)
    rates = 100 * hits / np.maximum(tokens, 1)
    low, high = intervals(counts, seed)
    lines = [name]
    for group, title in enumerate(GROUPS):
        lines.append(
            f"  {title:11}{rates[group]:6.1f} %  [{hits[group]:4} / {tokens[group]:4}]  "
            f"{low[group]:5.1f} to {high[group]:5.1f}"
        )
    lines.append(f"  difference {rates[0] - rates[2]:+6.1f}                  {low[4]:+5.1f} to {high[4]:+5.1f}")
    lines.append(f"  false alarms of held-out words: {counts.false_alarms}")
    return lines


def details(name: str, counts: Counts, held_out: set[str]) -> list[str]:
    """Describe what each unseen word was recognised as."""
    lines = [name]
    for word in sorted(counts.heard, key=lambda word: (word not in held_out, word)):
        heard = counts.heard[word]
        others = ", ".join(f"{other or '(nothing)'} {times}" for other, times in heard.most_common() if other != word)
        mark = " " if word in held_out else "*"
        lines.append(f"  {mark}{word:12}{heard[word]:3} / {sum(heard.values()):3}  {others}".rstrip())
    return [*lines, "  (*: not held out by the list, and in no training utterance)"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of unseen and seen words.")
    parser.add_argument("test", type=Path, help="data directory with text and utt2spk")
    parser.add_argument("--words", type=Path, required=True, help="the words held out")
    parser.add_argument("--training", type=Path, required=True, help="text table of the training")
    parser.add_argument("--details", type=Path, help="file for what each unseen word was recognised as")
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap")
    parser.add_argument("systems", nargs="+", metavar="NAME=HYP", help="text tables of hypotheses")
    arguments = parser.parse_args()
    references = read_text(arguments.test / "text")
    speakers = {key: value[0] for key, value in read_text(arguments.test / "utt2spk").items()}
    held_out = read_words(arguments.words)
    trained = {word for words in read_text(arguments.training).values() for word in words}
    if held_out & trained:
        sys.exit(f"error: {arguments.training} has words of {arguments.words}: {' '.join(sorted(held_out & trained))}")
    lines = []
    for system in arguments.systems:
        name, _, path = system.rpartition("=")
        counts = count(references, read_text(Path(path)), speakers, held_out, trained)
        print("\n".join(report(name, counts, arguments.seed)))
        lines += details(name, counts, held_out)
    if arguments.details:
        arguments.details.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
