"""Where the library's log goes when the command line runs it: the library logs, the command line prints."""

import logging
import sys


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
