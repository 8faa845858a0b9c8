"""Take pronunciations from phone labels that do not say where words end. Standard library only.

    python recipes/corpora/label_lexicon.py --text TEXT... --labels labels.txt --guesses lexiconp.txt --out lexicon.txt

The labels of an utterance are divided among its words so that the sum over the words of the edit distance between a
word's share and its nearest guessed pronunciation is least. What a word was given becomes its pronunciation; if it
occurs often and was pronounced in several ways, the most frequent one comes first.
"""

import argparse
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

from data_dirs import read_lines, write_lines

LONGER = 4  # phones by which a share may be longer than the longest guess, or shorter than the shortest


def distances_from(labels: list[str], guess: list[str], longest: int) -> list[int]:
    """Return the edit distance of ``guess`` to the first 0, 1, ..., ``longest`` labels."""
    row = list(range(min(longest, len(labels)) + 1))
    for number, phone in enumerate(guess, 1):
        before, row = row, [number]
        for index in range(1, len(before)):
            change = before[index - 1] + (phone != labels[index - 1])
            row.append(min(before[index] + 1, row[index - 1] + 1, change))
    return row


def divide(words: list[str], labels: list[str], guesses: dict[str, list[list[str]]]) -> list[list[str]]:
    """Return each word's share of the labels; empty if there is no division within the limits."""
    best: dict[int, tuple[int, list[int]]] = {0: (0, [])}
    for word in words:
        options = guesses[word]
        low, high = max(1, min(map(len, options)) - LONGER), max(map(len, options)) + LONGER
        after: dict[int, tuple[int, list[int]]] = {}
        for start, (cost, ends) in best.items():
            rows = [distances_from(labels[start:], guess, high) for guess in options]
            for length in range(low, len(rows[0])):
                end, total = start + length, cost + min(row[length] for row in rows)
                if end not in after or total < after[end][0]:
                    after[end] = (total, [*ends, end])
        best = after
    if len(labels) not in best:
        return []
    ends = [0, *best[len(labels)][1]]
    return [labels[start:end] for start, end in pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Take pronunciations from phone labels.")
    parser.add_argument("--text", type=Path, nargs="+", required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--guesses", type=Path, required=True, help="lexiconp.txt")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    guesses: dict[str, list[list[str]]] = defaultdict(list)
    for line in read_lines(arguments.guesses):
        word, _, *phones = line.split()
        guesses[word].append(phones)
    labels = {key: phones for key, *phones in map(str.split, read_lines(arguments.labels))}
    said: dict[str, Counter[str]] = defaultdict(Counter)
    changed = total = 0
    for path in arguments.text:
        for key, *words in map(str.split, read_lines(path)):
            shares = divide(words, labels[key], guesses)
            if not shares:
                print(f"{key}: its labels do not fit its words; it is left to other utterances and to the guesses")
            for word, share in zip(words, shares):
                said[word][" ".join(share)] += 1
                total += len(share)
                changed += min(distances_from(share, guess, len(share))[-1] for guess in guesses[word])
    for word, options in guesses.items():
        if word not in said:
            said[word][" ".join(options[0])] += 1
    lines = [f"{word} {phones}" for word in sorted(said) for phones, _ in said[word].most_common()]
    write_lines(arguments.out, lines)
    print(
        f"{arguments.out}: {len(said)} words, {len(lines)} pronunciations; labels differ from guesses in "
        f"{100 * changed / max(total, 1):.1f} % of {total} phones"
    )


if __name__ == "__main__":
    main()
