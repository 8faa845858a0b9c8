"""The errors that a user's input can cause.

Every error here is caused by the user's input or by the machine (a full disk), never by a bug: the command line prints
only its message and exits with code 1. The message names the file, line or utterance, what is wrong and what to do.
"""

from collections.abc import Iterable


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
