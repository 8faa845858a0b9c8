"""Draw keywords from the words of a test: as many that training has as such that it has not. Standard library only.

    python local/draw_keywords.py DATA/text --lexicon lexicon.txt --training TRAIN/text [...]
        --out keywords.txt [--seed 1] [--number 20] [--phones 5] [--times 2]

Written: ``keywords.txt``, the lexicon of the keywords, and ``keywords.unheard.txt``, those that training has not.
Words with fewer ``--phones`` in any pronunciation, or that are spoken fewer ``--times``, are no candidates.
"""

import argparse
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path


def words_of(path: Path) -> list[str]:
    """Return the words of a table ``text``, as often as they are spoken."""
    if not path.is_file():
        sys.exit(f"error: {path}: no such file; run the stages before this one")
    return [word for line in path.read_text(encoding="utf-8").splitlines() for word in line.split()[1:]]


def read_lexicon(path: Path) -> dict[str, list[str]]:
    """Return the lines of each word."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            found[line.split()[0]].append(line)
    return dict(found)


def draw(candidates: list[str], number: int, seed: int) -> list[str]:
    """Return so many of the candidates, or an error if there are fewer."""
    if len(candidates) < number:
        sys.exit(
            f"error: {len(candidates)} candidates are too few for {number} keywords; ask for fewer or shorter ones"
        )
    return sorted(random.Random(seed).sample(sorted(candidates), number))


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw keywords from the words of a test.")
    parser.add_argument("text", type=Path)
    parser.add_argument("--lexicon", type=Path, required=True)
    parser.add_argument("--training", type=Path, nargs="+", required=True, metavar="TEXT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=20, help="keywords of each kind")
    parser.add_argument("--phones", type=int, default=5)
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.txt")
    arguments = parser.parse_args()
    lexicon = read_lexicon(arguments.lexicon)
    heard = {word for path in arguments.training for word in words_of(path)}
    candidates = [
        word
        for word, times in Counter(words_of(arguments.text)).items()
        if times >= arguments.times
        and word in lexicon
        and min(len(line.split()) - 1 for line in lexicon[word]) >= arguments.phones
    ]
    known = draw([word for word in candidates if word in heard], arguments.number, arguments.seed)
    unheard = draw([word for word in candidates if word not in heard], arguments.number, arguments.seed)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    lines = [line for word in sorted([*known, *unheard]) for line in lexicon[word]]
    arguments.out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    listed = "".join(f"{word}\n" for word in unheard)
    arguments.out.with_suffix(".unheard.txt").write_text(listed, encoding="utf-8")


if __name__ == "__main__":
    main()
