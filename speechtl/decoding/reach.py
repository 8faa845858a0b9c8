"""How far a model looks: which frames of features its posteriors depend on, found by trying."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

# Frames of features on each side that are tried; what depends on all of them depends on whatever there is.
_TRIED = 400
_TRIALS = 3
# Frames of features of five minutes; what a model computes from more takes gigabytes.
_LONG = 30000
# Of windows of attention: computed at once, and needed on each side. The first of the latter begins, as the last ends,
# with frames that lack their neighbours, and hands that on to whatever looks into it from the next one.
_WINDOWS, _AROUND = 8, 2


@dataclasses.dataclass(frozen=True)
class Reach:
    """Frames of features that posteriors depend on.

    Posteriors that are computed from a part of the features equal those of all features, but for rounding, where the
    part goes on for so many frames in both directions.

    Attributes:
        left: frames before the one that a frame of posteriors stands for; a multiple of the subsampling.
        right: frames after it.
    """

    left: int
    right: int


def find_reach(posteriors: Callable[[np.ndarray], np.ndarray], bins: int, subsampling: int) -> Reach | None:
    """Find which frames of posteriors change with a frame of features.

    Args:
        posteriors: from features ``(frames, bins)`` to posteriors ``(frames / subsampling, units)``.
        bins: of the features.
        subsampling: frames of features per frame of posteriors.

    Returns:
        The reach; None where it is longer than four seconds or so, as that of a model that looks at everything.
    """
    rng = np.random.default_rng(0)
    middle = _TRIED // subsampling * subsampling
    features = rng.standard_normal((2 * middle, bins)).astype(np.float32)
    before = posteriors(features)
    changed = np.zeros(len(before), bool)
    for _ in range(_TRIALS):
        other = features.copy()
        # Loud enough to get through any saturation, and of all sizes.
        other[middle] = rng.standard_normal(bins) * np.geomspace(1, 100, bins)
        changed |= (posteriors(other) != before).any(axis=1)
    places = np.flatnonzero(changed)
    if not len(places) or places[0] == 0 or places[-1] == len(before) - 1:
        return None
    # Which frame within a step was changed says no more about the reach than the step.
    left = (int(places[-1]) + 1) * subsampling - middle
    right = middle - (int(places[0]) - 1) * subsampling
    return Reach(left, right)


def posteriors_of_batch(
    compute: Callable[[np.ndarray, np.ndarray], list[np.ndarray]],
    features: np.ndarray,
    lengths: np.ndarray,
    subsampling: int,
    attention_window: int | None = None,
) -> list[np.ndarray]:
    """Return the posteriors of a batch: those of utterances of hours window by window, if the model allows.

    Args:
        compute: from padded features ``(batch, frames, bins)`` and lengths ``(batch,)`` to the posteriors of each.
        features: padded, normalised.
        lengths: valid frames.
        subsampling: frames of features per frame of posteriors.
        attention_window: frames of features, if frames depend on all others of such windows, which lie side by side
            from the first frame on, and besides only on frames that are less than one away.
    """

    def alone(matrix: np.ndarray) -> np.ndarray:
        return compute(matrix[np.newaxis], np.array([len(matrix)], np.int32))[0]

    if features.shape[1] <= _LONG:
        return compute(features, lengths)
    if attention_window is not None:
        window = math.lcm(attention_window, subsampling)
        reach, size = Reach(_AROUND * window, _AROUND * window), _WINDOWS * window
    else:
        found = find_reach(alone, features.shape[2], subsampling)
        if found is None:
            return compute(features, lengths)
        reach, size = found, _LONG // 10 // subsampling * subsampling
    rows = (matrix[:length] for matrix, length in zip(features, lengths, strict=True))
    return [windowed_posteriors(alone, row, reach, subsampling, size) for row in rows]


def windowed_posteriors(
    posteriors: Callable[[np.ndarray], np.ndarray], features: np.ndarray, reach: Reach, subsampling: int, size: int
) -> np.ndarray:
    """Return the posteriors of a long utterance, window by window, so that memory does not grow with its features.

    Args:
        posteriors: as for `find_reach`.
        features: ``(frames, bins)``, normalised.
        reach: of the model.
        subsampling: frames of features per frame of posteriors.
        size: frames of features in a window, a multiple of the subsampling, without what it needs around it.
    """
    parts = []
    for first in range(0, len(features), size):
        begin, end = max(first - reach.left, 0), min(first + size, len(features))
        part = posteriors(features[begin : end + reach.right])
        parts.append(part[(first - begin) // subsampling : -(-(end - begin) // subsampling)])
    return np.concatenate(parts)
