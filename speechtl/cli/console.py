"""What the command line prints: where the library's log goes, and how much data there is."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechtl.data.datadir import DataDir


class ConsoleLog(logging.Handler):
    """Print information on standard output and what a user should look at on standard error.

    Args:
        notes: information goes to standard error, marked, since standard output is for results.
    """

    def __init__(self, notes: bool = False):
        super().__init__()
        self.notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        # The streams are looked up here: a progress bar and tests replace them.
        if record.levelno >= logging.WARNING:
            print(f"warning: {record.getMessage()}", file=sys.stderr, flush=True)
        elif self.notes:
            print(f"note: {record.getMessage()}", file=sys.stderr, flush=True)
        else:
            print(record.getMessage(), flush=True)


def show_log(notes: bool = False) -> None:
    """Print what the library logs; see `ConsoleLog`."""
    logger = logging.getLogger("speechtl")
    logger.handlers = [ConsoleLog(notes)]
    logger.setLevel(logging.INFO)


def size_of(path: Path, data: "DataDir") -> str:
    """Return one line about a data directory: ``data/dev: 12 utterances of 1 speaker``."""
    from speechtl.errors import quantity

    return f"{path}: {quantity(len(data), 'utterance')} of {quantity(len(data.spk2utt), 'speaker')}"
