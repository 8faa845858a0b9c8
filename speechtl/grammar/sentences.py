"""Read the words of texts: Kaldi ``text`` tables, plain sentences, word lists."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from speechtl.data.tables import read_table, split_line
from speechtl.errors import DataError, list_problems

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
    lines: Iterator[str] = iter(read_table(path).values()) if layout == "kaldi" else _lines(path)
    return [words for words in map(_split, lines) if words]


def read_words(path: str | Path) -> list[str]:
    """Read the first field of every line: the words of a lexicon or word list, each once, in the order of the file.

    Raises:
        DataError: the file cannot be read, has no words, or lists every bad line.
    """
    words = dict.fromkeys(word for word, _ in map(split_line, _lines(Path(path))) if word)
    if not words:
        raise DataError(f"{path}: no words; give a lexicon or a word list, one word a line")
    return list(words)


def _split(line: str) -> list[str]:
    # str.split() without an argument would also cut at a no-break space inside a word.
    return [word for word in line.replace("\t", " ").split(" ") if word]


def _lines(path: Path) -> Iterator[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror}; check the path") from error
    lines = []
    problems = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(raw.decode("utf-8").rstrip("\r"))
        except UnicodeDecodeError as error:
            byte = f"byte 0x{raw[error.start]:02X} at column {error.start + 1}"
            problems.append(f"{path}:{number}: not UTF-8 ({byte}); save the file as UTF-8")
    if problems:
        heading = f"{path}: {len(problems)} problems"
        raise DataError(problems[0] if len(problems) == 1 else list_problems(heading, problems))
    return iter(lines)
