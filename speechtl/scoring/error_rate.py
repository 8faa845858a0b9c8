"""Word, character and phone error rates, computed by jiwer."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

import jiwer

from speechtl.errors import DataError, list_problems
from speechtl.lang.missing_words import without_punctuation

Unit = Literal["word", "character", "phone"]

_NAMES = {"word": "WER", "character": "CER", "phone": "PER"}
_OPERATIONS = {"equal": "C", "substitute": "S", "insert": "I", "delete": "D"}
# Words contain no line breaks, so these can separate tokens of which one may be a space.
_DELIMITER = "\n"


@dataclasses.dataclass(frozen=True)
class ErrorCounts:
    """Error counts of an utterance, a speaker or a whole test set.

    Attributes:
        substitutions: substituted words (characters, phones).
        deletions: words of the reference missing in the hypothesis.
        insertions: words of the hypothesis that the reference lacks.
        reference_length: number of words in the reference.
        sentences: number of utterances.
        wrong_sentences: utterances with at least one error.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_length: int = 0
    sentences: int = 0
    wrong_sentences: int = 0

    @property
    def errors(self) -> int:
        """Total number of errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference word; for an empty reference, 0 without errors and infinity with errors."""
        if not self.reference_length:
            return math.inf if self.errors else 0.0
        return self.errors / self.reference_length

    @property
    def sentence_rate(self) -> float:
        """Fraction of utterances with an error."""
        return self.wrong_sentences / self.sentences if self.sentences else 0.0

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(
            *(mine + yours for mine, yours in zip(dataclasses.astuple(self), dataclasses.astuple(other)))
        )


@dataclasses.dataclass(frozen=True)
class Pair:
    """One step of an alignment.

    Attributes:
        operation: ``"C"`` correct, ``"S"`` substitution, ``"D"`` deletion, ``"I"`` insertion.
        reference: the word of the reference; None for an insertion.
        hypothesis: the word of the hypothesis; None for a deletion.
    """

    operation: str
    reference: str | None
    hypothesis: str | None


@dataclasses.dataclass(frozen=True)
class ErrorRate:
    """The score of one system on one test set.

    Attributes:
        unit: the unit that was counted.
        total: counts over all utterances.
        per_utterance: counts of each utterance, sorted by id.
        alignments: utterance -> its alignment.
        missing: utterances without a hypothesis; all their words count as deletions.
    """

    unit: Unit
    total: ErrorCounts
    per_utterance: dict[str, ErrorCounts]
    alignments: dict[str, list[Pair]]
    missing: list[str]

    @property
    def substitutions(self) -> int:
        """Substitutions in the whole test set."""
        return self.total.substitutions

    @property
    def deletions(self) -> int:
        """Deletions in the whole test set."""
        return self.total.deletions

    @property
    def insertions(self) -> int:
        """Insertions in the whole test set."""
        return self.total.insertions

    @property
    def reference_length(self) -> int:
        """Words (characters, phones) in all references."""
        return self.total.reference_length

    @property
    def rate(self) -> float:
        """Errors per reference word (character, phone)."""
        return self.total.rate

    def kaldi_line(self) -> str:
        """Return the score in Kaldi's format: ``%WER 5.95 [ 46 / 773, 8 ins, 6 del, 32 sub ]``."""
        total = self.total
        return (
            f"%{_NAMES[self.unit]} {100 * total.rate:.2f} [ {total.errors} / {total.reference_length}, "
            f"{total.insertions} ins, {total.deletions} del, {total.substitutions} sub ]"
        )

    def kaldi_sentence_line(self) -> str:
        """Return the sentence error rate in Kaldi's format: ``%SER 24.62 [ 32 / 130 ]``."""
        total = self.total
        return f"%SER {100 * total.sentence_rate:.2f} [ {total.wrong_sentences} / {total.sentences} ]"


def error_rate(references: Mapping[str, str], hypotheses: Mapping[str, str], unit: Unit = "word") -> ErrorRate:
    """Score hypotheses against references.

    Args:
        references: utterance -> words (or phones), separated by blanks.
        hypotheses: likewise, of the system. A missing utterance counts as empty. References may be empty: all words of
            the hypothesis are then insertions.
        unit: ``"word"`` and ``"phone"`` count tokens separated by blanks, ``"character"`` Unicode characters, with one
            space between words.

    Raises:
        DataError: hypotheses without a reference (all are listed), or no references.
    """
    if not references:
        raise DataError("no references to score against; give a text table that is not empty")
    extra = sorted(hypotheses.keys() - references.keys())
    if extra:
        heading = f"{len(extra)} hypotheses have no reference; score the system on the test that it decoded:"
        raise DataError(list_problems(heading, extra, limit=20))
    utterances = sorted(references)
    expected = [_tokens(references[utterance], unit) for utterance in utterances]
    found = [_tokens(hypotheses.get(utterance, ""), unit) for utterance in utterances]
    split = jiwer.ReduceToListOfListOfWords(_DELIMITER)
    output = jiwer.process_words(
        [_DELIMITER.join(tokens) for tokens in expected], [_DELIMITER.join(tokens) for tokens in found], split, split
    )
    alignments = {}
    for utterance, chunks, reference, hypothesis in zip(utterances, output.alignments, expected, found):
        alignments[utterance] = _pairs(chunks, reference, hypothesis)
    per_utterance = {utterance: _count(pairs) for utterance, pairs in alignments.items()}
    missing = [utterance for utterance in utterances if utterance not in hypotheses]
    return ErrorRate(unit, _sum(per_utterance.values()), per_utterance, alignments, missing)


class Counts(Protocol):
    """Errors of an utterance: whole ones, or by how different phones are."""

    @property
    def errors(self) -> float:
        """Sum of the errors."""
        ...

    @property
    def reference_length(self) -> int:
        """Units in the reference."""
        ...


CountsOfOneKind = TypeVar("CountsOfOneKind", bound=Counts, covariant=True)


class Scored(Protocol[CountsOfOneKind]):
    """A score that is a sum over utterances: an `ErrorRate` or a `FeatureErrorRate`."""

    @property
    def per_utterance(self) -> Mapping[str, CountsOfOneKind]:
        """Errors of each utterance."""
        ...

    @property
    def rate(self) -> float:
        """Errors per unit of the reference."""
        ...


def per_speaker(score: ErrorRate, utt2spk: Mapping[str, str]) -> dict[str, ErrorCounts]:
    """Return the counts of each speaker, sorted by speaker.

    Raises:
        DataError: ``utt2spk`` lacks scored utterances; all are listed.
    """
    groups = group_by_speaker(score, utt2spk)
    return {speaker: _sum(score.per_utterance[utterance] for utterance in groups[speaker]) for speaker in groups}


def group_by_speaker(score: Scored[Counts], utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the scored utterances of each speaker, sorted.

    Raises:
        DataError: ``utt2spk`` lacks scored utterances; all are listed.
    """
    lacking = [utterance for utterance in score.per_utterance if utterance not in utt2spk]
    if lacking:
        heading = f"{len(lacking)} scored utterances are not in utt2spk; give the one of the references:"
        raise DataError(list_problems(heading, lacking, limit=20))
    groups: dict[str, list[str]] = {}
    for utterance in score.per_utterance:
        groups.setdefault(utt2spk[utterance], []).append(utterance)
    return dict(sorted(groups.items()))


def spelling_errors(score: ErrorRate) -> int:
    """Return how many errors are differences of case and punctuation alone."""

    def plain(word: str | None) -> str:
        return without_punctuation(word or "").casefold()

    pairs = (pair for pairs in score.alignments.values() for pair in pairs)
    return sum(pair.operation != "C" and plain(pair.reference) == plain(pair.hypothesis) for pair in pairs)


def split_words(text: str) -> list[str]:
    """Split a transcript at spaces and tabs only (a no-break space is part of a word)."""
    return [word for word in text.replace("\t", " ").split(" ") if word]


def _tokens(text: str, unit: Unit) -> list[str]:
    words = split_words(text)
    return list(" ".join(words)) if unit == "character" else words


def _pairs(chunks: Sequence[jiwer.AlignmentChunk], expected: list[str], found: list[str]) -> list[Pair]:
    pairs: list[Pair] = []
    for chunk in chunks:
        operation = _OPERATIONS[chunk.type]
        references: Sequence[str | None] = expected[chunk.ref_start_idx : chunk.ref_end_idx]
        hypotheses: Sequence[str | None] = found[chunk.hyp_start_idx : chunk.hyp_end_idx]
        references = references or [None] * len(hypotheses)
        hypotheses = hypotheses or [None] * len(references)
        pairs.extend(Pair(operation, expects, finds) for expects, finds in zip(references, hypotheses))
    return pairs


def _count(pairs: Sequence[Pair]) -> ErrorCounts:
    operations = [pair.operation for pair in pairs]
    substitutions, deletions, insertions = (operations.count(operation) for operation in "SDI")
    wrong = int(substitutions + deletions + insertions > 0)
    return ErrorCounts(substitutions, deletions, insertions, len(pairs) - insertions, 1, wrong)


def _sum(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    return sum(counts, ErrorCounts())
