"""What the validation of a data directory has found."""

import dataclasses
from pathlib import Path

from speechtl.audio.header import AudioHeader
from speechtl.data.tables import Problem
from speechtl.errors import quantity
from speechtl.remote_file import address


@dataclasses.dataclass(frozen=True)
class Report:
    """What validation has found.

    Attributes:
        path: the directory.
        problems: errors and warnings, by file and line.
        utterances: number of utterances.
        speakers: number of speakers.
        recordings: number of recordings.
        headers: recording -> header, of those that could be read; empty if the audio was not checked.
    """

    path: Path
    problems: tuple[Problem, ...]
    utterances: int
    speakers: int
    recordings: int
    headers: dict[str, AudioHeader]

    @property
    def errors(self) -> list[Problem]:
        """Problems that must be solved before the directory can be used."""
        return [problem for problem in self.problems if not problem.warning]

    @property
    def warnings(self) -> list[Problem]:
        """Problems that may be intended."""
        return [problem for problem in self.problems if problem.warning]

    def summary(self) -> str:
        """Return one line: the amount of data, and the number of problems."""
        amounts = {"utterance": self.utterances, "speaker": self.speakers, "recording": self.recordings}
        parts = [quantity(number, what) for what, number in amounts.items()]
        if self.headers:
            parts.append(f"{sum(header.seconds for header in self.headers.values()) / 3600:.2f} h")
            rates = sorted({header.sample_rate for header in self.headers.values()})
            parts.append(f"{', '.join(map(str, rates))} Hz")
        problems = f"{quantity(len(self.errors), 'error')}, {quantity(len(self.warnings), 'warning')}"
        return f"{address(self.path)}: {', '.join(parts)}: {problems}"
