"""The words and phones of an utterance in seconds."""

import dataclasses

import numpy as np

from speechtl.alignment.words import WordAlignment
from speechtl.data.ctm import TimedLabel
from speechtl.features.frame_clock import FrameClock


@dataclasses.dataclass(frozen=True)
class AlignedUtterance:
    """The words and phones of one utterance; what lies between them is silence.

    Attributes:
        words: in order of time.
        phones: in order of time; they tile their words.
        score: sum of the log posteriors along the CTC path.
        frames: frames of posteriors.
        duration: seconds of the utterance.
        refined: whether the boundaries were refined.
    """

    words: tuple[TimedLabel, ...]
    phones: tuple[TimedLabel, ...]
    score: float
    frames: int
    duration: float
    refined: bool


@dataclasses.dataclass(frozen=True)
class CtcAlignedUtterance:
    """An utterance aligned in frames of posteriors.

    Attributes:
        alignment: its words and phones.
        frames: frames of posteriors.
        duration: seconds of the utterance.
    """

    alignment: WordAlignment
    frames: int
    duration: float

    def coarse(self, clock: FrameClock) -> AlignedUtterance:
        """Return it in seconds, as precise as the frames of the posteriors."""
        spans = self.alignment.phones
        starts = np.array([clock.seconds(clock.boundary(span.start)) for span in spans])
        ends = np.array([clock.seconds(clock.boundary(span.end)) for span in spans])
        return self._at(starts, ends, refined=False)

    def refined(self, starts: np.ndarray, ends: np.ndarray) -> AlignedUtterance:
        """Return it with refined starts and ends of its phones ``(phones,)``, in seconds."""
        return self._at(starts, ends, refined=True)

    def _at(self, starts: np.ndarray, ends: np.ndarray, refined: bool) -> AlignedUtterance:
        first, last = np.clip(starts, 0, self.duration).tolist(), np.clip(ends, 0, self.duration).tolist()
        alignment = self.alignment
        phones = tuple(
            TimedLabel(span.label, start, end, span.confidence)
            for span, start, end in zip(alignment.phones, first, last, strict=True)
        )
        words = []
        for number, span in enumerate(alignment.words):
            mine = [place for place, word in enumerate(alignment.word_of_phone) if word == number]
            words.append(TimedLabel(span.label, first[mine[0]], last[mine[-1]], span.confidence))
        return AlignedUtterance(tuple(words), phones, alignment.score, self.frames, self.duration, refined)
