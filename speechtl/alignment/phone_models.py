"""Compiled kernels of the phone HMMs: densities of Gaussian mixtures, Viterbi search, statistics."""

from typing import NamedTuple

import numba
import numpy as np

from speechtl.alignment.chain import MAY_START, Row


class PhoneModels(NamedTuple):
    """The parameters of all HMM states: mixtures of Gaussians with diagonal covariances, and transitions."""

    means: np.ndarray
    """``(states, mixtures, values)`` float32."""
    precisions: np.ndarray
    """``(states, mixtures, values)`` float32: inverse variances."""
    constants: np.ndarray
    """``(states, mixtures)`` float32: log of weight and normalisation."""
    sizes: np.ndarray
    """``(states,)`` int32: Gaussians in use."""
    loop: np.ndarray
    """``(states,)`` log probability of staying."""
    leave: np.ndarray
    """``(states,)`` log probability of leaving."""


class Statistics(NamedTuple):
    """What paths are counted into."""

    occupancy: np.ndarray
    """``(states, mixtures)``."""
    sums: np.ndarray
    """``(states, mixtures, values)``."""
    squares: np.ndarray
    """``(states, mixtures, values)``."""


@numba.njit(nogil=True, cache=True, inline="always")
def _log_likelihoods(  # pragma: no cover
    frame: np.ndarray,
    means: np.ndarray,
    precisions: np.ndarray,
    constants: np.ndarray,
    size: int,
    into: np.ndarray,
) -> float:
    """Fill ``into`` with the log density of each Gaussian of a state, and return that of their mixture."""
    best = -np.inf
    for number in range(size):
        total = np.float32(0)
        for value in range(len(frame)):
            difference = frame[value] - means[number, value]
            total += difference * difference * precisions[number, value]
        into[number] = constants[number] - 0.5 * total
        best = max(best, into[number])
    if size == 1:
        return best
    rest = 0.0
    for number in range(size):
        rest += np.exp(into[number] - best)
    return best + np.log(rest)


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def viterbi(features: np.ndarray, row: Row, models: PhoneModels) -> tuple[np.ndarray, float]:  # pragma: no cover
    """Return the state of a `Row` in each frame ``(frames,)``, and the score, -inf if there is no path."""
    model, skip, low, high, finals = row.model, row.skip, row.low, row.high, row.finals
    means, precisions, constants, sizes = models.means, models.precisions, models.constants, models.sizes
    loop, leave = models.loop, models.leave
    frames, states = len(features), len(model)
    densities = np.empty(constants.shape[1])
    scores, now = np.full(states, -np.inf), np.full(states, -np.inf)
    # How each state was entered in the frames of its window, at ``origins[state] + frame``.
    widths = np.maximum(high - low, 0).astype(np.int64)
    origins = np.cumsum(widths) - widths - low
    back = np.zeros(widths.sum(), np.int8)  # 0: stayed, 1: from the state before, 2: skipped a pause
    first = 0
    for frame in range(frames):
        while first < states and high[first] < frame:
            now[first] = scores[first] = -np.inf
            first += 1
        for state in range(first, states):
            if low[state] > frame:
                break
            if high[state] == frame:  # Left now at the latest.
                now[state] = -np.inf
                continue
            if frame == 0:
                score = 0.0 if state == 0 or skip[state] == MAY_START else -np.inf
            else:
                score = scores[state] + loop[model[state]]
                if state > 0 and scores[state - 1] + leave[model[state - 1]] > score:
                    score = scores[state - 1] + leave[model[state - 1]]
                    back[origins[state] + frame] = 1
                other = skip[state]
                if other >= 0 and scores[other] + leave[model[other]] > score:
                    score = scores[other] + leave[model[other]]
                    back[origins[state] + frame] = 2
            if score > -np.inf:
                number = model[state]
                score += _log_likelihoods(
                    features[frame], means[number], precisions[number], constants[number], sizes[number], densities
                )
            now[state] = score
        scores, now = now, scores
    path = np.empty(frames, np.int32)
    state = finals[0]
    for other in finals:
        if scores[other] > scores[state]:
            state = other
    total = scores[state]
    if total == -np.inf:
        return path, total
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        if back[origins[state] + frame] == 1:
            state -= 1
        elif back[origins[state] + frame] == 2:
            state = skip[state]
    return path, total


@numba.njit(nogil=True, cache=True)
def accumulate(  # pragma: no cover
    features: np.ndarray, numbers: np.ndarray, models: PhoneModels, statistics: Statistics
) -> None:
    """Add the frames of an utterance, of which each belongs to the state in ``numbers``, to the statistics."""
    means, precisions, constants, sizes = models.means, models.precisions, models.constants, models.sizes
    occupancy, sums, squares = statistics.occupancy, statistics.sums, statistics.squares
    densities = np.empty(constants.shape[1])
    for frame in range(len(features)):
        state = numbers[frame]
        total = _log_likelihoods(
            features[frame], means[state], precisions[state], constants[state], sizes[state], densities
        )
        for number in range(sizes[state]):
            share = np.exp(densities[number] - total)
            occupancy[state, number] += share
            for value in range(features.shape[1]):
                sums[state, number, value] += share * features[frame, value]
                squares[state, number, value] += share * features[frame, value] * features[frame, value]
