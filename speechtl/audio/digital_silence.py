"""Digital silence in edited, mixed or synthesised recordings: samples closer to zero than any microphone delivers."""

import functools

import numpy as np

from speechtl.audio.findings import Findings
from speechtl.audio.voice_activity import (
    FRAMES_PER_SECOND,
    REACH,
    SPEECH,
    frame_levels,
    silence_level,
    silent_frames,
)

FILLED = "digital silence, filled with faint noise"
# Percentile of the levels of the non-silent 10 ms frames that sets the level of the added noise.
QUIETEST = 10.0
_PERIOD = 1 << 16
# Frames from one estimate of the silence in a stream to the next.
_EVERY = 20
# A smaller share of a recording is hardly worth a word.
REMARKABLE = 0.1
# The samples in 10 ms of digital silence have at most this standard deviation, in steps of 16 bits, as dither has it;
# and one so much smaller than where the recording is loud (60 dB). Pre-emphasis hides what a room or a microphone adds
# at low frequencies; and a quiet recording of more than 16 bits has pauses below one step.
MOST_DEVIATION, BELOW_LOUD = 1.2, 1000.0


def fill_digital_silence(
    samples: np.ndarray, sample_rate: int, name: str = "", findings: Findings | None = None
) -> np.ndarray:
    """Replace digital silence by white noise at the level of the quietest other frames, and no less than dither.

    The log energy of digital silence is far below that of any real pause. Models have not been trained on it, and it
    distorts the mean and variance used to normalise the features so much that nothing is recognised.

    Args:
        samples: ``(samples,)`` in the range of 16-bit integers.
        sample_rate: Hz.
        name: of the recording.
        findings: where to note it, if more than a tenth is silent.

    Returns:
        The samples, or a copy if something was replaced; the same input gives the same noise.
    """
    blocks, silent, most = find_digital_silence(samples, sample_rate)
    if not silent.any():
        return samples
    if findings is not None and silent.mean() > REMARKABLE:
        findings.add(FILLED, name, f"{silent.mean():.0%}")
    loudness = np.sqrt((blocks[~silent] ** 2).mean(axis=1))
    noise = np.resize(noise_table(), blocks.shape) * np.float32(_loudness_of_noise(loudness, most))
    return np.where(silent[:, None], noise, blocks).ravel()[: len(samples)]


def find_digital_silence(samples: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Find digital silence, dithered or not.

    Args:
        samples: ``(samples,)`` in the range of 16-bit integers.
        sample_rate: Hz.

    Returns:
        ``(frames, samples)``, 10 ms each, the last one with zeros at its end; which of them are silent, ``(frames,)``;
        and the largest standard deviation that counts as silence.
    """
    silent = silent_frames(frame_levels(samples, sample_rate))
    step = max(sample_rate // FRAMES_PER_SECOND, 1)
    padded = np.zeros(len(silent) * step, np.float32)
    padded[: len(samples)] = samples
    blocks = padded.reshape(-1, step)
    if not silent.any():
        return blocks, silent, MOST_DEVIATION
    deviations = blocks.std(axis=1)
    most = _most_deviation(deviations)
    return blocks, silent & (deviations <= most), most


def _most_deviation(deviations: np.ndarray) -> float:
    return min(MOST_DEVIATION, float(np.percentile(deviations, SPEECH)) / BELOW_LOUD)


def _loudness_of_noise(heard: np.ndarray, most: float) -> float:
    """Return the standard deviation of what fills silence, from that of all other frames."""
    least = min(most, 1.0) if most else 1.0
    return max(float(np.percentile(heard, QUIETEST)), least) if len(heard) else 1.0


class StreamedSilence:
    """Does what `fill_digital_silence` does where audio is still coming in: from the last ten seconds, frame by frame.

    What it does does not depend on how many frames it is given at once.
    """

    def __init__(self) -> None:
        self._levels = np.zeros(0)
        self._loudness, self._deviations = np.zeros(0), np.zeros(0)
        self._count = 0
        self._silence, self._most, self._noise = 0.0, 0.0, 1.0

    def __call__(self, frames: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Fill the next frames.

        Args:
            frames: ``(frames, samples)``, 10 ms each, in the range of 16-bit integers.
            levels: ``(frames,)`` dB, from `frame_levels`.

        Returns:
            The frames, or a copy if something was replaced.
        """
        before = len(self._levels)
        self._levels = np.concatenate([self._levels, levels])
        self._loudness = np.concatenate([self._loudness, np.sqrt((frames**2).mean(axis=1))])
        self._deviations = np.concatenate([self._deviations, frames.std(axis=1)])
        filled = frames
        for number, level in enumerate(levels.tolist()):
            if self._count % _EVERY == 0:
                self._estimate(before + number + 1)
            if level <= self._silence and self._deviations[before + number] <= self._most:
                filled = frames.copy() if filled is frames else filled
                places = np.arange(frames.shape[1]) + self._count * frames.shape[1]
                filled[number] = noise_table()[places % _PERIOD] * np.float32(self._noise)
            self._count += 1
        kept = REACH * FRAMES_PER_SECOND
        self._levels, self._loudness = self._levels[-kept:], self._loudness[-kept:]
        self._deviations = self._deviations[-kept:]
        return filled

    def _estimate(self, end: int) -> None:
        """Estimate what silence is, and how loud what fills it should be, from the frames up to ``end``."""
        some = slice(max(end - REACH * FRAMES_PER_SECOND, 0), end)
        levels = self._levels[some]
        deviations = self._deviations[some]
        self._silence, self._most = silence_level(levels), _most_deviation(deviations)
        heard = self._loudness[some][(levels > self._silence) | (deviations > self._most)]
        self._noise = _loudness_of_noise(heard, self._most)


@functools.lru_cache(maxsize=1)
def noise_table() -> np.ndarray:
    """Return float32 white noise of variance 1, repeated for as long as it is needed."""
    return np.random.default_rng(0).standard_normal(_PERIOD).astype(np.float32)
