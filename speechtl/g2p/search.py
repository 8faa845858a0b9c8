"""Beam search for the most likely ways to cut a spelling into units of letters and phones."""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from speechtl.g2p.unit_ngram import END, START, UnitNgram, UnitTree

UnitPath = tuple[float, list[int]]


class Spellings(NamedTuple):
    """The units that spell the letters of a word."""

    starts: np.ndarray
    """``(letters, width + 1)`` int64: the units that spell n letters from letter i on are ``starts[i, n - 1]`` to
    ``starts[i, n]`` (not included)."""
    units: np.ndarray
    """int64."""


class Hypotheses(NamedTuple):
    """Partial spellings, ``(hypotheses,)`` each."""

    scores: np.ndarray
    """float64: natural log probability."""
    states: np.ndarray
    """int64: the node of the n-gram tree."""
    parents: np.ndarray
    """int64: the hypothesis that this one extends."""
    units: np.ndarray
    """int64: the last unit."""
    after: np.ndarray
    """int64: the next one that ends at the same letter, or -1."""


def best_paths(
    options: Sequence[Sequence[Sequence[int]]], model: UnitNgram, beam: int, threshold: float
) -> list[UnitPath]:
    """Find the most likely sequences of units that spell a word.

    Args:
        options: ``options[position][count - 1]`` are the units that spell the ``count`` letters from ``position`` on.
        model: the n-gram model of units.
        beam: number of hypotheses kept at each letter, and returned at most.
        threshold: hypotheses are dropped that are less likely than the best by more than this natural logarithm.

    Returns:
        The natural log probability and the units of each, most likely first; nothing if no sequence spells the word.
    """
    width = max((len(counts) for counts in options), default=0)
    starts = np.zeros((len(options), width + 1), np.int64)
    units: list[int] = []
    for position, counts in enumerate(options):
        for count in range(width):
            starts[position, count] = len(units)
            units += counts[count] if count < len(counts) else ()
        starts[position, width] = len(units)
    found, finals = _search(model.tree, Spellings(starts, np.array(units, np.int64)), 1 + START, beam, threshold)
    paths = []
    for final in finals.tolist():
        path: list[int] = []
        place = int(found.parents[final])
        while place > 0:
            path.append(int(found.units[place]))
            place = int(found.parents[place])
        paths.append((float(found.scores[final]), path[::-1]))
    return paths


@numba.njit(cache=True, nogil=True)
def _search(
    tree: UnitTree, spellings: Spellings, initial: int, beam: int, threshold: float
) -> tuple[Hypotheses, np.ndarray]:
    """Return all hypotheses, and the places of the final ones, most likely first."""
    length, width = spellings.starts.shape[0], spellings.starts.shape[1] - 1
    found = _empty(1024)
    # Hypotheses that end at the same letter are a linked list.
    heads = np.full(length + 2, -1, np.int64)
    found.states[0], found.after[0], heads[0] = initial, -1, 0
    count = 1
    for position in range(length + 1):
        active = _listed(found.after, heads[position])
        active = active[np.argsort(-found.scores[active], kind="mergesort")][:beam]
        for place in active:
            if found.scores[place] < found.scores[active[0]] - threshold:
                break
            if count + len(spellings.units) + 1 > len(found.scores):
                found = _enlarged(found, 2 * (len(found.scores) + len(spellings.units)))
            if position == length:
                log_probability, state = step(tree, found.states[place], END)
                found.scores[count] = found.scores[place] + log_probability
                found.parents[count] = place
                found.after[count], heads[length + 1] = heads[length + 1], count
                count += 1
                continue
            for letters in range(width):
                for row in range(spellings.starts[position, letters], spellings.starts[position, letters + 1]):
                    log_probability, state = step(tree, found.states[place], spellings.units[row])
                    target = position + letters + 1
                    found.scores[count] = found.scores[place] + log_probability
                    found.states[count], found.parents[count] = state, place
                    found.units[count] = spellings.units[row]
                    found.after[count], heads[target] = heads[target], count
                    count += 1
    finals = _listed(found.after, heads[length + 1])
    return found, finals[np.argsort(-found.scores[finals], kind="mergesort")]


@numba.njit(cache=True, nogil=True)
def _empty(capacity: int) -> Hypotheses:
    return Hypotheses(
        np.zeros(capacity),
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.int64),
    )


@numba.njit(cache=True, nogil=True)
def _enlarged(hypotheses: Hypotheses, capacity: int) -> Hypotheses:
    """Return the hypotheses with room for more."""
    result = _empty(capacity)
    count = len(hypotheses.scores)
    result.scores[:count] = hypotheses.scores
    result.states[:count] = hypotheses.states
    result.parents[:count] = hypotheses.parents
    result.units[:count] = hypotheses.units
    result.after[:count] = hypotheses.after
    return result


@numba.njit(cache=True, nogil=True)
def _listed(after: np.ndarray, head: int) -> np.ndarray:
    """Return the places of a linked list."""
    size = 0
    place = head
    while place >= 0:
        size += 1
        place = after[place]
    places = np.zeros(size, np.int64)
    place = head
    for row in range(size):
        places[row] = place
        place = after[place]
    return places


@numba.njit(cache=True, nogil=True)
def step(tree: UnitTree, state: int, wanted: int) -> tuple[float, int]:
    """Return the natural log probability of a unit after a history, and the history (a node) that follows."""
    total = 0.0
    while True:
        low, high = tree.first_child[state], tree.first_child[state + 1]
        while low < high:
            middle = (low + high) >> 1
            if tree.unit[middle] < wanted:
                low = middle + 1
            else:
                high = middle
        if low < tree.first_child[state + 1] and tree.unit[low] == wanted:
            break
        if state == 0:
            return -np.inf, 0
        total += tree.log_back_off[state]
        state = tree.suffix[state]
    total += tree.log_probability[low]
    node = low
    while node > 0 and tree.first_child[node] == tree.first_child[node + 1]:
        node = tree.suffix[node]
    return total, node


@numba.njit(cache=True, nogil=True)
def score(tree: UnitTree, sequence: np.ndarray) -> float:
    """Return the natural log probability of a whole sequence with its end."""
    state = 1 + START
    total = 0.0
    for wanted in sequence:
        log_probability, state = step(tree, state, wanted)
        total += log_probability
    log_probability, state = step(tree, state, END)
    return total + log_probability
