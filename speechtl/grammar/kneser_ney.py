"""Interpolated modified Kneser-Ney smoothing.

S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling", TR-10-98, Harvard, 1998.
Adjusted counts, discounts and unknown words as in K. Heafield et al., "Scalable modified Kneser-Ney language model
estimation", ACL 2013.
"""

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from speechtl.grammar.arpa import LOG10_ZERO, Entries, Ngram

START = "<s>"
END = "</s>"
UNKNOWN = "<unk>"

# The discounts of adjusted counts of 1, of 2, and of 3 or more.
Discounts = tuple[float, float, float]


@dataclasses.dataclass
class NgramCounts:
    """How often n-grams occur.

    Attributes:
        adjusted: per order, unigrams first: occurrences for the highest order and for n-grams that begin with ``<s>``,
            for all others the number of different words that precede them.
        occurrences: per order, only if asked for: plain occurrences.
    """

    adjusted: list[Counter[Ngram]]
    occurrences: list[Counter[Ngram]] | None = None


def count_ngrams(sentences: Iterable[Sequence[str]], order: int, with_occurrences: bool = False) -> NgramCounts:
    """Count the n-grams of sentences, each between ``<s>`` and ``</s>``."""
    highest: Counter[Ngram] = Counter()
    # Nothing stands before <s>, so n-grams that begin with it keep their plain counts.
    initial: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    lower: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    for sentence in sentences:
        tokens = (START, *sentence, END)
        highest.update(zip(*(tokens[start:] for start in range(order))))
        for length in range(1, min(order - 1, len(tokens)) + 1):
            initial[length - 1][tokens[:length]] += 1
        if with_occurrences:
            for length in range(1, order):
                lower[length - 1].update(zip(*(tokens[start:] for start in range(length))))
    adjusted = [highest]
    for length in range(order - 1, 0, -1):
        counts = Counter(ngram[1:] for ngram in adjusted[0])
        counts.update(initial[length - 1])
        adjusted.insert(0, counts)
    return NgramCounts(adjusted, [*lower[:-1], highest] if with_occurrences else None)


def estimate_discounts(adjusted: Counter[Ngram]) -> Discounts | None:
    """Estimate the three discounts of one order from how many n-grams have count 1, 2, 3 and 4.

    Returns:
        ``D(k) = k - (k+1) Y t(k+1) / t(k)`` with ``Y = t1 / (t1 + 2 t2)``; or None where the text is too small (or too
        repetitive) for it: t1, t2 or t3 is zero, or a discount is outside ``(0, k]``.
    """
    frequencies = Counter(min(count, 5) for ngram, count in adjusted.items() if ngram not in ((START,), (UNKNOWN,)))
    if not all(frequencies[k] for k in (1, 2, 3)):
        return None
    y = frequencies[1] / (frequencies[1] + 2 * frequencies[2])
    first, second, third = (k - (k + 1) * y * frequencies[k + 1] / frequencies[k] for k in (1, 2, 3))
    if min(first, second, third) <= 0:
        return None
    return first, second, third


def estimate(
    counts: NgramCounts, vocabulary: Iterable[str], discounts: Sequence[Discounts], thresholds: Sequence[int]
) -> list[Entries]:
    """Turn counts into probabilities and back-off weights.

    ``p(w|h) = (a(hw) - D(a(hw))) / a(h.) + b(h) p(w|h')``, where ``h'`` is ``h`` without its first word and ``b(h)`` is
    what the discounts took off. Unigrams are interpolated with the uniform distribution over all words that can be
    predicted: those of the text, ``vocabulary``, ``</s>`` and ``<unk>``.

    Args:
        counts: from ``count_ngrams``.
        vocabulary: words that get unigrams in addition to those of the text.
        discounts: per order.
        thresholds: per order, the highest count of n-grams that are left out; their probability goes to the back-off.
            Must not fall from one order to the next.

    Returns:
        One table per order, unigrams first.
    """
    words = {ngram[0] for ngram in counts.adjusted[0]} | set(vocabulary) | {END, UNKNOWN}
    words.discard(START)
    lower: dict[Ngram, float] = {(word,): 1.0 / len(words) for word in words}
    probabilities: list[dict[Ngram, float]] = []
    back_offs: dict[Ngram, float] = {}
    for order, (adjusted, discount, threshold) in enumerate(zip(counts.adjusted, discounts, thresholds), start=1):
        occurrences = counts.occurrences[order - 1] if counts.occurrences is not None else adjusted
        totals: defaultdict[Ngram, int] = defaultdict(int)
        removed: defaultdict[Ngram, float] = defaultdict(float)
        kept: dict[Ngram, float] = {}
        for ngram, count in adjusted.items():
            history = ngram[:-1]
            if ngram == (START,):
                continue
            totals[history] += count
            if order > 1 and occurrences[ngram] <= threshold:
                removed[history] += count
            else:
                off = discount[min(count, 3) - 1]
                removed[history] += off
                kept[ngram] = count - off
        weights = {history: removed[history] / total for history, total in totals.items()}
        if order == 1:
            current = {ngram: kept.get(ngram, 0.0) / totals[()] + weights[()] * share for ngram, share in lower.items()}
        else:
            current = {
                ngram: rest / totals[ngram[:-1]] + weights[ngram[:-1]] * lower[ngram[1:]]
                for ngram, rest in kept.items()
            }
            back_offs.update(weights)
        probabilities.append(current)
        lower = current
    tables = [
        {
            ngram: (math.log10(probability), math.log10(back_offs.get(ngram, 1.0)))
            for ngram, probability in table.items()
        }
        for table in probabilities
    ]
    tables[0][(START,)] = (LOG10_ZERO, math.log10(back_offs.get((START,), 1.0)))
    return tables
