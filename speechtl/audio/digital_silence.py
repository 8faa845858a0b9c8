"""Digital silence in edited, mixed or synthesised recordings: samples closer to zero than any microphone delivers."""

import functools

import numpy as np

from speechtl.audio.findings import Findings
from speechtl.audio.voice_activity import FRAMES_PER_SECOND, frame_levels, silent_frames

FILLED = "digital silence, filled with faint noise"
# Percentile of the levels of the non-silent 10 ms frames that sets the level of the added noise.
QUIETEST = 10.0
_PERIOD = 1 << 16
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


@functools.lru_cache(maxsize=1)
def noise_table() -> np.ndarray:
    """Return float32 white noise of variance 1, repeated for as long as it is needed."""
    return np.random.default_rng(0).standard_normal(_PERIOD).astype(np.float32)
