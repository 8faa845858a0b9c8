"""Statistics for normalising speech that is still coming in."""

import numpy as np

from speechtl.features.cmvn import accumulate


class RunningStatistics:
    """The statistics of a speaker, which grow with what is heard.

    Args:
        known: statistics ``(2, bins + 1)`` of the speaker's earlier speech, or None.
        prior: statistics of the training speech, scaled to as many frames as they should count for, or None.
    """

    def __init__(self, known: np.ndarray | None, prior: np.ndarray | None):
        self._base = [stats for stats in (known, prior) if stats is not None]
        self._own: np.ndarray | None = None

    @property
    def frames(self) -> float:
        """How many frames the statistics are of, or count for."""
        return float(sum(stats[0, -1] for stats in [*self._base, *([] if self._own is None else [self._own])]))

    def add(self, features: np.ndarray) -> None:
        """Add features ``(frames, bins)`` that were heard."""
        new = accumulate(features)
        self._own = new if self._own is None else self._own + new

    def now(self) -> np.ndarray | None:
        """Return the statistics of all that was added and known; None if that is nothing."""
        matrices = [*self._base, *([] if self._own is None else [self._own])]
        return np.sum(matrices, axis=0) if matrices else None
