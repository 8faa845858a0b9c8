"""From the samples of a segment that is still being spoken to posteriors, chunk by chunk."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from speechtl.decoding.reach import Reach, find_reach
from speechtl.features.config import FeatureConfig
from speechtl.recognition.running_statistics import RunningStatistics

# Seconds of posteriors that are computed at once.
_CHUNK = 0.2
# Seconds of context of models that look at everything, on the left and on the right, and of their chunks.
_LEFT, _RIGHT, _LONG_CHUNK = 4.0, 0.5, 0.4
# A longer right context would make results late; who looks so far ahead is treated as looking at everything.
_LATEST = 1.0
# Statistics of fewer frames say little.
_FEWEST = 100


@dataclasses.dataclass(frozen=True)
class Windows:
    """The parts of the features that posteriors are computed from, in frames of features.

    Attributes:
        left: frames before a chunk.
        chunk: frames of a chunk; a multiple of the subsampling, as ``left`` is.
        right: frames after it.
        exact: whether posteriors are those of the whole segment, but for rounding.
    """

    left: int
    chunk: int
    right: int
    exact: bool


@dataclasses.dataclass(frozen=True)
class StreamedModel:
    """What posteriors are computed with.

    Attributes:
        features: settings of the features.
        compute: features ``(frames, bins)`` of each of some signals.
        normalisation: which statistics features are normalised with, as ``[normalisation] kind``.
        normalise: normalises features ``(frames, bins)`` with a speaker's statistics.
        posteriors: log-posteriors ``(frames', units)`` of normalised features ``(frames, bins)``.
        subsampling: frames of features per frame of posteriors.
    """

    features: FeatureConfig
    compute: Callable[[Sequence[np.ndarray]], list[np.ndarray]]
    normalisation: str
    normalise: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    posteriors: Callable[[np.ndarray], np.ndarray]
    subsampling: int

    @property
    def whole_signal(self) -> bool:
        """Whether a frame of features depends on the whole signal."""
        return self.features.kind in ("whisper", "waveform")

    @property
    def own_statistics(self) -> bool:
        """Whether features are normalised with statistics of the speech itself."""
        return self.normalisation in ("speaker", "utterance")

    def windows(self) -> Windows:
        """Return the windows that the model needs; it is run a few times to find out."""
        reach: Reach | None = None
        if not self.whole_signal:
            reach = find_reach(self.posteriors, self.features.dimension, self.subsampling)
        second = self.features.sample_rate / self.features.frame_shift

        def frames(seconds: float) -> int:
            return max(int(seconds * second) // self.subsampling, 1) * self.subsampling

        if reach is None or reach.right > _LATEST * second:
            return Windows(frames(_LEFT), frames(_LONG_CHUNK), frames(_RIGHT), False)
        return Windows(reach.left, frames(_CHUNK), reach.right, True)


class StreamedPosteriors:
    """The posteriors of one segment. They do not depend on how many samples come at once.

    Args:
        model: what they are computed with.
        windows: its windows.
        statistics: of the speaker; those of the segment are added.
    """

    def __init__(self, model: StreamedModel, windows: Windows, statistics: RunningStatistics):
        self.model, self.windows, self.statistics = model, windows, statistics
        # Samples from the sample ``_first_sample`` on, features from the frame ``_first_frame`` on.
        self._signal, self._first_sample = np.zeros(0, np.float32), 0
        self._features, self._first_frame = np.zeros((0, model.features.dimension), np.float32), 0
        self._next = 0  # The first frame of features of the next chunk.
        self._least = 0
        if model.own_statistics:
            self._least = max(_FEWEST - int(statistics.frames), 0)

    def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """Take samples ``(samples,)`` in the range of 16-bit integers; yield the posteriors that are due."""
        self._signal = np.concatenate([self._signal, samples])
        yield from self._chunks(self._complete_frames())

    def finish(self) -> Iterator[np.ndarray]:
        """Yield the posteriors that remain when the segment has ended."""
        count = self.model.features.num_frames(self._samples)
        yield from self._chunks(count)
        if self._next < count:
            yield self._posteriors(count, count)

    def _chunks(self, count: int) -> Iterator[np.ndarray]:
        windows = self.windows
        while (needed := max(self._next + windows.chunk + windows.right, self._least)) <= count:
            yield self._posteriors(self._next + windows.chunk, needed)

    def _posteriors(self, end: int, needed: int) -> np.ndarray:
        """Return the posteriors from the next frame of features to ``end``, which need frames up to ``needed``."""
        step = self.model.subsampling
        first = max(self._next - self.windows.left, 0)
        window = self._window(first, needed)
        found = self.model.posteriors(window)[(self._next - first) // step : -(-(end - first) // step)]
        self._next = end
        return found

    @property
    def _samples(self) -> int:
        return self._first_sample + len(self._signal)

    def _complete_frames(self) -> int:
        """Return how many frames of features depend on samples alone that are there."""
        config, samples = self.model.features, self._samples
        if config.snip_edges or config.kind == "whisper":
            return config.num_frames(samples)
        left = config.frame_length // 2 - config.frame_shift // 2
        return max((samples - config.frame_length + left) // config.frame_shift + 1, 0)

    def _window(self, first: int, end: int) -> np.ndarray:
        """Return normalised features, and forget what is before them."""
        if self.model.whole_signal:
            features = self._raw_features(first, end)
            if self.model.own_statistics:
                self.statistics.add(features[max(self._first_frame - first, 0) :])
                self._first_frame = end
            self._forget(first)
            return self.model.normalise(features, self.statistics.now())
        known = self._first_frame + len(self._features)
        if end > known:
            raw = self._raw_features(known, end)
            self.statistics.add(raw)
            self._features = np.concatenate([self._features, self.model.normalise(raw, self.statistics.now())])
            self._forget(end)
        self._features = self._features[first - self._first_frame :]
        self._first_frame = first
        return self._features[: end - first]

    def _raw_features(self, first: int, end: int) -> np.ndarray:
        """Compute features of some frames."""
        config = self.model.features
        shift, length = config.frame_shift, config.frame_length
        if config.kind == "whisper":
            begin, last = first, end * shift
        elif config.snip_edges:
            begin, last = first, (end - 1) * shift + length
        else:
            # The signal is mirrored at its ends: frames near a cut are computed and dropped.
            begin = max(first + length // -shift, 0)
            last = (end - 1) * shift + length - length // 2 + shift // 2
        signal = self._signal[begin * shift - self._first_sample : last - self._first_sample]
        return self.model.compute([signal])[0][first - begin : end - begin]

    def _forget(self, frame: int) -> None:
        """Forget the samples that no frame from this one on needs."""
        config = self.model.features
        guard = -(-config.frame_length // config.frame_shift)
        kept = max((frame - guard) * config.frame_shift, self._first_sample)
        self._signal, self._first_sample = self._signal[kept - self._first_sample :], kept
