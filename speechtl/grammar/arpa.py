"""The ARPA text format of back-off n-gram language models."""

import gzip
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from speechtl.decompress import GZIP_MAGIC, decompress
from speechtl.errors import LexiconError, list_problems
from speechtl.files import atomic_write, decode_lines, read_bytes

# An n-gram, and its log10 probability and log10 back-off weight.
Ngram = tuple[str, ...]
Entries = dict[Ngram, tuple[float, float]]

# What other tools write for probability zero (of <s>, which nothing predicts): ARPA has no minus infinity.
LOG10_ZERO = -99.0

_COUNT = re.compile(r"ngram\s+(\d+)\s*=\s*(\d+)")
_SECTION = re.compile(r"\\(\d+)-grams:")


def write_arpa(path: str | Path, tables: Sequence[Entries]) -> None:
    r"""Write n-gram tables, sorted by words, atomically.

    Args:
        path: the file; compressed if its name ends in ``.gz``.
        tables: one per order, unigrams first. Every order but the highest is written with back-off weights.

    Raises:
        DataError: the file cannot be written.
    """
    path = Path(path)
    with atomic_write(path, "wb") as file:
        # The time stamp would make two runs differ.
        stream = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.suffix == ".gz" else file
        stream.write("".join(_header(tables)).encode("utf-8"))
        for order, entries in enumerate(tables, start=1):
            stream.write(f"\\{order}-grams:\n".encode())
            stream.writelines(
                (
                    f"{probability:.8g}\t{' '.join(ngram)}\t{back_off:.8g}\n"
                    if order < len(tables)
                    else f"{probability:.8g}\t{' '.join(ngram)}\n"
                ).encode()
                for ngram, (probability, back_off) in sorted(entries.items())
            )
            stream.write(b"\n")
        stream.write(b"\\end\\\n")
        if stream is not file:
            stream.close()


def _header(tables: Sequence[Entries]) -> Iterable[str]:
    yield "\\data\\\n"
    for order, entries in enumerate(tables, start=1):
        yield f"ngram {order}={len(entries)}\n"
    yield "\n"


def read_arpa(path: str | Path) -> list[Entries]:
    r"""Read the n-gram tables of an ARPA file, plain or gzip-compressed.

    What precedes ``\data\`` is a comment. An n-gram without a back-off weight has weight 1 (log10: 0).
    A probability of ``-inf`` is read as -99. An order without n-grams needs no section.

    Returns:
        One table per order, unigrams first.

    Raises:
        LexiconError: the file cannot be read, or lists every bad line as ``file:line``: not UTF-8, a wrong number of
            fields, a number that is none, a probability above 1, an n-gram that occurs twice or has a word that is
            not among the unigrams, a section that is missing or has another number of n-grams than the header says.
    """
    path = Path(path) if isinstance(path, str) else path
    reader = _Reader(path)
    for number, text, fault in decode_lines(_read(path)):
        if fault:
            reader.note(number, fault)
            # The section's count takes the line as an n-gram, so that this is the only complaint about it.
            reader.bad_lines += 1
            continue
        if line := text.strip(" \t\r"):
            reader.take(number, line)
    return reader.finish()


class _Reader:
    """The state between the lines of an ARPA file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[tuple[int, str]] = []
        self.counts: dict[int, tuple[int, int]] = {}
        self.tables: list[Entries] = []
        self.place = "comment"
        self.bad_lines = 0

    def note(self, line: int, message: str) -> None:
        self.problems.append((line, message))

    def take(self, number: int, line: str) -> None:
        """Read one line that is not blank."""
        if self.place == "comment":
            if line == "\\data\\":
                self.place = "header"
        elif self.place == "end":
            pass
        elif line == "\\end\\":
            self.close_section()
            self.place = "end"
        elif line.startswith("\\") and _SECTION.fullmatch(line):
            self.open_section(number, line)
        elif self.place == "header":
            found = _COUNT.fullmatch(line)
            if found:
                self.counts[int(found[1])] = (int(found[2]), number)
            else:
                self.note(number, f"expected 'ngram N=COUNT' or '\\1-grams:' (got '{line[:60]}')")
        else:
            self.take_ngram(number, line)

    def open_section(self, number: int, line: str) -> None:
        self.close_section()
        self.place = "ngrams"
        order, expected = int(line[1:].partition("-")[0]), len(self.tables) + 1
        if order != expected:
            self.note(number, f"expected \\{expected}-grams: (got {line}); sections go up from 1 by 1")
        elif order not in self.counts:
            self.note(number, f"the header has no 'ngram {order}=COUNT'")
        self.tables.append({})

    def close_section(self) -> None:
        order = len(self.tables)
        if not order or order not in self.counts:
            return
        expected, line = self.counts[order]
        got = len(self.tables[-1]) + self.bad_lines
        if got != expected:
            self.note(line, f"the header says {expected} {order}-grams, the section has {got}; is the file cut off?")
        self.bad_lines = 0

    def take_ngram(self, number: int, line: str) -> None:
        order = len(self.tables)
        # str.split() without an argument would also cut at a no-break space inside a word.
        fields = line.replace("\t", " ").split(" ")
        if "" in fields:
            fields = [field for field in fields if field]
        if len(fields) not in (order + 1, order + 2):
            expected = f"log10 probability, {order} word{'s' * (order > 1)}, back-off"
            self.note(number, f"{len(fields)} fields in \\{order}-grams: (expected {expected}): '{line[:60]}'")
            self.bad_lines += 1
            return
        ngram = tuple(fields[1 : order + 1])
        try:
            probability = float(fields[0])
            back_off = float(fields[order + 1]) if len(fields) == order + 2 else 0.0
        except ValueError:
            self.note(number, f"log10 probability or back-off is not a number: '{line[:60]}'")
            self.bad_lines += 1
            return
        # A weight may be above 1, and rounding may take a probability just above it.
        if not probability < 1e-4 or not back_off < math.inf:
            self.note(number, f"log10 probability must be at most 0, back-off finite (got {fields[0]}, {back_off:g})")
            self.bad_lines += 1
        elif ngram in self.tables[-1]:
            self.note(number, f"'{' '.join(ngram)}' stands twice; keep one")
            self.bad_lines += 1
        else:
            if order > 1:
                self.check_words(number, ngram)
            self.tables[-1][ngram] = (max(probability, LOG10_ZERO), max(back_off, LOG10_ZERO))

    def check_words(self, number: int, ngram: Ngram) -> None:
        missing = [word for word in dict.fromkeys(ngram) if (word,) not in self.tables[0]]
        if missing:
            words = ", ".join(f"'{word}'" for word in missing)
            self.note(number, f"{words} not among the unigrams; add it there or remove this line")

    def finish(self) -> list[Entries]:
        if self.place == "comment":
            self.note(0, "no \\data\\ line; is this an ARPA file?")
        elif self.place != "end":
            self.note(0, "no \\end\\ line; the file is cut off, make it again")
        if self.place == "end":
            for order, (expected, line) in sorted(self.counts.items()):
                # SRILM leaves the section of an order without n-grams out.
                if order > len(self.tables) and expected:
                    self.note(
                        line, f"the header says {expected} {order}-grams, but there is no \\{order}-grams: section"
                    )
            if not (self.tables and self.tables[0]):
                self.note(0, "no unigrams; train the language model again on a text that is not empty")
        if self.problems:
            lines = [
                f"{self.path}:{line}: {text}" if line else f"{self.path}: {text}"
                for line, text in sorted(self.problems, key=lambda problem: problem[0])
            ]
            heading = f"{self.path}: {len(lines)} problems"
            raise LexiconError(lines[0] if len(lines) == 1 else list_problems(heading, lines))
        while len(self.tables) > 1 and not self.tables[-1]:
            self.tables.pop()
        return self.tables


def _read(path: Path) -> bytes:
    content = read_bytes(path, error=LexiconError, advice="give the path of an ARPA file")
    return decompress(content, path, error=LexiconError) if content.startswith(GZIP_MAGIC) else content
