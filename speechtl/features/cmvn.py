"""Cepstral mean and variance normalisation with Kaldi's statistics.

Statistics are a float64 matrix ``(2, bins + 1)``: sums and the number of frames in the first row, sums of squares and a
zero in the second row. Statistics of several parts of speech can be added.
"""

from collections.abc import Iterable

import numpy as np

from speechtl.errors import DataError

VARIANCE_FLOOR = 1e-20  # Kaldi's.


def accumulate(features: np.ndarray) -> np.ndarray:
    """Return the statistics ``(2, bins + 1)`` of features ``(frames, bins)``."""
    stats = np.zeros((2, features.shape[1] + 1))
    # float32 sums would lose precision over a long recording.
    wide = features.astype(np.float64)
    stats[0, :-1] = wide.sum(axis=0)
    stats[0, -1] = len(features)
    stats[1, :-1] = np.einsum("tb,tb->b", wide, wide)
    return stats


def add(stats: Iterable[np.ndarray]) -> np.ndarray:
    """Return the sum of statistics.

    Raises:
        DataError: no statistics, or different feature dimensions.
    """
    matrices = list(stats)
    shapes = {matrix.shape for matrix in matrices}
    if len(shapes) != 1:
        raise DataError(f"CMVN statistics to add must have one shape (got {sorted(shapes)}); recompute the features")
    return np.sum(matrices, axis=0)


def mean_and_scale(stats: np.ndarray, norm_vars: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and inverse standard deviation, float64 ``(bins,)`` each; the latter is 1 without ``norm_vars``.

    Raises:
        DataError: the statistics have no frames.
    """
    count = stats[0, -1]
    if count < 1:
        raise DataError("CMVN statistics without a frame; this speaker has no usable speech")
    mean = stats[0, :-1] / count
    if not norm_vars:
        return mean, np.ones_like(mean)
    variance = np.maximum(stats[1, :-1] / count - mean**2, VARIANCE_FLOOR)
    return mean, 1.0 / np.sqrt(variance)


def apply(features: np.ndarray, stats: np.ndarray, norm_vars: bool = True) -> np.ndarray:
    """Normalise features.

    Args:
        features: ``(frames, bins)``.
        stats: ``(2, bins + 1)`` of the speaker, or of all speakers for global normalisation.
        norm_vars: whether to divide by the standard deviation too.

    Returns:
        float32 ``(frames, bins)``.

    Raises:
        DataError: the statistics have another dimension or no frames.
    """
    if stats.shape != (2, features.shape[1] + 1):
        raise DataError(
            f"CMVN statistics do not fit the features (got {stats.shape}, expected {(2, features.shape[1] + 1)}); "
            "recompute the features of this data directory"
        )
    mean, scale = mean_and_scale(stats, norm_vars)
    return ((features - mean) * scale).astype(np.float32)
