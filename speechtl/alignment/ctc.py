"""The CTC topology: what paths of units mean, and the most probable one for a known transcript.

A CTC path has one unit per frame; collapsing it (merge repeats, drop blanks; Graves et al. 2006) gives the phones. Of a
transcript, with all pronunciations of its words as parallel branches, `ctc_graph` builds the states and `viterbi` finds
the best path through them.
"""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numba
import numpy as np

from speechtl.errors import DataError
from speechtl.lang.phone_inventory import PhoneInventory

BLANK = 0
"""The unit of the blank; phones are units from 1 on."""

_IMPOSSIBLE = (
    "these posteriors give the text no probability at all; check that they are natural logarithms of a model's"
)


def merge_repeats(units: np.ndarray) -> list[int]:
    """Collapse a path ``(frames,)``: one unit per run of equal ones, without blanks."""
    units = np.asarray(units)
    first = np.ones(len(units), dtype=bool)
    first[1:] = units[1:] != units[:-1]
    return [int(unit) for unit in units[first] if unit]


def greedy_phones(log_posteriors: np.ndarray, inventory: PhoneInventory) -> list[str]:
    """Decode the best unit of every frame without a lexicon (best-path decoding, Graves et al. 2006).

    Args:
        log_posteriors: ``(frames, units)``, unit 0 the blank.
        inventory: the phones of units 1, 2, ...
    """
    if not len(log_posteriors):
        return []
    return inventory.decode(merge_repeats(np.argmax(log_posteriors, axis=1)))


def frames_needed(units: Sequence[int] | np.ndarray) -> int:
    """Return the length of the shortest CTC path of some units: one frame each, and a blank between equal ones."""
    return len(units) + sum(bool(first == second) for first, second in pairwise(units))


@dataclasses.dataclass(frozen=True)
class CtcGraph:
    """The states that paths of a transcript pass, numbered in order of time, and the arcs into each of them.

    Attributes:
        units: ``(states,)`` int32.
        words: ``(states,)`` int32: index of the word that a state belongs to, -1 for blanks and silence between words.
        variants: ``(states,)`` int32: which of its word's pronunciations.
        first_arc: ``(states + 1,)`` int32: the arcs into state s are ``first_arc[s]`` to ``first_arc[s + 1]``.
        sources: ``(arcs,)`` int32: where each arc comes from; a state's first arc is its loop.
        starts: states in which a path may start.
        finals: states in which it may end.
        entry_scores: ``(states,)`` log probability of entering each state from another one.
    """

    units: np.ndarray
    words: np.ndarray
    variants: np.ndarray
    first_arc: np.ndarray
    sources: np.ndarray
    starts: np.ndarray
    finals: np.ndarray
    entry_scores: np.ndarray


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


def ctc_graph(
    variants: Sequence[Sequence[Sequence[int]]],
    *,
    scores: Sequence[Sequence[float]] | None = None,
    silence: int | None = None,
    blank_first: bool = False,
) -> CtcGraph:
    """Build the graph of a sentence: optional blanks everywhere, and one that is required between equal units.

    Args:
        variants: for each word its pronunciations, as units; none of them empty.
        scores: their log probabilities; 0 by default.
        silence: a unit that may stand between words and at both ends, blanks around it.
        blank_first: how ties are broken, since of equally good predecessors the search takes the first: from the blank
            in front of a unit, or from the unit before it.
    """
    units: list[int] = []
    arcs: list[list[int]] = []
    owners: list[tuple[int, int]] = []
    entry_scores: list[float] = []
    starts: list[int] = []
    between = (-1, 0)

    def add(unit: int, sources: Sequence[int], owner: tuple[int, int] = between, score: float = 0.0) -> int:
        state = len(units)
        units.append(unit)
        arcs.append([state, *(source for source in sources if not unit or units[source] != unit)])
        owners.append(owner)
        entry_scores.append(score)
        return state

    def in_order(blank: int, others: Sequence[int]) -> list[int]:
        return [blank, *others] if blank_first else [*others, blank]

    def add_gap(before: Sequence[int], first: bool) -> list[int]:
        """Add what may stand between words; return every state that the next word may follow."""
        blank = add(BLANK, before)
        ends = in_order(blank, before)
        starts.extend([blank] * first)
        if silence is not None:
            quiet = add(silence, ends)
            starts.extend([quiet] * first)
            ends += [quiet, add(BLANK, [quiet])]
        return ends

    ends = add_gap([], True)
    for number, options in enumerate(variants):
        lasts = []
        for variant, said in enumerate(options):
            owner = (number, variant)
            last = add(said[0], ends, owner, scores[number][variant] if scores else 0.0)
            starts.extend([last] * (number == 0))
            for unit in said[1:]:
                inner = add(BLANK, [last], owner)
                last = add(unit, in_order(inner, [last]), owner)
            lasts.append(last)
        ends = add_gap(lasts, False)
    words, chosen = np.array(owners, np.int32).T
    return CtcGraph(
        np.array(units, np.int32),
        words,
        chosen,
        np.concatenate([[0], np.cumsum([len(row) for row in arcs])]).astype(np.int32),
        np.array([source for row in arcs for source in row], np.int32),
        np.array(starts, np.int32),
        np.array(ends, np.int32),
        np.array(entry_scores),
    )


def viterbi(log_posteriors: np.ndarray, graph: CtcGraph) -> np.ndarray | None:
    """Return the state in each frame ``(frames,)`` of the most probable path; None if no path has a probability."""
    if not len(log_posteriors):
        return np.zeros(0, np.int32)
    path, score = _viterbi(
        np.ascontiguousarray(log_posteriors, np.float32),
        graph.units,
        graph.first_arc,
        graph.sources,
        graph.starts,
        graph.finals,
        graph.entry_scores,
    )
    return path if np.isfinite(score) else None


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


@numba.njit(nogil=True, cache=True)
def _viterbi(  # pragma: no cover
    log_posteriors: np.ndarray,
    units: np.ndarray,
    first_arc: np.ndarray,
    sources: np.ndarray,
    starts: np.ndarray,
    finals: np.ndarray,
    entry_scores: np.ndarray,
) -> tuple[np.ndarray, float]:
    frames, states = len(log_posteriors), len(units)
    scores = np.full(states, -np.inf)
    for state in starts:
        scores[state] = log_posteriors[0, units[state]] + entry_scores[state]
    now = np.empty(states)
    # Which of its arcs each state was entered by; 0 is always the loop.
    back = np.zeros((frames, states), np.int16)
    for frame in range(1, frames):
        for state in range(states):
            begin = first_arc[state]
            best, score = 0, scores[state]
            for arc in range(begin + 1, first_arc[state + 1]):
                entered = scores[sources[arc]] + entry_scores[state]
                if entered > score:
                    best, score = arc - begin, entered
            back[frame, state] = best
            now[state] = score + log_posteriors[frame, units[state]]
        scores, now = now, scores
    state = finals[0]
    for other in finals:
        if scores[other] > scores[state]:
            state = other
    total = scores[state]
    path = np.empty(frames, np.int32)
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state = sources[first_arc[state] + back[frame, state]]
    return path, total
