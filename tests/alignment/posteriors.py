"""Posteriors for tests of alignments, and the best path through them by brute force."""

import itertools

import numpy as np


def random_posteriors(seed, frames, units):
    scores = np.random.default_rng(seed).normal(0, 2, (frames, units))
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


def collapsed(path):
    """Return the units of a CTC path: repetitions are one, blanks go."""
    return [unit for unit, _ in itertools.groupby(path) if unit]


def best_by_brute_force(log_posteriors, accepted):
    """Return score and path of the best path whose units ``accepted`` gives a score."""
    frames, units = log_posteriors.shape
    best = (-np.inf, None)
    for path in itertools.product(range(units), repeat=frames):
        extra = accepted(collapsed(path))
        if extra is not None:
            score = sum(float(log_posteriors[frame, unit]) for frame, unit in enumerate(path)) + extra
            best = max(best, (score, path))
    return best


def peaked(units, frames_each=3, blanks=2, total=5, confidence=0.9):
    """Return posteriors in which every unit is on for some frames and blanks are between them, and those frames."""
    rows, places = [0] * blanks, []
    for unit in units:
        places.append((len(rows), len(rows) + frames_each))
        rows += [unit] * frames_each + [0] * blanks
    posteriors = np.full((len(rows), total), (1 - confidence) / (total - 1), np.float32)
    posteriors[np.arange(len(rows)), rows] = confidence
    return np.log(posteriors), places
