"""The errors that a user's input can cause.

Every error here is caused by the user's input or by the machine (a full disk), never by a bug: the command line prints
only its message and exits with code 1. The message names the file, line or utterance, what is wrong and what to do.
"""

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

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


class Placed(Protocol):
    """A problem that becomes a line, ``place: message``, when it is shown: of a million, three are."""

    @property
    def message(self) -> str:
        """What is wrong, without the place."""


def list_problems(heading: str, problems: Iterable[str | Placed], limit: int = 50) -> str:
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
        shown = alike.shown()
        if len(lines) + len(shown) > limit + 1:
            break
        lines += [f"  {line}" for line in shown]
        left -= alike.count
    return "\n".join(lines + [f"  ... and {left} more"] * (left > 0))


def grouped(lines: Iterable[str], limit: int = 50) -> list[str]:
    """Return lines for people.

    If they are more than ``limit``, those that differ in names and numbers alone are three examples and a count.
    """
    lines = list(lines)
    if len(lines) <= limit:
        return lines
    return [line for alike in _alike(lines) for line in alike.shown()]


@dataclasses.dataclass(slots=True)
class _Alike:
    """Problems that say the same of other things: how many, and the first of them."""

    count: int = 0
    first: list[str | Placed] = dataclasses.field(default_factory=list)

    def shown(self) -> list[str]:
        # One more is not worth a line about it.
        if self.count <= _EXAMPLES + 1:
            return list(map(str, self.first))
        return [*map(str, self.first[:_EXAMPLES]), f"... and {self.count - _EXAMPLES} more like these"]


def _alike(problems: Iterable[str | Placed]) -> list[_Alike]:
    """Return groups of problems that say the same of other things, in the order of the first of each."""
    groups: dict[str, _Alike] = {}
    # The same, by all of the message: a million lines may be wrong in the same words.
    known: dict[str, _Alike] = {}
    for problem in problems:
        if isinstance(problem, str):
            place, _, said = problem.partition(": ")
            if not said or " " in place:
                said = problem
        else:
            said = problem.message
        alike = known.get(said)
        if alike is None:
            alike = known[said] = groups.setdefault(_VARYING.sub("?", said), _Alike())
        alike.count += 1
        if alike.count <= _EXAMPLES + 1:
            alike.first.append(problem)
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
