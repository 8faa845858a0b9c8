"""How well a linear classifier separates classes of points, and their projection onto two dimensions."""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from speechtl.errors import DataError

if TYPE_CHECKING:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis


@dataclasses.dataclass(frozen=True)
class Probe:
    """Accuracy of a linear classifier on points that it was not fitted to.

    Attributes:
        accuracy: share of the points whose class is found.
        balanced: mean of the classes' shares, which does not depend on their sizes.
        chance: share of the largest class.
        held_out: what the test points never share with the fitted ones: ``"speakers"`` or ``"utterances"``.
    """

    accuracy: float
    balanced: float
    chance: float
    held_out: str


def probe(points: np.ndarray, classes: Sequence[str], speakers: Sequence[str], folds: int = 5) -> Probe:
    """Cross-validate a linear discriminant analysis (scikit-learn's).

    Args:
        points: ``(points, size)``.
        classes: of each.
        speakers: of each. Where every class has two or more, whole speakers are held out, so that what a speaker sounds
            like does not count as the class; where classes are speakers, utterances are held out.
        folds: parts, stratified by class, each of which is the test once.

    Raises:
        DataError: fewer than two classes, or a class with fewer points than three.
    """
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedGroupKFold

    names, labels = np.unique(np.asarray(classes), return_inverse=True)
    counts = np.bincount(labels)
    shown = ", ".join(f"{name} ({count})" for name, count in zip(names, counts))
    too_few = DataError(f"expected two or more classes of three or more utterances each, got: {shown}")
    if len(names) < 2 or counts.min() < 3:
        raise too_few
    by_speaker = all(len({s for s, c in zip(speakers, classes) if c == name}) >= 2 for name in names)
    groups = list(speakers) if by_speaker else list(map(str, range(len(labels))))
    splitter = StratifiedGroupKFold(min(folds, len(set(groups)), int(counts.max())), shuffle=True, random_state=0)
    found = np.full(len(labels), -1)
    with warnings.catch_warnings():
        # A class with fewer members than there are folds is in the test of some folds only.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fitted, test in splitter.split(points, labels, groups):
            known = len(np.unique(labels[fitted]))
            if len(fitted) <= known:
                raise too_few
            if len(test):
                classifier = linear_classifier(known).fit(points[fitted].astype(np.float64), labels[fitted])
                found[test] = classifier.predict(points[test])
    return Probe(
        float(np.mean(found == labels)),
        float(balanced_accuracy_score(labels, found)),
        float(counts.max() / len(labels)),
        "speakers" if by_speaker else "utterances",
    )


def linear_classifier(classes: int) -> "LinearDiscriminantAnalysis":
    """Return an unfitted classifier: class means, one covariance shrunk as Ledoit & Wolf 2004 do, equal priors."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(classes, 1 / classes))


def principal_components(points: np.ndarray) -> np.ndarray:
    """Return the two directions in which ``(points, size)`` vary most, as coordinates ``(points, 2)``."""
    from sklearn.decomposition import PCA

    width = min(2, *points.shape)
    with np.errstate(invalid="ignore"):  # Of points that are all the same no share of the variance is explained.
        placed = PCA(width, svd_solver="full").fit_transform(points.astype(np.float64))
    return np.pad(placed, ((0, 0), (0, 2 - width)))
