"""Recognition of speech that is still coming in."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import soxr

from speechtl.alignment.span import Hypothesis
from speechtl.audio.digital_silence import StreamedSilence
from speechtl.audio.end_pointer import EndPointer, Heard
from speechtl.audio.one_channel import require_numbers
from speechtl.audio.voice_activity import FRAMES_PER_SECOND, SegmentationConfig, frame_levels
from speechtl.audio.waveform import FULL_SCALE
from speechtl.errors import DataError
from speechtl.recognition.running_statistics import RunningStatistics
from speechtl.recognition.spoken_language import SpokenLanguage
from speechtl.recognition.spoken_segment import spoken_segment
from speechtl.recognition.streamed_posteriors import StreamedModel, StreamedPosteriors, Windows
from speechtl.recognition.transcript import SpokenSegment


@dataclasses.dataclass(frozen=True)
class Update:
    """What is known of a segment.

    Attributes:
        final: whether it will not change any more. Updates that are not final replace each other until the final one
            of their segment; their words have ended, their times are near what they will be.
        segment: what was said, in the time of the stream.
    """

    final: bool
    segment: SpokenSegment


class SegmentSearch(Protocol):
    """What finds the words, or the phones, of one segment."""

    def feed(self, log_posteriors: np.ndarray) -> None:
        """Take the posteriors ``(frames, units)`` of the next frames."""

    def beginning(self) -> Hypothesis:
        """Return the best hypothesis so far."""

    def finish(self) -> Sequence[Hypothesis]:
        """Return the hypotheses of the whole segment, best first."""


@dataclasses.dataclass(frozen=True)
class StreamSettings:
    """How a stream is recognised.

    Attributes:
        segmentation: when segments begin and end.
        language: that is spoken.
        begin: begins the search of a segment, with the words that are known at that moment.
        known: statistics of the speaker's earlier speech, or None.
        prior: statistics of the training speech, scaled to as many frames as they should count for, or None.
    """

    segmentation: SegmentationConfig
    language: str
    begin: Callable[[], SegmentSearch]
    known: np.ndarray | None = None
    prior: np.ndarray | None = None


class Stream:
    """One stream of speech: samples come in blocks of any size, segments of speech and their words go out.

    Results do not depend on the size of the blocks. A segment ends after a pause; a long one is cut where it is quiet.
    What was said in a segment is known so far while it lasts, and for good when it has ended. Features are normalised
    with the statistics of the stream's speech so far, as `SegmentReader` does.

    Where the model's posteriors depend on a limited part of the speech, they are those of the whole segment. A model
    that looks at everything sees four seconds before and half a second after each chunk; see `exact`.

    A stream is for one thread; several streams of one recogniser may be in several threads.

    Args:
        model: what posteriors are computed with.
        windows: its windows.
        settings: how the stream is recognised.
        rate: Hz, of the samples.

    Attributes:
        exact: whether posteriors are those of the whole segment.
        seconds: of audio that were given.
    """

    def __init__(self, model: StreamedModel, windows: Windows, settings: StreamSettings, rate: int):
        self._model, self._windows, self._settings, self._rate = model, windows, settings, rate
        self.exact, self.seconds = windows.exact, 0.0
        sample_rate = model.features.sample_rate
        self._step = max(sample_rate // FRAMES_PER_SECOND, 1)
        self._resampler = None
        if rate != sample_rate:
            self._resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
        self._fill = StreamedSilence()
        self._pointer = EndPointer(settings.segmentation)
        self._statistics = RunningStatistics(settings.known, settings.prior)
        self._rest = np.zeros(0, np.float32)  # Less than a frame.
        self._before: float | None = None
        # Frames of 10 ms from the frame ``_first`` on.
        self._frames, self._first = np.zeros((0, self._step), np.float32), 0
        self._open: _OpenSegment | None = None
        self._closed = False

    @property
    def latency(self) -> float:
        """Seconds after a sound until its posteriors are computed, at most; until then no result depends on it."""
        features = self._model.features
        frames = self._windows.chunk + self._windows.right
        return (frames * features.frame_shift + features.frame_length) / features.sample_rate

    def feed(self, samples: np.ndarray) -> list[Update]:
        """Go on.

        Args:
            samples: floating-point ``(samples,)`` in [-1, 1], as many as there are.

        Returns:
            What is new: final results of segments that have ended, and what is known of the one that goes on, if that
            has changed.

        Raises:
            DataError: samples of another shape or type, or that are not numbers; or the stream was finished.
        """
        samples = np.asarray(samples)
        if self._closed:
            raise DataError("the stream was finished; begin another one with recogniser.stream()")
        if samples.ndim != 1 or samples.dtype.kind != "f":
            raise DataError(
                f"the stream: cannot take an array of shape {samples.shape} and type {samples.dtype}; give "
                "floating-point samples in [-1, 1] of one channel"
            )
        require_numbers(samples, "the stream")
        self.seconds += len(samples) / self._rate
        return self._take(self._resampled(samples.astype(np.float32), last=False))

    def finish(self) -> list[Update]:
        """Return what remains to be said when no more samples come; the stream cannot be used any more."""
        if self._closed:
            return []
        self._closed = True
        updates = self._take(self._resampled(np.zeros(0, np.float32), last=True))
        if len(self._rest):
            # The last frame is not a whole one.
            level = frame_levels(self._rest, self._model.features.sample_rate, self._before)
            frame = np.zeros(self._step, np.float32)
            frame[: len(self._rest)] = self._rest
            updates += self._hear(frame[np.newaxis], level)
        for heard in self._pointer.finish():
            updates += self._follow(heard)
        return [update for update in updates if update.final]

    def _resampled(self, samples: np.ndarray, *, last: bool) -> np.ndarray:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        return samples * np.float32(FULL_SCALE)

    def _take(self, samples: np.ndarray) -> list[Update]:
        """Take samples at the model's rate, in the range of 16-bit integers."""
        signal = np.concatenate([self._rest, samples])
        count = len(signal) // self._step
        whole, self._rest = signal[: count * self._step], signal[count * self._step :]
        if not count:
            return []
        levels = frame_levels(whole, self._model.features.sample_rate, self._before)
        self._before = float(whole[-1])
        return self._hear(whole.reshape(count, self._step), levels)

    def _hear(self, frames: np.ndarray, levels: np.ndarray) -> list[Update]:
        self._frames = np.concatenate([self._frames, self._fill(frames, levels)])
        updates: list[Update] = []
        for heard in self._pointer.feed(levels):
            updates += self._follow(heard)
        needed = self._pointer.earliest if self._open is None else self._open.end
        self._frames = self._frames[max(needed - self._first, 0) :]
        self._first = max(needed, self._first)
        return updates

    def _follow(self, heard: Heard) -> Iterable[Update]:
        """Go on in a segment."""
        if self._open is None:
            statistics = self._statistics
            if self._model.normalisation != "speaker":
                statistics = RunningStatistics(None, None)
            posteriors = StreamedPosteriors(self._model, self._windows, statistics)
            self._open = _OpenSegment(heard.start, posteriors, self._settings.begin())
        segment = self._open
        if heard.end > segment.end:
            frames = self._frames[segment.end - self._first : heard.end - self._first]
            segment.feed(frames.ravel(), heard.end)
        if not heard.complete:
            hypothesis = segment.news()
            return [] if hypothesis is None else [Update(False, self._spoken(segment, [hypothesis]))]
        self._open = None
        return [Update(True, self._spoken(segment, segment.finish()))]

    def _spoken(self, segment: "_OpenSegment", hypotheses: Sequence[Hypothesis]) -> SpokenSegment:
        features = self._model.features
        shift = features.frame_shift_ms / 1000 * self._model.subsampling
        second = self._step / features.sample_rate
        language = SpokenLanguage(self._settings.language)
        return spoken_segment(segment.start * second, segment.end * second, hypotheses, shift, language)


class _OpenSegment:
    """A segment that is still being spoken, in frames of 10 ms of the stream."""

    def __init__(self, start: int, posteriors: StreamedPosteriors, search: SegmentSearch):
        self.start = self.end = start
        self._posteriors, self._search = posteriors, search
        self._searched = False
        self._told: tuple[str, ...] = ()

    def feed(self, samples: np.ndarray, end: int) -> None:
        """Go on to the frame ``end``."""
        self.end = end
        for block in self._posteriors.feed(samples):
            self._search.feed(block)
            self._searched = True

    def news(self) -> Hypothesis | None:
        """Return the best hypothesis so far if it is not that of the last call."""
        if not self._searched:
            return None
        self._searched = False
        hypothesis = self._search.beginning()
        said = hypothesis.words or hypothesis.phones
        if said == self._told:
            return None
        self._told = said
        return hypothesis

    def finish(self) -> Sequence[Hypothesis]:
        """Return the hypotheses of the whole segment."""
        for block in self._posteriors.finish():
            self._search.feed(block)
        return self._search.finish()
