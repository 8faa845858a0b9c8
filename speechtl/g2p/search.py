"""Beam search for the most likely ways to cut a spelling into units of letters and phones."""

from collections.abc import Sequence

import numba
import numpy as np

from speechtl.g2p.unit_ngram import END, START, UnitNgram, step

Path = tuple[float, list[int]]


def best_paths(options: Sequence[Sequence[Sequence[int]]], model: UnitNgram, beam: int, threshold: float) -> list[Path]:
    """Find the most likely sequences of units that spell a word.

    Args:
        options: ``options[position][count - 1]`` are the units that spell the ``count`` letters from ``position`` on.
        model: the n-gram model of units.
        beam: so many hypotheses are kept at each letter, and returned at most.
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
    scores, parents, chosen, finals = _search(
        *model.arrays, starts, np.array(units, np.int64), 1 + START, beam, threshold
    )
    paths = []
    for final in finals.tolist():
        own: list[int] = []
        place = int(parents[final])
        while place > 0:
            own.append(int(chosen[place]))
            place = int(parents[place])
        paths.append((float(scores[final]), own[::-1]))
    return paths


@numba.njit(cache=True, nogil=True)
def _search(unit, first_child, log_probability, log_back_off, suffix, starts, options, initial, beam, threshold):
    """Return scores, parents and units of all hypotheses, and the final ones, most likely first."""
    length, width = starts.shape[0], starts.shape[1] - 1
    capacity = 1024
    scores = np.zeros(capacity)
    states, parents = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
    chosen, after = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
    # Hypotheses that end at the same letter are a linked list.
    heads = np.full(length + 2, -1, np.int64)
    states[0], after[0], heads[0] = initial, -1, 0
    count = 1
    for position in range(length + 1):
        size = 0
        place = heads[position]
        while place >= 0:
            size += 1
            place = after[place]
        active = np.zeros(size, np.int64)
        place = heads[position]
        for row in range(size):
            active[row] = place
            place = after[place]
        active = active[np.argsort(-scores[active], kind="mergesort")][:beam]
        for place in active:
            if scores[place] < scores[active[0]] - threshold:
                break
            if count + len(options) + 1 > capacity:
                capacity = 2 * (capacity + len(options))
                scores = np.append(scores, np.zeros(capacity - len(scores)))
                states = np.append(states, np.zeros(capacity - len(states), np.int64))
                parents = np.append(parents, np.zeros(capacity - len(parents), np.int64))
                chosen = np.append(chosen, np.zeros(capacity - len(chosen), np.int64))
                after = np.append(after, np.zeros(capacity - len(after), np.int64))
            if position == length:
                own, state = step(unit, first_child, log_probability, log_back_off, suffix, states[place], END)
                scores[count] = scores[place] + own
                parents[count] = place
                after[count], heads[length + 1] = heads[length + 1], count
                count += 1
                continue
            for letters in range(width):
                for row in range(starts[position, letters], starts[position, letters + 1]):
                    own, state = step(
                        unit, first_child, log_probability, log_back_off, suffix, states[place], options[row]
                    )
                    target = position + letters + 1
                    scores[count] = scores[place] + own
                    states[count], parents[count], chosen[count] = state, place, options[row]
                    after[count], heads[target] = heads[target], count
                    count += 1
    size = 0
    place = heads[length + 1]
    while place >= 0:
        size += 1
        place = after[place]
    finals = np.zeros(size, np.int64)
    place = heads[length + 1]
    for row in range(size):
        finals[row] = place
        place = after[place]
    return scores, parents, chosen, finals[np.argsort(-scores[finals], kind="mergesort")]
