"""Read the words of texts: Kaldi ``text`` tables, plain sentences, word lists."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from speechtl.data.tables import read_table, split_line
from speechtl.errors import DataError
from speechtl.files import read_lines
from speechtl.lang.lexicon_columns import is_decimal, is_noise, without_variant

Layout = Literal["kaldi", "plain"]


def read_sentences(path: str | Path, layout: Layout = "kaldi") -> list[list[str]]:
    """Read the sentences of a text, one a line, without the empty ones.

    Args:
        path: the file, UTF-8, or a data directory, of which its ``text``.
        layout: ``"kaldi"``, where the first field of a line is the utterance's id, or ``"plain"``.

    Raises:
        DataError: the file cannot be read, or lists every bad line.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "text"
    lines: Iterable[str] = read_table(path).values() if layout == "kaldi" else read_lines(path)
    return [words for words in map(_split, lines) if words]


def read_words(path: str | Path) -> list[str]:
    """Read the first field of every line: the words of a lexicon or word list, each once, in the order of the file.

    ``word(2)`` is ``word`` and, in a lexicon, entries of silence and noise are no words, as in `Lexicon.load`.

    Raises:
        DataError: the file cannot be read, has no words, or lists every bad line.
    """
    lines = [(word, [field for field in rest.split() if not is_decimal(field)]) for word, rest in _lines(path)]
    words = dict.fromkeys(without_variant(word) for word, phones in lines if not (phones and is_noise(word, phones)))
    if not words:
        raise DataError(f"{path}: no words; give a lexicon or a word list, one word a line")
    return list(words)


def _lines(path: str | Path) -> list[tuple[str, str]]:
    return [(word, rest) for word, rest in map(split_line, read_lines(path)) if word]


def _split(line: str) -> list[str]:
    # str.split() without an argument would also cut at a no-break space inside a word.
    return [word for word in line.replace("\t", " ").split(" ") if word]
