"""What goes into a transcription and what comes out."""

import dataclasses
from pathlib import Path
from typing import IO

import numpy as np

from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import Utterance
from speechtl.errors import SpeechtlError

Audio = str | Path | IO[bytes] | np.ndarray | Utterance


@dataclasses.dataclass(frozen=True)
class Recording:
    """What to transcribe.

    Attributes:
        name: what results and errors call it.
        audio: a path; an open binary file or pipe; an utterance of a data directory; or samples ``(samples,)`` or
            ``(samples, channels)``, floating-point in [-1, 1] or 16-bit integers.
        rate: Hz, of samples; of a file or pipe only where it has no header and holds raw 16-bit samples.
        channel: of several, ``"mix"``, ``"first"`` or a number from 0; None for that of the model's features.
        group: segments of recordings of one group pass through the model together.
    """

    name: str
    audio: Audio
    rate: int | None = None
    channel: str | int | None = None
    group: int = 0

    @classmethod
    def of(cls, audio: "Audio | Recording", rate: int | None = None) -> "Recording":
        """Return a recording of some audio, named after its file; one that is there already stays as it is."""
        if isinstance(audio, Recording):
            return audio
        return cls(str(audio) if isinstance(audio, str | Path) else "the audio", audio, rate)


@dataclasses.dataclass(frozen=True)
class SpokenWord(TimedLabel):
    """A word in the time of its recording.

    Attributes:
        phones: how it was said.
    """

    phones: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class SpokenPhone(TimedLabel):
    """A phone in the time of its recording.

    Attributes:
        alternatives: other phones that may have been said there with their probabilities, best first; only where phones
            alone were looked for.
    """

    alternatives: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class SpokenSegment:
    """A stretch of speech and what was said in it.

    Attributes:
        start: seconds from the beginning of the recording.
        end: seconds.
        words: in order; empty where only phones were asked for.
        phones: in order, silence included.
        score: of the best hypothesis, see `Hypothesis`.
        alternatives: other word sequences with their scores, best first.
        complete: False where the search ended inside a word, or under a grammar inside a command, which then has no
            words.
        beginning: under a grammar, the words of the command that it ended inside.
        language: that it was decoded as.
        language_probability: in [0, 1] where the language was recognised; None where it was given.
    """

    start: float
    end: float
    words: tuple[SpokenWord, ...]
    phones: tuple[SpokenPhone, ...]
    score: float = 0.0
    alternatives: tuple[tuple[str, float], ...] = ()
    complete: bool = True
    beginning: str = ""
    language: str | None = None
    language_probability: float | None = None

    @property
    def text(self) -> str:
        """The words in one line."""
        return " ".join(word.label for word in self.words)


@dataclasses.dataclass(frozen=True)
class Transcript:
    """What was said in a recording.

    Attributes:
        name: the recording's.
        seconds: how long it is, as far as it was read.
        segments: its stretches of speech, in order; none in silence.
        error: why not all of it could be read, or None.
        phones_alone: no words were looked for.
    """

    name: str
    seconds: float
    segments: tuple[SpokenSegment, ...]
    error: SpeechtlError | None = None
    phones_alone: bool = False

    @property
    def words(self) -> list[SpokenWord]:
        """All words."""
        return [word for segment in self.segments for word in segment.words]

    @property
    def text(self) -> str:
        """All words in one line."""
        return " ".join(word.label for word in self.words)

    @property
    def spoken_phones(self) -> list[SpokenPhone]:
        """All phones in time."""
        return [phone for segment in self.segments for phone in segment.phones]

    @property
    def phones(self) -> str:
        """All phones in one line."""
        return " ".join(phone.label for phone in self.spoken_phones)
