"""Discrete cosine transform: from log mel energies to cepstra."""

import numpy as np


def cosine_transform(bins: int, coefficients: int) -> np.ndarray:
    """Return the orthonormal DCT-II as a float64 matrix ``(bins, coefficients)``."""
    order = np.arange(coefficients)
    cosines = np.cos(np.pi / bins * np.outer(np.arange(bins) + 0.5, order))
    return cosines * np.where(order == 0, np.sqrt(1.0 / bins), np.sqrt(2.0 / bins))
