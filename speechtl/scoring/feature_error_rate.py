"""Phone feature error rates (PFER): phone errors weighted by how different the phones are.

The distance of two phone strings is the edit distance in which an inserted or deleted segment costs 1, and a
substituted one the share of panphon's 24 distinctive features in which the two differ. It is that of
``panphon.distance.Distance().hamming_feature_edit_distance`` (Mortensen et al. 2016, PanPhon: a resource for mapping
IPA segments to articulatory feature vectors), with which Taguchi et al. 2023 (Universal automatic phonetic
transcription into the International Phonetic Alphabet) and evaluations since measure phone recognition. They divide it
by different things. Here the rate is the sum of the distances over the number of segments in the references, as PER
is; PRiSM (Bharadwaj et al. 2026) prints the mean per utterance, which is here, too. panphon's own
``feature_error_rate`` is another measure: between 0 and + or -, it counts half a feature.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numba
import numpy as np

from speechtl.lang.panphon_table import feature_table, phone_segments


@dataclasses.dataclass(frozen=True)
class FeatureErrors:
    """Feature errors of an utterance, a speaker or a whole test set.

    Attributes:
        errors: sum of the distances.
        reference_length: number of segments in the reference.
        utterances: how many they are of.
    """

    errors: float = 0.0
    reference_length: int = 0
    utterances: int = 0

    @property
    def rate(self) -> float:
        """Distance per segment of the reference; nan without any."""
        return self.errors / self.reference_length if self.reference_length else float("nan")

    @property
    def mean(self) -> float:
        """Distance per utterance."""
        return self.errors / self.utterances if self.utterances else 0.0

    def __add__(self, other: "FeatureErrors") -> "FeatureErrors":
        return FeatureErrors(
            self.errors + other.errors,
            self.reference_length + other.reference_length,
            self.utterances + other.utterances,
        )


@dataclasses.dataclass(frozen=True)
class FeatureErrorRate:
    """The phone feature error rate of one system on one test set.

    Attributes:
        per_utterance: errors of each utterance, sorted by id.
        unknown: phones of which panphon knows nothing or not everything, and how often they occur in references and
            hypotheses; the rest of them counts.
    """

    per_utterance: dict[str, FeatureErrors]
    unknown: dict[str, int]

    @property
    def total(self) -> FeatureErrors:
        """Errors of the whole test set."""
        return sum(self.per_utterance.values(), FeatureErrors())

    @property
    def rate(self) -> float:
        """Distance per segment of the references, 1.0 is 100 %; nan where panphon knows none of their phones."""
        return self.total.rate

    def kaldi_line(self) -> str:
        """Return the score like those of Kaldi: ``%PFER 4.21 [ 31.92 / 758 segments, 0.245 per utterance ]``."""
        total = self.total
        return (
            f"%PFER {100 * total.rate:.2f} [ {total.errors:.2f} / {total.reference_length} segments, "
            f"{total.mean:.3f} per utterance ]"
        )


def feature_error_rate(
    references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, Sequence[str]]
) -> FeatureErrorRate:
    """Score phones against references.

    Args:
        references: utterance -> phones in IPA. Silences (``sil``, ``spn``) have no features and are left out.
        hypotheses: likewise, of the system; a missing utterance counts as empty.
    """
    utterances = sorted(references)
    expected = [references[utterance] for utterance in utterances]
    found = [hypotheses.get(utterance, ()) for utterance in utterances]
    distances, lengths = feature_distances(expected, found)
    scores = zip(utterances, distances.tolist(), lengths.tolist(), strict=True)
    return FeatureErrorRate(
        {utterance: FeatureErrors(distance, length, 1) for utterance, distance, length in scores},
        unknown_phones([*expected, *found]),
    )


def feature_distances(
    references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of many pairs of phone sequences at once.

    Returns:
        ``(pairs,)`` float64 distances, and ``(pairs,)`` int64 numbers of segments in the references.
    """
    numbers: dict[str, int] = {}
    of_phone: dict[str, list[int]] = {}
    first, first_starts = _flatten(references, of_phone, numbers)
    second, second_starts = _flatten(hypotheses, of_phone, numbers)
    names, table = feature_table()
    features = len(names)
    vectors = np.array([table[segment] for segment in numbers], np.int8).reshape(len(numbers), features)
    # Row by row: all pairs at once would take a gigabyte with a thousand segments.
    costs = np.array([(vectors != row).sum(axis=1) for row in vectors], np.int64).reshape(len(numbers), len(numbers))
    distances = np.empty(len(references), np.int64)
    _distances(costs, features, first, first_starts, second, second_starts, distances)
    return distances / features, np.diff(first_starts)


def unknown_phones(sequences: Iterable[Sequence[str]]) -> dict[str, int]:
    """Return the phones of which panphon knows nothing or not everything, and how often they occur; frequent first."""
    counts: Counter[str] = Counter()
    for phones in sequences:
        counts.update(phones)
    return {phone: count for phone, count in counts.most_common() if phone_segments(phone).lost}


def describe_unknown(unknown: Mapping[str, int], limit: int = 10) -> str:
    """Say in one line which phones count in part or not at all."""
    shown = ", ".join(f"{phone} ({count})" for phone, count in list(unknown.items())[:limit])
    more = f" and {len(unknown) - limit} more" if len(unknown) > limit else ""
    return (
        f"phone feature errors: panphon does not know, or not all of, {sum(unknown.values())} phones, which count as "
        f"far as it does: {shown}{more}"
    )


def _flatten(
    sequences: Sequence[Sequence[str]], of_phone: dict[str, list[int]], numbers: dict[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the segments of all sequences one after the other as numbers, and where each sequence starts."""
    segments: list[int] = []
    starts = [0]
    for phones in sequences:
        for phone in phones:
            if phone not in of_phone:
                read = phone_segments(phone).segments
                of_phone[phone] = [numbers.setdefault(segment, len(numbers)) for segment in read]
            segments += of_phone[phone]
        starts.append(len(segments))
    return np.array(segments, np.int64), np.array(starts, np.int64)


@numba.njit(cache=True, nogil=True)
def _distances(  # type: ignore[no-untyped-def]
    costs, insertion, first, first_starts, second, second_starts, distances
):
    """Fill in edit distances, in units of one feature: whole numbers, so that no order of the sums changes them."""
    longest = 0
    for pair in range(len(distances)):
        longest = max(longest, second_starts[pair + 1] - second_starts[pair])
    row = np.empty(longest + 1, np.int64)
    for pair in range(len(distances)):
        start, count = second_starts[pair], second_starts[pair + 1] - second_starts[pair]
        for column in range(count + 1):
            row[column] = column * insertion
        for place in range(first_starts[pair], first_starts[pair + 1]):
            diagonal = row[0]
            row[0] += insertion
            substitutions = costs[first[place]]
            for column in range(count):
                best = diagonal + substitutions[second[start + column]]
                diagonal = row[column + 1]
                best = min(best, diagonal + insertion, row[column] + insertion)
                row[column + 1] = best
        distances[pair] = row[count]
