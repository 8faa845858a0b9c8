"""Divide the words of a corpus into folds; the words of fold N are left out of its training. Standard library only.

    python local/divide_words.py --text data/{train,dev,test}/text --lexicon lexicon.txt --out data [--folds 4]

Written below ``--out``: fold<N>/unseen_words, the words that the training of fold N never has. Every word is in one of
these lists. Words in Latin letters and others are both divided evenly, if there are both. Of 2000 random divisions the
first is taken that leaves the fewest phones of unseen words without any training word, tones aside.
"""

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

DIVISIONS = 2000
TONES = "˥˦˧˨˩"

Lexicon = dict[str, list[str]]


def read_lexicon(path: Path) -> Lexicon:
    """Return the first pronunciation of each word, without tones."""
    lexicon: Lexicon = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        lexicon.setdefault(word, [phone.rstrip(TONES) for phone in phones])
    return lexicon


def uncovered(unseen: list[str], words: list[str], lexicon: Lexicon) -> list[str]:
    """Return the phones of unseen words that no other word has."""
    covered = {phone for word in words if word not in unseen for phone in lexicon[word]}
    return sorted({phone for word in unseen for phone in lexicon[word]} - covered)


def divide_words(words: list[str], lexicon: Lexicon, folds: int, seed: int) -> list[list[str]]:
    """Return the unseen words of each fold."""
    kinds = [sorted(word for word in words if word.isascii() == ascii) for ascii in (False, True)]
    rng = random.Random(seed)
    best: list[list[str]] = []
    fewest = sys.maxsize
    for _ in range(DIVISIONS):
        # One kind after the other, so that folds differ by at most one word.
        order = [word for kind in kinds for word in rng.sample(kind, len(kind))]
        division = [order[fold::folds] for fold in range(folds)]
        number = sum(len(uncovered(unseen, words, lexicon)) for unseen in division)
        if number < fewest:
            best, fewest = division, number
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description="Divide the words of a corpus into folds.")
    parser.add_argument("--text", type=Path, nargs="+", required=True, help="tables of the words of all clips")
    parser.add_argument("--lexicon", type=Path, required=True, help="pronunciations of the words, IPA")
    parser.add_argument("--out", type=Path, required=True, help="folder of the folds")
    parser.add_argument("--folds", type=int, default=4, help="parts of the words; each is unseen once")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the division")
    arguments = parser.parse_args()

    texts = [line.split()[1] for path in arguments.text for line in path.read_text(encoding="utf-8").splitlines()]
    words = sorted(set(texts))
    lexicon = read_lexicon(arguments.lexicon)
    missing = [word for word in words if word not in lexicon]
    if missing:
        sys.exit(f"error: {arguments.lexicon}: no pronunciation of {' '.join(missing)}")
    if not 2 <= arguments.folds <= len(words):
        sys.exit(f"error: --folds {arguments.folds}: expected 2 to {len(words)}, the number of words")
    takes = Counter(texts)
    print(f"{len(texts)} clips of {len(words)} words, {min(takes.values())} to {max(takes.values())} of each")
    for fold, unseen in enumerate(divide_words(words, lexicon, arguments.folds, arguments.seed), 1):
        path = arguments.out / f"fold{fold}" / "unseen_words"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{word}\n" for word in sorted(unseen)), encoding="utf-8", newline="\n")
        phones = uncovered(unseen, words, lexicon)
        print(f"fold {fold}: unseen {' '.join(unseen)}; phones in no training word: {' '.join(phones) or 'none'}")


if __name__ == "__main__":
    main()
