"""How well a linear classifier tells classes of points apart, and two dimensions to look at them in."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from speechtl.errors import DataError


@dataclasses.dataclass(frozen=True)
class Probe:
    """Accuracy of a linear classifier on points that it was not fitted to.

    Attributes:
        accuracy: share of the points whose class is found.
        balanced: the mean of the classes' shares, which does not depend on their sizes.
        chance: share of the largest class.
        held_out: what no point of the test shares with those fitted: ``"speakers"`` or ``"utterances"``.
    """

    accuracy: float
    balanced: float
    chance: float
    held_out: str


def probe(points: np.ndarray, classes: Sequence[str], speakers: Sequence[str], folds: int = 5) -> Probe:
    """Cross-validate a linear discriminant analysis.

    Args:
        points: ``(points, size)``.
        classes: of each.
        speakers: of each. They are held out whole where every class has two or more, none of which has another class's
            points alone; where classes are speakers, utterances are held out.
        folds: parts, each of which is the test once.

    Raises:
        DataError: fewer than two classes, or a class with fewer points than two.
    """
    names, labels = np.unique(np.asarray(classes), return_inverse=True)
    counts = np.bincount(labels)
    if len(names) < 2 or counts.min() < 2:
        shown = ", ".join(f"{name} ({count})" for name, count in zip(names, counts))
        raise DataError(f"expected two or more classes of two or more utterances each, got: {shown}")
    by_speaker = all(len({s for s, c in zip(speakers, classes) if c == name}) >= 2 for name in names)
    parts = _parts(labels, list(speakers) if by_speaker else [str(i) for i in range(len(labels))], folds)
    found = np.full(len(labels), -1)
    for part in range(parts.max() + 1):
        test = parts == part
        found[test] = LinearDiscriminant(points[~test], labels[~test]).classify(points[test])
    right = found == labels
    balanced = float(np.mean([right[labels == number].mean() for number in range(len(names))]))
    held_out = "speakers" if by_speaker else "utterances"
    return Probe(float(right.mean()), balanced, float(counts.max() / len(labels)), held_out)


class LinearDiscriminant:
    """Classes with means of their own and one covariance, shrunk towards a sphere as Ledoit & Wolf 2004 do.

    Attributes:
        classes: numbers of the classes that it was fitted to.
        weights: ``(size, classes)``, and
        offsets: ``(classes,)``: the class with the largest ``x · weights + offsets`` is the most probable one, if all
            are equally likely before.
    """

    def __init__(self, points: np.ndarray, labels: np.ndarray):
        """Fit to ``(points, size)`` and ``(points,)`` class numbers."""
        points = points.astype(np.float64)
        self.classes = np.unique(labels)
        means = np.array([points[labels == number].mean(axis=0) for number in self.classes])
        centred = points - means[np.searchsorted(self.classes, labels)]
        self.weights = np.linalg.solve(shrunk_covariance(centred), means.T)
        self.offsets = -0.5 * np.sum(means.T * self.weights, axis=0)

    def classify(self, points: np.ndarray) -> np.ndarray:
        """Return the class number of each of ``(points, size)``."""
        return self.classes[np.argmax(points @ self.weights + self.offsets, axis=1)]


def shrunk_covariance(centred: np.ndarray) -> np.ndarray:
    """Return ``(1 − a) S + a m I`` with the a of Ledoit & Wolf 2004, for ``(points, size)`` with mean 0."""
    count, size = centred.shape
    covariance = centred.T @ centred / count
    mean = np.trace(covariance) / size
    spread = np.sum(covariance**2) - size * mean**2  # ‖S − m I‖²
    noise = (np.mean(np.sum(centred**2, axis=1) ** 2) - np.sum(covariance**2)) / count
    share = 1.0 if spread <= 0 else float(np.clip(noise / spread, 0.0, 1.0))
    shrunk = (1.0 - share) * covariance + share * mean * np.eye(size)
    # A dimension in which nothing ever varies must not make it singular.
    return shrunk + 1e-9 * max(mean, 1e-12) * np.eye(size)


def principal_components(points: np.ndarray) -> np.ndarray:
    """Return the two directions in which ``(points, size)`` vary most, as coordinates ``(points, 2)``."""
    centred = points.astype(np.float64) - points.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    width = min(2, len(values))
    placed = np.zeros((len(points), 2))
    placed[:, :width] = left[:, :width] * values[:width]
    return placed


def _parts(labels: np.ndarray, groups: Sequence[str], folds: int) -> np.ndarray:
    """Deal groups into parts, class by class, so that every part has some of each class."""
    home: dict[str, int] = {}
    for number in range(labels.max() + 1):
        fresh = sorted({group for group, label in zip(groups, labels) if label == number} - home.keys())
        order = np.random.default_rng(number).permutation(len(fresh))
        start = len(home)
        home.update({fresh[index]: (start + place) % folds for place, index in enumerate(order)})
    parts = np.array([home[group] for group in groups])
    return np.unique(parts, return_inverse=True)[1]
