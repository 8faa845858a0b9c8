"""Sentences as phones, for a language model of phones. Standard library only.

    python local/phone_text.py --text TABLE --lexicon LEXICON... --phones LEXICON --out TABLE

A word's pronunciation is its first, in the first lexicon that has it. Sentences are left out that have a word without
one, or a phone that ``--phones``, the lexicon of the model, has not. Lexicons may have probabilities.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path


def pronunciations(path: Path) -> dict[str, list[str]]:
    """Return the first pronunciation of each word."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        found.setdefault(word, phones[1:] if path.name == "lexiconp.txt" else phones)
    return found


def as_phones(text: Path, lexicons: Sequence[Path], known: Path) -> list[str]:
    """Return the lines of a table whose sentences are phones, without what is left out."""
    said: dict[str, list[str]] = {}
    for path in reversed(lexicons):
        said |= pronunciations(path)
    phones = {phone for pronunciation in pronunciations(known).values() for phone in pronunciation}
    lines = []
    for line in text.read_text(encoding="utf-8").splitlines():
        name, *words = line.split()
        sentence = [phone for word in words for phone in said.get(word, [""])]
        if phones.issuperset(sentence):
            lines.append(" ".join([name, *sentence]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Turn sentences into phones.")
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--lexicon", type=Path, nargs="+", required=True)
    parser.add_argument("--phones", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    lines = as_phones(arguments.text, arguments.lexicon, arguments.phones)
    temporary = arguments.out.with_name(arguments.out.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    os.replace(temporary, arguments.out)


if __name__ == "__main__":
    main()
