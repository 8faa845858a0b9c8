"""Sayings, jokes and quotations of the fortune program: text of a language, without speech. Standard library only.

    python recipes/corpora/fortunes.py --corpus DIR --out data/text

Licence: GPL, version 2 or later (the quotations are their authors'). Get it: unpack the Debian package
``fortunes-de`` or ``fortunes-ru`` (``apt-get download``, ``dpkg -x``).

Layout: files of text without a suffix in ``usr/share/games/fortunes/<language>`` below DIR, entries divided by lines of
``%``; UTF-8.

Written below ``--out``, for each language: ``text``, a table of sentences with invented ids; ``words.txt``, their
words, which need a pronunciation. Words are in lower case without punctuation.

Left out: sentences of one or two words, sentences with other letters than the language's or with digits, and what came
before. 31,629 German sentences remain (fortunes-de 0.35), and 22,511 Russian ones (fortunes-ru 1.52).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from data_dirs import command_line, fail, parse, write_lines

HOW_TO_GET_IT = "It is free: unpack the Debian package fortunes-LANGUAGE (dpkg -x) and give the folder with --corpus"
INSIDE = Path("usr", "share", "games", "fortunes")
LETTERS = {"de": "a-zäöüß", "ru": "а-яё"}
_END = re.compile(r"[.!?:;%]|\n\s*\n|\n\s*--")
_FEWEST = 3


def sentences_of(text: str, letters: str) -> Iterator[str]:
    """Yield the sentences, as words in lower case with a space between."""
    for sentence in _END.split(text.lower()):
        words = re.sub(r"[^\w]+", " ", sentence).split()
        if len(words) >= _FEWEST and all(re.fullmatch(f"[{letters}]+", word) for word in words):
            yield " ".join(words)


def prepare(corpus: Path, out: Path) -> None:
    """Write the sentences and the words of each language."""
    written = 0
    for language, letters in LETTERS.items():
        found: dict[str, None] = {}
        for path in sorted((corpus / INSIDE / language).glob("*")):
            if path.suffix or not path.is_file():
                continue
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                fail(f"{path}: not UTF-8 ({error}); take files without a suffix")
            found.update(dict.fromkeys(sentences_of(text, letters)))
        if found:
            lines = (f"fortunes-{number:06} {sentence}" for number, sentence in enumerate(found))
            write_lines(out / language / "text", lines)
            words = {word for sentence in found for word in sentence.split()}
            write_lines(out / language / "words.txt", sorted(words))
            print(f"{out / language}: {len(found)} sentences")
            written += 1
    if not written:
        fail(f"{corpus} has no sentences of {' or '.join(LETTERS)} in {INSIDE}. {HOW_TO_GET_IT}")


def main() -> None:
    arguments = parse(command_line("fortunes"), HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out)


if __name__ == "__main__":
    main()
