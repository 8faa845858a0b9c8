"""Kaldi text tables: one entry per line, a key and a value separated by white space."""

import codecs
import contextlib
import dataclasses
import functools
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from speechtl.data.line_numbers import LineNumbers
from speechtl.data.table_blocks import Order, add_all, blocks, plain_entries
from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write, decode_lines, read_bytes
from speechtl.remote_file import address
from speechtl.uncollected import uncollected

# Kaldi separates keys and values by these only; str.split() would also split at a no-break space within a word.
BLANKS = " \t"
_ROWS = re.compile(r"\[[0-9:,]*\]$")
_LINE_END = " \t\r"


class Problem(NamedTuple):
    """One problem of an input; it is made into text when it is shown.

    Attributes:
        path: the file.
        line: line number, from 1; 0 for the whole file.
        message: what is wrong (got, expected), and what to do.
        kind: short identifier of the problem, for example ``"duplicate"``.
        warning: whether the input can be used nevertheless.
        key: the entry in question, or ``""``.
    """

    path: Path
    line: int
    message: str
    kind: str
    warning: bool = False
    key: str = ""

    @property
    def fatal(self) -> bool:
        """Whether the input must be rejected; lines out of order only affect tools that merge sorted files."""
        return not self.warning and self.kind != "order"

    def __str__(self) -> str:
        place = address(self.path) + (f":{self.line}" if self.line else "")
        return f"{place}: {self.message}"


@dataclasses.dataclass
class Table:
    """The readable content of one table.

    Attributes:
        path: the file.
        entries: key -> value; the first one of a repeated key.
        lines: key -> line number, from 1, in file order.
        problems: of all lines, including those that do not prevent the table from being used (see Problem.fatal).
    """

    path: Path
    entries: dict[str, str] = dataclasses.field(default_factory=dict)
    lines: LineNumbers = dataclasses.field(default_factory=LineNumbers)
    problems: list[Problem] = dataclasses.field(default_factory=list)


def key_fault(key: str) -> str:
    """Explain why ``key`` is not a valid id (empty, white space, control characters); ``""`` if it is valid."""
    if not key:
        return "is empty"
    return odd_character(key, allowed="")


def odd_character(text: str, allowed: str = BLANKS) -> str:
    """Name the first white space or control character in ``text`` that is not ``allowed``; ``""`` if there is none."""
    if text.isprintable() and (" " in allowed or " " not in text):
        return ""
    for character in text:
        invisible = character.isspace() or unicodedata.category(character) in ("Cc", "Cs") or character == "\ufeff"
        if invisible and character not in allowed:
            name = unicodedata.name(character, "control character").lower()
            return f"holds U+{ord(character):04X} ({name})"
    return ""


@uncollected()
def scan_table(path: str | Path, *, value_required: bool = False) -> Table:
    """Read a table as far as possible, and collect its problems.

    Args:
        path: the file.
        value_required: whether a line with only a key is a problem (kind ``"empty"``).

    Raises:
        DataError: the file cannot be opened at all.
    """
    table = Table(Path(path))
    order = Order()
    content = read_bytes(table.path)
    if content.startswith(codecs.BOM_UTF8):
        _note(table, 1, "starts with a byte order mark; save the file as UTF-8 without one", "encoding")
    first = 1
    for block in blocks(content):
        plain = plain_entries(block, value_required)
        if plain is None or not add_all(table.entries, table.lines, order, first, *plain):
            _scan_block(table, order, first, block, value_required)
        first += block.count(b"\n")
    windows_lines = content.count(b"\r\n") + content.endswith(b"\r")
    if windows_lines:
        message = (
            f"{windows_lines} lines have Windows line ends, which Kaldi's tools take as text; convert them (fix does)"
        )
        table.problems.append(Problem(table.path, 0, message, "line-end", warning=True))
    if order.count:
        number, key, previous = order.first
        places = f"; {order.count} such places in the file" if order.count > 1 else ""
        message = f"not sorted in C order ('{key}' after '{previous}'{places}); sort with LC_ALL=C (fix does)"
        _note(table, number, message, "order", key)
    return table


def _scan_block(table: Table, order: Order, first: int, block: bytes, value_required: bool) -> None:
    """Read lines one by one, and note what is wrong with them."""
    # The same line is wrong in the same words each time, once its key is there: line -> key, message, kind.
    wrong: dict[str, tuple[str, str, str]] = {}
    for number, line, fault in decode_lines(block, first):
        if fault:
            _note(table, number, fault, "encoding")
            continue
        known = wrong.get(line)
        key, message, kind = known or _enter(table, number, line, value_required)
        if message:
            _note(table, number, message, kind, key)
            if not known and kind != "empty":
                wrong[line] = key, message, kind
        if key:
            order.add(number, key)


def _enter(table: Table, number: int, line: str, value_required: bool) -> tuple[str, str, str]:
    """Enter a line; return its key, what is wrong (``""`` if nothing is), and the kind of that."""
    key, value = split_line(line)
    if not key:
        return "", "empty line (expected a key and a value); remove it", "blank-line"
    fault = key_fault(key)
    if fault:
        return key, f"id {key!r} {fault}; rename it in every table", "bad-id"
    if key in table.entries:
        same = value == table.entries[key]
        what = "again" if same else "again with another value"
        message = f"'{key}' appears {what} (first in line {table.lines[key]}); keep one"
        return key, message, "duplicate" if same else "conflict"
    # The same names are in all tables: kept once, they take a fraction of the memory.
    key = sys.intern(key)
    table.entries[key] = value
    table.lines.add(key, number)
    if value_required and not value:
        return key, f"'{key}' has no value; add one or remove the line", "empty"
    return key, "", ""


def read_table(path: str | Path, *, value_required: bool = False) -> dict[str, str]:
    """Read a table as key -> value, without surrounding white space.

    The lines may be in any order.

    Args:
        path: the file, UTF-8.
        value_required: whether a line with only a key is an error.

    Raises:
        DataError: the file cannot be opened, or has bad lines (not UTF-8, empty, a key that is repeated or contains
            control characters, no value); all of them are listed as ``file:line``.
    """
    table = scan_table(path, value_required=value_required)
    raise_problems(table.path, [problem for problem in table.problems if problem.fatal])
    return table.entries


def write_table(path: str | Path, entries: Mapping[str, str]) -> None:
    """Write a table, sorted by key in C order, atomically.

    Raises:
        DataError: an entry that could not be read back (see `encode_table`), or the file cannot be written.
    """
    content = encode_table(path, entries)
    with atomic_write(path, "wb") as file:
        file.write(content)


def encode_table(path: str | Path, entries: Mapping[str, str]) -> bytes:
    """Return the bytes of a table, sorted by key in C order.

    Args:
        path: the file, for the error message.
        entries: key -> value; surrounding blanks are stripped.

    Raises:
        DataError: ids with white space or control characters, or values with line breaks or lone surrogates; all are
            listed.
    """
    # Code point order is the byte order of UTF-8, which is the order of LC_ALL=C sort.
    keys = sorted(entries)
    values = [entries[key].strip(_LINE_END) for key in keys]
    text = "".join([f"{key} {value}\n" if value else f"{key}\n" for key, value in zip(keys, values, strict=True)])
    joined = "".join(keys)
    if all(keys) and joined.isprintable() and " " not in joined and text.count("\n") == len(keys):
        with contextlib.suppress(UnicodeEncodeError):
            return text.encode("utf-8")
    raise_problems(Path(path), list(_unwritable(Path(path), zip(keys, values, strict=True))))
    return text.encode("utf-8")


def _unwritable(path: Path, entries: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    for key, value in entries:
        fault = key_fault(key)
        if fault:
            yield Problem(path, 0, f"id {key!r} {fault}; rename it", "bad-id", key=key)
        elif "\n" in value:
            yield Problem(path, 0, f"the value of '{key}' holds a line break; remove it", "bad-value", key=key)
        elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            message = f"the value of '{key}' is not Unicode text (lone surrogate in {value!r}); correct it"
            yield Problem(path, 0, message, "bad-value", key=key)


def archive_of(rxfilename: str) -> Path:
    """Return the file of ``file.ark:offset``, which a range of rows, ``[first:last]``, may follow."""
    place = _ROWS.sub("", rxfilename) if rxfilename.endswith("]") else rxfilename
    path, colon, digits = place.rpartition(":")
    return _path_of(path if colon and digits.isdecimal() else place)


@functools.lru_cache(256)
def _path_of(name: str) -> Path:
    # Archives have many entries one after the other, and paths take long to make.
    return Path(name)


def split_line(line: str) -> tuple[str, str]:
    """Split a line into its first field and the rest, at spaces and tabs only."""
    line = line.strip(_LINE_END)
    if "\t" not in line:
        key, _, value = line.partition(" ")
        return key, value.lstrip(_LINE_END)
    for position, character in enumerate(line):
        if character in BLANKS:
            return line[:position], line[position:].lstrip(_LINE_END)
    return line, ""


def problem_lines(problems: Sequence[Problem], *, every: bool = False, examples: int = 3) -> Iterator[str]:
    """Yield lines for people: some problems of each kind in each table, and how many more there are."""
    kinds = Counter((problem.path, problem.kind) for problem in problems)
    seen: Counter[tuple[Path, str]] = Counter()
    for problem in problems:
        kind = (problem.path, problem.kind)
        seen[kind] += 1
        # One more is not worth a line about it.
        most = kinds[kind] if every or kinds[kind] == examples + 1 else examples
        if seen[kind] <= most:
            yield f"{'warning' if problem.warning else 'error'}: {problem}"
        elif seen[kind] == most + 1:
            yield f"  ... and {kinds[kind] - most} more like these in {problem.path.name} (--all lists them)"


def raise_problems(path: Path, problems: Sequence[Problem]) -> None:
    """Raise one DataError that lists ``problems``, if there are any.

    Raises:
        DataError: the list.
    """
    if len(problems) == 1:
        raise DataError(str(problems[0]))
    if problems:
        raise DataError(list_problems(f"{path}: {len(problems)} problems", problems))


def _note(table: Table, line: int, message: str, kind: str, key: str = "") -> None:
    table.problems.append(Problem(table.path, line, message, kind, False, key))
