"""CTC paths: what they mean, and the most probable one for a known transcript.

A CTC path has one unit per frame; collapsing it (merge repeats, drop blanks; Graves et al. 2006) gives the phones.
"""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from speechtl.alignment.ctc_graph import CtcGraph, ctc_graph, viterbi
from speechtl.errors import DataError

_IMPOSSIBLE = (
    "these posteriors give the text no probability at all; check that they are natural logarithms of a model's"
)


def merge_repeats(units: np.ndarray) -> list[int]:
    """Collapse a path ``(frames,)``: one unit per run of equal ones, without blanks."""
    units = np.asarray(units)
    first = np.ones(len(units), dtype=bool)
    first[1:] = units[1:] != units[:-1]
    return [int(unit) for unit in units[first] if unit]


def frames_needed(units: Sequence[int] | np.ndarray) -> int:
    """Return the length of the shortest CTC path of some units: one frame each, and a blank between equal ones."""
    return len(units) + sum(bool(first == second) for first, second in pairwise(units))


@dataclasses.dataclass(frozen=True)
class CtcAlignment:
    """The most probable path of some units.

    Attributes:
        starts: ``(units,)`` first frame in which each unit is on.
        ends: ``(units,)`` one past the last one; the frames between two units are blanks.
        score: sum of the log posteriors along the path.
    """

    starts: np.ndarray
    ends: np.ndarray
    score: float


def best_path(log_posteriors: np.ndarray, graph: CtcGraph, needed: int) -> tuple[np.ndarray, float]:
    """Return the state in each frame of the most probable path, and the sum of the log posteriors along it.

    Raises:
        DataError: there are fewer than ``needed`` frames, or no path has a probability.
    """
    frames = len(log_posteriors)
    if frames < needed:
        raise DataError(
            f"too short for its text (got {frames} frames of posteriors, expected at least {needed}); "
            "check that recording and transcript belong together"
        )
    path = viterbi(log_posteriors, graph)
    if path is None:
        raise DataError(_IMPOSSIBLE)
    along = np.asarray(log_posteriors, np.float32)[np.arange(frames), graph.units[path]] if frames else np.zeros(0)
    return path, float(along.sum(dtype=np.float64))


def align_units(log_posteriors: np.ndarray, units: Sequence[int]) -> CtcAlignment:
    """Find the most probable CTC path of ``units``.

    Args:
        log_posteriors: natural logarithms ``(frames, units)``; unit 0 is the blank.
        units: the transcript, from 1.

    Raises:
        DataError: there are fewer frames than the units need, or no path has a probability.
    """
    labels = np.asarray(units, np.int32)
    graph = ctc_graph([[labels.tolist()]] if len(labels) else [], blank_first=True)
    # Of two equally good paths, the one that ends in the last unit, not in the blank after it.
    graph = dataclasses.replace(graph, finals=graph.finals[::-1].copy())
    path, score = best_path(log_posteriors, graph, frames_needed(labels))
    return CtcAlignment(*runs(path, np.arange(1, len(graph.units), 2)), score)


def runs(path: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return first frame and end of each of some states, all of them on the path."""
    return np.searchsorted(path, states, "left"), np.searchsorted(path, states, "right")


def choose_pronunciations(log_posteriors: np.ndarray, variants: Sequence[Sequence[Sequence[int]]]) -> list[int]:
    """Choose for every word the pronunciation that fits the recording best: that of the most probable CTC path.

    Args:
        log_posteriors: ``(frames, units)``, unit 0 is the blank.
        variants: for each word, its pronunciations as units.

    Returns:
        For each word, the index of its pronunciation. All zeros if there are too few frames for any choice.
    """
    chosen = [0] * len(variants)
    if all(len(word) == 1 for word in variants) or not len(log_posteriors):
        return chosen
    graph = ctc_graph(variants, blank_first=True)
    path = viterbi(log_posteriors, graph)
    if path is not None:
        for state in np.unique(path):
            if graph.words[state] >= 0:
                chosen[graph.words[state]] = int(graph.variants[state])
    return chosen


def chosen_labels(variants: Sequence[Sequence[Sequence[int]]], chosen: Sequence[int], frames: int) -> list[int] | None:
    """Return the units of the chosen pronunciations, or None if they do not fit into ``frames``."""
    labels = [unit for word, index in zip(variants, chosen, strict=True) for unit in word[index]]
    return labels if frames_needed(labels) <= frames else None
