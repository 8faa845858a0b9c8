"""Word confidence: the probability that a recognised word is right.

It is a logistic function of what the search knows of the word (as in Jiang 2005, "Confidence measures for
speech recognition: a survey"): its share of the N-best list, and how much better the best hypothesis is than the best
one without the word. The function's weights are fitted on held-out speech (Platt 1999), so that of the words with
confidence 0.8 four in five are right. (The posteriors of a word's phones were tried too; they added nothing to these.)
"""

import bisect
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.decoding.search.traceback import TokenPath, is_oov

FEATURES = 2
# N-best scores are sums over frames that are not independent, so differences are too large by about this factor.
_FLATTEN = 0.5
_LIMIT = 8.0


def word_features(paths: Sequence[TokenPath]) -> np.ndarray:
    """Describe each word of the best hypothesis.

    Args:
        paths: the N-best list, best first.

    Returns:
        ``(words, 2)``: logit of the share of the list that has the word there; log1p of the score lost without it.
    """
    first = paths[0]
    scores = np.array([path.hypothesis.score for path in paths])
    relative = scores - scores[0]
    share = np.exp(_FLATTEN * relative)
    share /= share.sum()
    result = np.zeros((len(first.hypothesis.words), FEATURES))
    places = [_places(path) for path in paths]
    for number, (word, start, end) in enumerate(_occurrences(first)):
        has = np.array([_overlaps(some.get(word, ()), start, end) for some in places])
        total = float(share[has].sum())
        without = relative[~has]
        lost = -float(without.max()) if len(without) else _LIMIT * 4
        result[number] = (
            float(np.clip(math.log(max(total, 1e-9)) - math.log(max(1 - total, 1e-9)), -_LIMIT, _LIMIT)),
            math.log1p(max(lost, 0.0)),
        )
    return result


def _occurrences(path: TokenPath) -> list[tuple[str, int, int]]:
    """Return each word with the frames after the end of the one before up to its own end."""
    starts = [-1, *path.ends[:-1]]
    # Which phones are in speech that is no word does not matter: it is the same find.
    words = ["<oov>" if is_oov(word) else word for word in path.hypothesis.words]
    return [(word, start + 1, end + 1) for word, start, end in zip(words, starts, path.ends)]


def _places(path: TokenPath) -> dict[str, list[tuple[int, int]]]:
    """Return where each word occurs, in the order of time."""
    places: dict[str, list[tuple[int, int]]] = {}
    for word, start, end in _occurrences(path):
        places.setdefault(word, []).append((end, start))
    return places


def _overlaps(places: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Whether one of some places, ends and starts, overlaps with another."""
    after = bisect.bisect_right(places, start, key=lambda place: place[0])
    return after < len(places) and places[after][1] < end


def with_confidence(hypothesis: Hypothesis, features: np.ndarray, weights: Sequence[float]) -> Hypothesis:
    """Fill the confidence of the words.

    Args:
        hypothesis: with spans.
        features: ``(words, 2)``, of ``word_features``.
        weights: a constant, then one for each feature.
    """
    values = confidence_of(features, weights)
    spans = tuple(
        dataclasses.replace(span, confidence=float(value)) for span, value in zip(hypothesis.word_spans, values)
    )
    return dataclasses.replace(hypothesis, word_spans=spans)


def confidence_of(features: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """Return the logistic function of features ``(words, 2)``: ``(words,)`` in (0, 1)."""
    return 1 / (1 + np.exp(-np.clip(features @ np.array(weights[1:]) + weights[0], -30, 30)))


def fit_weights(features: np.ndarray, correct: np.ndarray) -> tuple[float, ...]:
    """Fit the weights by maximum likelihood, regularised as if by a few more words (Platt 1999).

    Args:
        features: ``(words, 2)``.
        correct: ``(words,)`` bool.

    Returns:
        A constant, and one weight for each feature.
    """
    # On one scale, so that the pull is the same for all; Newton's method (iteratively reweighted least squares).
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    inputs = np.column_stack([np.ones(len(features)), (features - mean) / deviation])
    right, wrong = int(correct.sum()), int((~correct).sum())
    targets = np.where(correct, (right + 1) / (right + 2), 1 / (wrong + 2))
    pull = np.diag([1e-6, *[1.0] * features.shape[1]])
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        values = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (targets - values) - pull @ weights
        curvature = (inputs * (values * (1 - values) + 1e-9)[:, None]).T @ inputs + pull
        step = np.linalg.solve(curvature, slope)
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    scaled = weights[1:] / deviation
    return (float(weights[0] - scaled @ mean), *map(float, scaled))


def mark_correct(references: Mapping[str, str], found: Iterable[tuple[str, Sequence[str]]]) -> dict[str, list[bool]]:
    """Return for each recognised word whether the reference has it in this place (by the alignment of error rates)."""
    # Not among what recognition needs.
    import jiwer

    result: dict[str, list[bool]] = {}
    for utterance, words in found:
        correct = [False] * len(words)
        if words:
            # jiwer wants a reference of at least one word.
            reference = references[utterance].strip() or "<silence>"
            (chunks,) = jiwer.process_words([reference], [" ".join(words)]).alignments
            for chunk in chunks:
                if chunk.type == "equal":
                    correct[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (
                        chunk.hyp_end_idx - chunk.hyp_start_idx
                    )
        result[utterance] = correct
    return result


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Calibration of confidences.

    Attributes:
        words: number of words.
        accuracy: fraction of them that are right.
        mean_confidence: the fraction that the confidences predict.
        error: expected calibration error: the mean over words of the difference between confidence and accuracy in the
            word's bin (Naeini et al. 2015), ten bins with equally many words.
        entropy: normalised cross entropy, NIST's measure: 0 for one constant confidence, 1 for perfect knowledge.
    """

    words: int
    accuracy: float
    mean_confidence: float
    error: float
    entropy: float


def calibration(confidence: Sequence[float], correct: Sequence[bool], bins: int = 10) -> Calibration:
    """Compare confidences with the truth; without words everything is NaN."""
    sure, truth = np.array(confidence, np.float64), np.array(correct, bool)
    if not len(sure):
        return Calibration(0, math.nan, math.nan, math.nan, math.nan)
    order = np.argsort(sure, kind="stable")
    error = sum(abs(sure[some].sum() - truth[some].sum()) for some in np.array_split(order, min(bins, len(order))))
    accuracy = float(truth.mean())
    entropy = math.nan
    if 0 < accuracy < 1:
        prior = -len(truth) * (accuracy * math.log(accuracy) + (1 - accuracy) * math.log(1 - accuracy))
        clipped = np.clip(sure, 1e-6, 1 - 1e-6)
        entropy = float(1 + np.where(truth, np.log(clipped), np.log(1 - clipped)).sum() / prior)
    return Calibration(len(sure), accuracy, float(sure.mean()), float(error / len(sure)), entropy)
