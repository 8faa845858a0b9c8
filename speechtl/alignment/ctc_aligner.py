"""Align transcripts with posteriors by CTC, utterance by utterance, in any process."""

import dataclasses
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from speechtl.alignment.aligned_utterance import CtcAlignedUtterance
from speechtl.alignment.config import AlignmentConfig
from speechtl.alignment.words import Pauses, WordAlignment, align_phones, align_words
from speechtl.errors import DataError, LexiconError
from speechtl.features.frame_clock import FrameClock
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

_QUEUED = 16  # utterances in flight per thread


class Spoken(NamedTuple):
    """What is to be aligned: an utterance, what was said in it, and its seconds if they are known."""

    utterance: str
    transcript: str
    seconds: float | None


class CtcAligned(NamedTuple):
    """An utterance and its alignment, or None and what is wrong with it."""

    utterance: str
    found: CtcAlignedUtterance | None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class CtcAligner:
    """Aligns utterances.

    Attributes:
        lexicon: pronunciations in the phones of ``inventory``; None where the transcripts are phones.
        inventory: the phones of the model's units.
        clock: the time of features and posteriors.
        config: how.
    """

    lexicon: Lexicon | None
    inventory: PhoneInventory
    clock: FrameClock
    config: AlignmentConfig

    def __call__(self, utterances: Iterable[tuple[Spoken, np.ndarray]]) -> Iterator[CtcAligned]:
        """Align utterances, given their log-posteriors ``(frames, units)``; in order, read as far as needed."""
        jobs = self.config.jobs
        waiting: list[tuple[Spoken, int, Future[WordAlignment]]] = []
        with ThreadPoolExecutor(jobs) as pool:
            for spoken, matrix in utterances:
                waiting.append((spoken, len(matrix), pool.submit(self._align, spoken.transcript, matrix)))
                if len(waiting) >= jobs * _QUEUED:
                    yield self._taken(*waiting.pop(0))
            for one in waiting:
                yield self._taken(*one)

    def _align(self, transcript: str, matrix: np.ndarray) -> WordAlignment:
        words, config = transcript.split(), self.config
        pauses = config.pauses or Pauses.of(self.clock.shift * self.clock.subsampling)
        if not words:
            raise DataError("has no transcript; add one to text, or drop the utterance")
        if self.lexicon is None:
            return align_phones(matrix, words, self.inventory, pauses=pauses)
        return align_words(
            matrix, words, self.lexicon, self.inventory, silence_phone=config.silence_phone, pauses=pauses
        )

    def _taken(self, spoken: Spoken, frames: int, result: "Future[WordAlignment]") -> CtcAligned:
        seconds = spoken.seconds
        if seconds is None:
            seconds = frames * self.clock.shift * self.clock.subsampling
        try:
            return CtcAligned(spoken.utterance, CtcAlignedUtterance(result.result(), frames, seconds))
        except (DataError, LexiconError) as error:
            return CtcAligned(spoken.utterance, None, str(error))
