"""Confidence intervals of error rates, and significance of their differences.

Bootstrap: M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP
2004. Matched pairs: L. Gillick and S. Cox, "Some statistical issues in the comparison of speech recognition
algorithms", ICASSP 1989.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from speechtl.errors import DataError, list_problems
from speechtl.scoring.error_rate import Counts, ErrorRate, Pair, Scored, group_by_speaker

SAMPLES = 10_000
CONFIDENCE = 0.95

# Draws processed at once: few enough to stay in the cache.
_BLOCK = 200_000
# A segment ends after this many consecutive words that are correct in both systems (Gillick & Cox: n-gram range).
_CLEAN_WORDS = 2


@dataclasses.dataclass(frozen=True)
class ConfidenceInterval:
    """A confidence interval.

    Attributes:
        low: lower bound.
        high: upper bound.
        groups: number of utterances or speakers that were resampled.
        by: ``"utterance"`` or ``"speaker"``.
    """

    low: float
    high: float
    groups: int
    by: str


@dataclasses.dataclass(frozen=True)
class MatchedPairs:
    """The matched-pairs sentence-segment word error test (MAPSSWE).

    Attributes:
        segments: number of segments with an error of at least one system, separated by at least two words that both
            systems have correct.
        mean: errors per segment of the second system minus those of the first.
        z: the mean in standard errors; nan with less than two segments.
        p: two-sided p-value; nan likewise.
    """

    segments: int
    mean: float
    z: float
    p: float


@dataclasses.dataclass(frozen=True)
class PairedComparison:
    """Comparison of two systems on one test set.

    Attributes:
        difference: error rate of the second minus that of the first; below zero, the second is better.
        interval: confidence interval of the difference, by the paired bootstrap.
        probability_of_improvement: fraction of samples in which the second system is better; ties count half.
        matched_pairs: None if the systems have different references (phones by best-matching pronunciation), or errors
            that are no whole ones (phone features).
    """

    difference: float
    interval: ConfidenceInterval
    probability_of_improvement: float
    matched_pairs: MatchedPairs | None


def bootstrap_interval(
    score: Scored[Counts],
    utt2spk: Mapping[str, str] | None = None,
    *,
    samples: int = SAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> ConfidenceInterval:
    """Return the confidence interval of an error rate.

    The utterances (or speakers, with all their utterances) are resampled with replacement. Errors of one speaker's
    utterances are correlated, so the interval for unseen speakers must be computed by resampling speakers.

    Args:
        score: score of the test set.
        utt2spk: if given, speakers are resampled instead of utterances.
        samples: number of bootstrap samples.
        confidence: confidence level.
        seed: random seed.

    Raises:
        DataError: fewer than two utterances (or speakers), no words, or an option is out of range.
    """
    errors, lengths, by = _groups(score, utt2spk)
    rates = _draw(np.stack([errors, lengths]), samples, confidence, seed, by)
    return _interval(rates[0] / rates[1], confidence, len(errors), by)


def compare(
    first: ErrorRate,
    second: ErrorRate,
    utt2spk: Mapping[str, str] | None = None,
    *,
    samples: int = SAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> PairedComparison:
    """Compare two systems on the same utterances by the paired bootstrap and the matched-pairs test.

    Args:
        first: the score of the first system (the baseline).
        second: the score of the second system.
        utt2spk: if given, speakers are resampled instead of utterances.
        samples: number of bootstrap samples.
        confidence: confidence level.
        seed: random seed.

    Raises:
        DataError: the systems were scored on different utterances or units; fewer than two utterances (or speakers), no
            words, or an option is out of range.
    """
    if first.unit != second.unit:
        raise DataError(
            f"cannot compare a score of {first.unit}s with one of {second.unit}s; score both with the same unit"
        )
    paired = paired_bootstrap(first, second, utt2spk, samples=samples, confidence=confidence, seed=seed)
    return dataclasses.replace(paired, matched_pairs=matched_pairs(first, second))


def paired_bootstrap(
    first: Scored[Counts],
    second: Scored[Counts],
    utt2spk: Mapping[str, str] | None = None,
    *,
    samples: int = SAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> PairedComparison:
    """Compare two systems on the same utterances by the paired bootstrap alone; see `compare`."""
    different = sorted(first.per_utterance.keys() ^ second.per_utterance.keys())
    if different:
        heading = f"{len(different)} utterances were scored for one system only; score both on the same test:"
        raise DataError(list_problems(heading, different, limit=20))
    errors, lengths, by = _groups(first, utt2spk)
    other_errors, other_lengths, _ = _groups(second, utt2spk)
    sums = _draw(np.stack([errors, lengths, other_errors, other_lengths]), samples, confidence, seed, by)
    differences = sums[2] / sums[3] - sums[0] / sums[1]
    better = float(np.mean(differences < 0) + 0.5 * np.mean(differences == 0))
    interval = _interval(differences, confidence, len(errors), by)
    return PairedComparison(second.rate - first.rate, interval, better, None)


def matched_pairs(first: ErrorRate, second: ErrorRate) -> MatchedPairs | None:
    """Test whether two systems differ, on segments with independent errors (Gillick & Cox 1989).

    The normal approximation requires about 50 segments.

    Returns:
        The test, or None if the systems have different references.
    """
    differences: list[int] = []
    for utterance, pairs in first.alignments.items():
        others = second.alignments[utterance]
        if _words(pairs) != _words(others):
            return None
        differences.extend(_segments(_slots(pairs), _slots(others)))
    count = len(differences)
    mean = sum(differences) / count if count else 0.0
    variance = sum((difference - mean) ** 2 for difference in differences) / (count - 1) if count > 1 else 0.0
    if count < 2:
        return MatchedPairs(count, mean, math.nan, math.nan)
    if variance == 0.0:
        # All segments have the same difference: it is either zero, or certain as far as the variance can tell.
        return MatchedPairs(count, mean, math.copysign(math.inf, mean) if mean else 0.0, 0.0 if mean else 1.0)
    z = mean / math.sqrt(variance / count)
    return MatchedPairs(count, mean, z, math.erfc(abs(z) / math.sqrt(2.0)))


def _groups(score: Scored[Counts], utt2spk: Mapping[str, str] | None) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the errors and reference lengths of each utterance or speaker, and which of the two was used."""
    counts: list[list[Counts]]
    if utt2spk is None:
        counts = [[count] for count in score.per_utterance.values()]
    else:
        groups = group_by_speaker(score, utt2spk).values()
        counts = [[score.per_utterance[utterance] for utterance in group] for group in groups]
    errors = np.array([sum(count.errors for count in group) for group in counts], dtype=np.float64)
    lengths = np.array([sum(count.reference_length for count in group) for group in counts], dtype=np.float64)
    return errors, lengths, "utterance" if utt2spk is None else "speaker"


def _draw(table: np.ndarray, samples: int, confidence: float, seed: int, by: str) -> np.ndarray:
    """Draw columns of ``table`` (rows, groups) with replacement and sum them: ``(rows, samples)``."""
    groups = table.shape[1]
    if samples < 1 or not 0.0 < confidence < 1.0:
        raise DataError(f"samples must be at least 1 and confidence between 0 and 1 (got {samples}, {confidence:g})")
    if groups < 2:
        raise DataError(f"a bootstrap needs at least 2 {by}s (got {groups}); score more, or draw utterances")
    generator = np.random.default_rng(seed)
    blocks = []
    step = max(1, _BLOCK // groups)
    for start in range(0, samples, step):
        drawn = generator.integers(groups, size=(min(step, samples - start), groups))
        blocks.append(table[:, drawn].sum(axis=2))
    sums = np.concatenate(blocks, axis=1)
    # A sample of empty references has no rate; this happens only in test sets of very few words.
    sums = sums[:, (sums[1::2] > 0).all(axis=0)]
    if not sums.size:
        raise DataError("the references have no words; there is no error rate to draw")
    return sums


def _interval(values: np.ndarray, confidence: float, groups: int, by: str) -> ConfidenceInterval:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return ConfidenceInterval(float(low), float(high), groups, by)


def _words(pairs: Sequence[Pair]) -> list[str]:
    return [pair.reference for pair in pairs if pair.reference is not None]


def _slots(pairs: Sequence[Pair]) -> list[int]:
    """Return the errors by position: insertions before word 0, word 0, insertions before word 1, ..., at the end."""
    slots = [0]
    for pair in pairs:
        if pair.reference is None:
            slots[-1] += 1
        else:
            slots += [int(pair.operation != "C"), 0]
    return slots


def _segments(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Return the difference in errors of each segment of one utterance."""
    differences = []
    difference = 0
    clean = _CLEAN_WORDS
    for place, (mine, yours) in enumerate(zip(first, second)):
        if mine or yours:
            difference += yours - mine
            clean = 0
        elif place % 2 == 1 and clean < _CLEAN_WORDS:
            clean += 1
            if clean == _CLEAN_WORDS:
                differences.append(difference)
                difference = 0
    if clean < _CLEAN_WORDS:
        differences.append(difference)
    return differences
