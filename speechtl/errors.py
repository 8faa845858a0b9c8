"""The errors that a user's input can cause.

Every error here is caused by the user's input or by the machine (a full disk), never by a bug: the command line prints
only its message and exits with code 1. The message names the file, line or utterance, what is wrong and what to do.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence

_EXAMPLES = 3
_VARYING = re.compile(r"'[^']*'|[0-9]+(\.[0-9]+)?")


class SpeechtlError(Exception):
    """Base class of all user-facing errors."""


class ConfigError(SpeechtlError):
    """A configuration file or a command-line setting is wrong."""


class DataError(SpeechtlError):
    """A data directory, table, recording, feature archive or output path is wrong."""


class LexiconError(SpeechtlError):
    """A lexicon, phone inventory or grammar is wrong."""


class ModelError(SpeechtlError):
    """A model, checkpoint or experiment directory is wrong."""


def list_problems(heading: str, problems: Iterable[str], limit: int = 50) -> str:
    """Combine all problems of one input into one message.

    Args:
        heading: the input, for example ``"data/train: 3 problems"``.
        problems: one line each, ``file:line: what is wrong; what to do``.
        limit: maximum number of problems listed. If there are more, those that differ in names and numbers alone are
            three examples and a count, and what is still beyond the limit is only counted.

    Returns:
        The heading, followed by one indented line per problem.
    """
    problems = list(problems)
    if len(problems) <= limit:
        return "\n".join([heading, *(f"  {problem}" for problem in problems)])
    lines, left = [heading], len(problems)
    for alike in _alike(problems):
        shown = _shown(alike)
        if len(lines) + len(shown) > limit + 1:
            break
        lines += [f"  {line}" for line in shown]
        left -= len(alike)
    return "\n".join(lines + [f"  ... and {left} more"] * (left > 0))


def grouped(lines: Iterable[str], limit: int = 50) -> list[str]:
    """Return lines for people.

    If they are more than ``limit``, those that differ in names and numbers alone are three examples and a count.
    """
    lines = list(lines)
    if len(lines) <= limit:
        return lines
    return [line for alike in _alike(lines) for line in _shown(alike)]


def _shown(alike: Sequence[str]) -> list[str]:
    # One more is not worth a line about it.
    if len(alike) <= _EXAMPLES + 1:
        return list(alike)
    return [*alike[:_EXAMPLES], f"... and {len(alike) - _EXAMPLES} more like these"]


def _alike(lines: Iterable[str]) -> list[list[str]]:
    """Return groups of lines that say the same of other things, in the order of their first lines."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        place, _, message = line.partition(": ")
        groups.setdefault(_VARYING.sub("?", message if message and " " not in place else line), []).append(line)
    return list(groups.values())


def quantity(number: int, what: str) -> str:
    """Return a number of things for people: ``1 utterance``, ``2 utterances``."""
    return f"{number} {what}{'s' * (number != 1)}"


def counted(sentence: str, items: Mapping[str, str], what: str = "recording") -> str:
    """Return one line about any number of things: how many, what about them, and three examples.

    Args:
        sentence: what is to be said.
        items: name -> detail, which may be empty.
        what: one of them is called.
    """
    shown = [printable(name) + (f": {detail}" if detail else "") for name, detail in list(items.items())[:_EXAMPLES]]
    more = ["..."] if len(items) > _EXAMPLES else []
    return f"{quantity(len(items), what)}: {sentence} ({'; '.join(shown + more)})"


def printable(name: str) -> str:
    r"""Return a file name for people: bytes that are not UTF-8 as ``\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace") if not name.isascii() else name
