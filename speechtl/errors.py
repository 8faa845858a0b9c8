"""The errors that a user's input can cause.

Every error here is caused by the user's input or by the machine (a full disk), never by a bug: the command line prints
only its message and exits with code 1. The message names the file, line or utterance, what is wrong and what to do.
"""

import os
from collections.abc import Iterable, Mapping

_EXAMPLES = 3


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
        limit: maximum number of problems listed; the rest is only counted.

    Returns:
        The heading, followed by one indented line per problem.
    """
    problems = list(problems)
    lines = [heading, *(f"  {problem}" for problem in problems[:limit])]
    if len(problems) > limit:
        lines.append(f"  ... and {len(problems) - limit} more")
    return "\n".join(lines)


def counted(sentence: str, items: Mapping[str, str], what: str = "recording") -> str:
    """Return one line about any number of things: how many, what about them, and three examples.

    Args:
        sentence: what is to be said.
        items: name -> detail, which may be empty.
        what: one of them is called.
    """
    shown = [printable(name) + (f": {detail}" if detail else "") for name, detail in list(items.items())[:_EXAMPLES]]
    more = ["..."] if len(items) > _EXAMPLES else []
    return f"{len(items)} {what}{'s' * (len(items) > 1)}: {sentence} ({'; '.join(shown + more)})"


def printable(name: str) -> str:
    r"""Return a file name for people: bytes that are not UTF-8 as ``\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace") if not name.isascii() else name
