"""Digital silence in recordings that were cut or mixed: samples that are all but zero, as no microphone gives them."""

import numpy as np

from speechtl.audio.voice_activity import DIGITAL_SILENCE, FRAMES_PER_SECOND, frame_levels

# Of the stretches of 10 ms with sound, so many per cent are quieter than the noise that is put in.
_QUIETEST = 10.0


def fill_digital_silence(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Replace digital silence by white noise as loud as the quietest of the rest, at least one step of 16 bits.

    The logarithm of no energy at all is far below that of any real pause. A model has never heard it, and it pulls the
    mean and the deviation by which features are normalised to where nothing is recognised any more.

    Args:
        samples: ``(samples,)`` in the range of 16-bit integers.
        sample_rate: Hz.

    Returns:
        The samples, or a copy where something was replaced; the same input gives the same noise.
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
