"""Digital silence in edited or mixed recordings: samples closer to zero than any microphone delivers."""

import numpy as np

from speechtl.audio.voice_activity import DIGITAL_SILENCE, FRAMES_PER_SECOND, frame_levels

# Percentile of the levels of the non-silent 10 ms frames that sets the level of the added noise.
_QUIETEST = 10.0


def fill_digital_silence(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Replace digital silence by white noise at the level of the quietest other frames, at least one 16-bit step.

    The log energy of digital silence is far below that of any real pause. Models have not been trained on it, and it
    distorts the mean and variance used to normalise the features so much that nothing is recognised.

    Args:
        samples: ``(samples,)`` in the range of 16-bit integers.
        sample_rate: Hz.

    Returns:
        The samples, or a copy if something was replaced; the same input gives the same noise.
    """
    levels = frame_levels(samples, sample_rate)
    silent = levels <= DIGITAL_SILENCE
    if not silent.any():
        return samples
    step = max(sample_rate // FRAMES_PER_SECOND, 1)
    padded = np.zeros(len(levels) * step, np.float32)
    padded[: len(samples)] = samples
    blocks = padded.reshape(-1, step)
    loudness = np.sqrt((blocks[~silent] ** 2).mean(axis=1))
    deviation = max(float(np.percentile(loudness, _QUIETEST)), 1.0) if len(loudness) else 1.0
    noise = np.random.default_rng(0).normal(0.0, deviation, blocks.shape)
    return np.where(silent[:, None], noise, blocks).astype(np.float32).ravel()[: len(samples)]
