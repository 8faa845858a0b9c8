"""Padding: sequences of different lengths into one array."""

from collections.abc import Sequence

import numpy as np


def pad_features(matrices: Sequence[np.ndarray], bins: int, rows: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pad feature matrices with zeros to the length of the longest.

    Args:
        matrices: ``(frames, bins)`` each.
        bins: feature dimension.
        rows: at least this many rows; the surplus ones have length 0.

    Returns:
        ``(batch, frames, bins)`` float32 with at least one frame, and the valid frames, ``(batch,)`` int32.
    """
    lengths = _lengths(matrices, rows)
    padded = np.zeros((len(lengths), max(lengths, default=1) or 1, bins), np.float32)
    for row, matrix in zip(padded, matrices):
        row[: len(matrix)] = matrix
    return padded, lengths


def pad_labels(sequences: Sequence[Sequence[int]], rows: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pad sequences of unit numbers with 0 to the length of the longest.

    Args:
        sequences: unit numbers.
        rows: at least this many rows; the surplus ones have length 0.

    Returns:
        ``(batch, labels)`` and the number of labels, ``(batch,)``; both int32.
    """
    lengths = _lengths(sequences, rows)
    padded = np.zeros((len(lengths), max(lengths, default=0)), np.int32)
    for row, units in zip(padded, sequences):
        row[: len(units)] = units
    return padded, lengths


def _lengths(sequences: Sequence[Sequence[int]] | Sequence[np.ndarray], rows: int) -> np.ndarray:
    lengths = np.zeros(max(len(sequences), rows), np.int32)
    lengths[: len(sequences)] = [len(sequence) for sequence in sequences]
    return lengths
