"""What a table, a manifest or a folder says about an utterance."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from speechtl.audio.stream import AUDIO_SUFFIXES


class Entry(NamedTuple):
    """An utterance as its source describes it; what the source does not say is empty or None.

    Attributes:
        place: ``file:line``, for messages.
        audio: an absolute path, or a command that ends in ``|``.
        name: how the source calls the recording, without the suffix.
        id: of the utterance, where the source gives one.
        text: the transcript, in one line; None where there is none, which is not the same as an empty one.
        speaker: the speaker.
        language: the language.
        domain: the domain.
        gender: of the speaker, ``"m"`` or ``"f"``.
        recording: id of the recording, where the source gives one.
        start: seconds at which the utterance begins; None if it is the whole recording.
        end: seconds at which it ends; None for the end of the recording.
        channel: of the audio, from 0.
    """

    place: str
    audio: str
    name: str
    id: str = ""
    text: str | None = None
    speaker: str = ""
    language: str = ""
    domain: str = ""
    gender: str = ""
    recording: str = ""
    start: float | None = None
    end: float | None = None
    channel: int | None = None


@dataclasses.dataclass
class Source:
    """What was read.

    Attributes:
        entries: the utterances.
        problems: what is wrong, ``file:line: what; what to do`` each. With any of them nothing can be made of it.
        notes: what else a user should know.
    """

    entries: list[Entry] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: "Source") -> None:
        """Take over all of another one."""
        self.entries += other.entries
        self.problems += other.problems
        self.notes += other.notes


def without_suffix(name: str) -> str:
    """Take the suffix of an audio file from a name; other full stops are part of it."""
    path = Path(name)
    return str(path.with_suffix("")) if path.suffix.lower() in AUDIO_SUFFIXES else name


def gender_of(text: str) -> str:
    """Return ``"m"`` or ``"f"`` where a source says male or female in one of the usual ways, else ``""``."""
    word = text.strip().lower()
    return word[0] if word in {"m", "f"} or word.partition("_")[0] in {"male", "female"} else ""
