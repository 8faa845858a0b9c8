"""Sayings, jokes and quotations of the fortune program: text of a language, without speech. Standard library only.

    python recipes/corpora/fortunes.py --corpus DIR --language de --out data/fortunes_de

Licence: GPL, version 2 or later (the quotations are their authors'). Get it: unpack the Debian package
``fortunes-de`` or ``fortunes-ru`` (``apt-get download``, ``dpkg -x``).

Layout: files of text without a suffix in ``usr/share/games/fortunes/<language>`` or DIR itself, entries divided by
lines of ``%``; UTF-8.

Written below ``--out``: ``text``, a table of sentences with invented ids; ``words.txt``, their words, which need a
pronunciation. Words are in lower case without punctuation.

Left out: sentences of one or two words, sentences with other letters than the language's or with digits, and what came
before. 31,629 German sentences remain (fortunes-de 0.35), and 22,511 Russian ones (fortunes-ru 1.52).
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from data_dirs import fail, write_lines

HOW_TO_GET_IT = "It is free: unpack the Debian package fortunes-LANGUAGE (dpkg -x) and give the folder with --corpus"
LETTERS = {"de": "a-zäöüß", "ru": "а-яё"}
_END = re.compile(r"[.!?:;%]|\n\s*\n|\n\s*--")
_FEWEST = 3


def sentences_of(text: str, letters: str) -> Iterator[str]:
    """Yield the sentences, as words in lower case with a space between."""
    for sentence in _END.split(text.lower()):
        words = re.sub(r"[^\w]+", " ", sentence).split()
        if len(words) >= _FEWEST and all(re.fullmatch(f"[{letters}]+", word) for word in words):
            yield " ".join(words)


def prepare(corpus: Path, language: str, out: Path) -> None:
    """Write sentences and words."""
    if language not in LETTERS:
        fail(f"no sentences of {language} are known; choose from {', '.join(LETTERS)}")
    inside = corpus / "usr" / "share" / "games" / "fortunes" / language
    files = sorted(
        path for path in (inside if inside.is_dir() else corpus).glob("*") if path.is_file() and not path.suffix
    )
    found: dict[str, None] = {}
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            fail(f"{path}: not UTF-8 ({error}); take files without a suffix")
        found.update(dict.fromkeys(sentences_of(text, LETTERS[language])))
    if not found:
        fail(f"{corpus} has no sentences of {language}. {HOW_TO_GET_IT}")
    write_lines(out / "text", (f"fortunes-{number:06} {sentence}" for number, sentence in enumerate(found)))
    write_lines(out / "words.txt", sorted({word for sentence in found for word in sentence.split()}))
    print(f"{out}: {len(found)} sentences of {language}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare the sentences of fortunes.")
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR")
    parser.add_argument("--language", required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    prepare(arguments.corpus, arguments.language, arguments.out)


if __name__ == "__main__":
    main()
