"""Digital silence in edited, mixed or synthesised recordings: samples closer to zero than any microphone delivers."""

import functools

import numpy as np

from speechtl.audio.findings import Findings
from speechtl.audio.voice_activity import FRAMES_PER_SECOND, REACH, frame_levels, silence_level, silent_frames

FILLED = "digital silence, filled with faint noise"
# Percentile of the levels of the non-silent 10 ms frames that sets the level of the added noise.
QUIETEST = 10.0
_PERIOD = 1 << 16
# Frames from one estimate of the silence in a stream to the next.
_EVERY = 20
# A smaller share of a recording is hardly worth a word.
REMARKABLE = 0.1


def fill_digital_silence(
    samples: np.ndarray, sample_rate: int, name: str = "", findings: Findings | None = None
) -> np.ndarray:
    """Replace digital silence by white noise at the level of the quietest other frames, at least one 16-bit step.

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
    silent = silent_frames(frame_levels(samples, sample_rate))
    if not silent.any():
        return samples
    if findings is not None and silent.mean() > REMARKABLE:
        findings.add(FILLED, name, f"{silent.mean():.0%}")
    step = max(sample_rate // FRAMES_PER_SECOND, 1)
    padded = np.zeros(len(silent) * step, np.float32)
    padded[: len(samples)] = samples
    blocks = padded.reshape(-1, step)
    loudness = np.sqrt((blocks[~silent] ** 2).mean(axis=1))
    deviation = max(float(np.percentile(loudness, QUIETEST)), 1.0) if len(loudness) else 1.0
    noise = np.resize(noise_table(), blocks.shape) * np.float32(deviation)
    return np.where(silent[:, None], noise, blocks).ravel()[: len(samples)]


class StreamedSilence:
    """Does what `fill_digital_silence` does where audio is still coming in: from the last ten seconds, frame by frame.

    What it does does not depend on how many frames it is given at once.
    """

    def __init__(self) -> None:
        self._levels = np.zeros(0)
        self._loudness = np.zeros(0)
        self._count = 0
        self._silence, self._deviation = 0.0, 1.0

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
        filled = frames
        for number, level in enumerate(levels.tolist()):
            if self._count % _EVERY == 0:
                self._estimate(before + number + 1)
            if level <= self._silence:
                filled = frames.copy() if filled is frames else filled
                places = np.arange(frames.shape[1]) + self._count * frames.shape[1]
                filled[number] = noise_table()[places % _PERIOD] * np.float32(self._deviation)
            self._count += 1
        kept = REACH * FRAMES_PER_SECOND
        self._levels, self._loudness = self._levels[-kept:], self._loudness[-kept:]
        return filled

    def _estimate(self, end: int) -> None:
        """Estimate what silence is, and how loud what fills it should be, from the frames up to ``end``."""
        some = slice(max(end - REACH * FRAMES_PER_SECOND, 0), end)
        levels = self._levels[some]
        self._silence = silence_level(levels)
        heard = self._loudness[some][levels > self._silence]
        self._deviation = max(float(np.percentile(heard, QUIETEST)), 1.0) if len(heard) else 1.0


@functools.lru_cache(maxsize=1)
def noise_table() -> np.ndarray:
    """Return float32 white noise of variance 1, repeated for as long as it is needed."""
    return np.random.default_rng(0).standard_normal(_PERIOD).astype(np.float32)
