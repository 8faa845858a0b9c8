"""What was repaired in audio, or is remarkable about it: collected while reading, said once at the end."""

import dataclasses
import logging

from speechtl.errors import counted


@dataclasses.dataclass
class Findings:
    """What was found, by what it is: one line each, however many recordings have it.

    Attributes:
        found: sentence -> recording -> detail.
    """

    found: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)

    def add(self, sentence: str, name: str, detail: str = "") -> None:
        """Note something about a recording; the first detail stays."""
        self.found.setdefault(sentence, {}).setdefault(name, detail)

    def update(self, other: "Findings") -> None:
        """Take over what was found elsewhere, such as in another process."""
        for sentence, recordings in other.found.items():
            for name, detail in recordings.items():
                self.add(sentence, name, detail)

    def lines(self, what: str = "recording") -> list[str]:
        """Return a line for each finding: how many, what, and three examples.

        Args:
            what: what the names stand for, in the singular.
        """
        return [counted(sentence, recordings, what) for sentence, recordings in self.found.items()]

    def log(self, logger: logging.Logger, place: str = "", what: str = "recording") -> None:
        """Log every finding as one warning, and forget it.

        Args:
            logger: of the caller.
            place: what the lines begin with, such as a data directory.
            what: see `lines`.
        """
        for line in self.lines(what):
            logger.warning(f"{place}: {line}" if place else line)
        self.found.clear()
