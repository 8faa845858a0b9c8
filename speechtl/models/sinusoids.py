"""The positions of Whisper's encoder (Vaswani et al. 2017), which are computed, not learned."""

import numpy as np


def sinusoids(length: int, size: int) -> np.ndarray:
    """Return Whisper's positions ``(length, size)``: sines, then cosines, of geometrically spaced frequencies."""
    half = size // 2
    frequencies = np.exp(-np.log(10000.0) / max(half - 1, 1) * np.arange(half))
    angles = np.arange(length)[:, np.newaxis] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
