"""Word n-gram language models: train, query, read and write."""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from speechtl.errors import LexiconError, list_problems
from speechtl.grammar.arpa import Entries, Ngram, read_arpa, write_arpa
from speechtl.grammar.kneser_ney import END, START, UNKNOWN, Discounts, count_ngrams, estimate, estimate_discounts
from speechtl.progress import progress_bar

logger = logging.getLogger(__name__)

FALLBACK_DISCOUNTS: Discounts = (0.5, 1.0, 1.5)

_SENTENCES_PER_STEP = 1000


@dataclasses.dataclass(frozen=True)
class Fit:
    """How well a language model predicts a text.

    Attributes:
        sentences: number of sentences.
        words: number of words, without sentence ends.
        unknown: how many of the words are not in the vocabulary.
        log10_probability: of the text, unknown words as ``<unk>``, with sentence ends.
        log10_unknown: the part of it that is due to the unknown words.
    """

    sentences: int
    words: int
    unknown: int
    log10_probability: float
    log10_unknown: float

    @property
    def perplexity(self) -> float:
        """Per word and sentence end, unknown words as ``<unk>``; nan for an empty text."""
        return _perplexity(self.log10_probability, self.words + self.sentences)

    @property
    def perplexity_of_known(self) -> float:
        """The same without the unknown words (which remain in histories)."""
        return _perplexity(self.log10_probability - self.log10_unknown, self.words + self.sentences - self.unknown)


class NgramModel:
    """A back-off n-gram language model over words, ``<s>``, ``</s>`` and ``<unk>``."""

    def __init__(self, tables: Sequence[Entries]) -> None:
        """Take n-gram tables, one per order, unigrams first: n-gram -> (log10 probability, log10 back-off weight)."""
        self._tables = tuple(tables)

    @classmethod
    def read_arpa(cls, path: str | Path) -> "NgramModel":
        """Read an ARPA file, plain or gzip-compressed.

        Raises:
            LexiconError: the file cannot be read, or lists every bad line (see ``arpa.read_arpa``).
        """
        return cls(read_arpa(path))

    def write_arpa(self, path: str | Path) -> None:
        """Write an ARPA file, compressed if its name ends in ``.gz``.

        Raises:
            DataError: the file cannot be written.
        """
        write_arpa(path, self._tables)

    @property
    def order(self) -> int:
        """The longest n-grams: 3 for a trigram model."""
        return len(self._tables)

    @property
    def vocabulary(self) -> set[str]:
        """All words that have a unigram, with ``<s>``, ``</s>`` and ``<unk>`` where the model has them."""
        return {word for (word,) in self._tables[0]}

    def __contains__(self, word: str) -> bool:
        return (word,) in self._tables[0]

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def ngrams(self) -> Iterator[tuple[Ngram, tuple[float, float]]]:
        """Yield every n-gram with its (log10 probability, log10 back-off weight), unigrams first."""
        for table in self._tables:
            yield from table.items()

    def log10_probability(self, word: str, history: Sequence[str] = ()) -> float:
        """Return the log10 probability of ``word`` after ``history``.

        Args:
            word: the word, or ``</s>``; a word outside the vocabulary counts as ``<unk>``.
            history: the words before, the nearest last, from ``<s>`` on for a whole sentence; only the last
                ``order - 1`` matter.

        Returns:
            The value; minus infinity for an unknown word if the model has no ``<unk>``.
        """
        unigrams = self._tables[0]
        word = word if (word,) in unigrams else UNKNOWN
        if (word,) not in unigrams:
            return -float("inf")
        past = tuple(history[max(0, len(history) - self.order + 1) :])
        past = tuple(earlier if (earlier,) in unigrams else UNKNOWN for earlier in past)
        total = 0.0
        while past:
            found = self._tables[len(past)].get((*past, word))
            if found is not None:
                return total + found[0]
            back_off = self._tables[len(past) - 1].get(past)
            total += back_off[1] if back_off is not None else 0.0
            past = past[1:]
        return total + unigrams[(word,)][0]

    def sentence_log10_probabilities(self, sentence: Sequence[str]) -> list[float]:
        """Return the log10 probability of each word of a sentence, and last of its ``</s>``."""
        tokens = [START, *sentence, END]
        first = self.order - 1
        return [
            self.log10_probability(tokens[place], tokens[max(0, place - first) : place])
            for place in range(1, len(tokens))
        ]

    def sentence_log10_probability(self, sentence: Sequence[str]) -> float:
        """Return the log10 probability of a sentence with its end."""
        return sum(self.sentence_log10_probabilities(sentence))

    def fit(self, sentences: Iterable[Sequence[str]]) -> Fit:
        """Measure how well the model predicts a text."""
        count = words = unknown = 0
        log10_probability = log10_unknown = 0.0
        for sentence in sentences:
            scores = self.sentence_log10_probabilities(sentence)
            count += 1
            words += len(sentence)
            log10_probability += sum(scores)
            for word, score in zip(sentence, scores):
                if word == UNKNOWN or word not in self:
                    unknown += 1
                    log10_unknown += score
        return Fit(count, words, unknown, log10_probability, log10_unknown)

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """Return the perplexity of a text, with sentence ends, and unknown words as ``<unk>``."""
        return self.fit(sentences).perplexity


def train_ngram(
    sentences: Iterable[Sequence[str]],
    order: int = 3,
    *,
    vocabulary: Iterable[str] | None = None,
    prune: Sequence[int] = (),
    fallback_discounts: Discounts = FALLBACK_DISCOUNTS,
) -> NgramModel:
    """Train an interpolated modified Kneser-Ney language model (Chen & Goodman 1998).

    The unigrams are interpolated with the uniform distribution, so every word of ``vocabulary`` that the text lacks
    gets the same share as ``<unk>``. Where the text is too small to estimate the discounts of an order, it gets
    ``fallback_discounts``; this, and words outside the vocabulary, are logged as warnings.

    Args:
        sentences: the words of each sentence, without ``<s>`` and ``</s>``.
        order: length of the longest n-grams.
        vocabulary: if given, the only words of the model; others in the text count as ``<unk>``. If not, the words of
            the text.
        prune: highest count of n-grams that are left out, per order, unigrams (which are never left out) first; the
            last number holds for all higher orders: ``(0, 0, 1)`` drops singletons from trigrams on.
        fallback_discounts: discounts of counts of 1, 2, and 3 or more.

    Raises:
        LexiconError: the text is empty, has ``<s>`` or ``</s>`` in it, or no sentence is long enough for ``order``; or
            an option is out of range.
    """
    thresholds = _thresholds(prune, order)
    known = None if vocabulary is None else {*vocabulary, UNKNOWN} - {START, END}
    source = _Sentences(sentences, known)
    counts = count_ngrams(source, order, with_occurrences=any(thresholds))
    source.check()
    if not source.count:
        raise LexiconError("no sentence to train a language model on; give a text that is not empty")
    if not counts.adjusted[-1]:
        raise LexiconError(
            f"no sentence is long enough for order {order} (with <s> and </s>, the longest has {source.longest + 2} "
            f"tokens); lower the order"
        )
    if source.outside:
        examples = ", ".join(f"'{word}'" for word in sorted(source.outside)[:5])
        more = ", ..." if len(source.outside) > 5 else ""
        total = sum(source.outside.values())
        logger.warning(f"{total} words of the text ({len(source.outside)} different: {examples}{more}) count as <unk>")
    discounts = []
    for length, adjusted in enumerate(counts.adjusted, start=1):
        estimated = estimate_discounts(adjusted)
        if estimated is None:
            values = ", ".join(f"{value:g}" for value in fallback_discounts)
            logger.warning(
                f"the text is too small to estimate the discounts of {length}-grams; taking {values} instead"
            )
        discounts.append(estimated or fallback_discounts)
    return NgramModel(estimate(counts, known or (), discounts, thresholds))


class _Sentences:
    """Sentences on their way to the counts: checked, with unknown words replaced, shown on a progress bar."""

    def __init__(self, sentences: Iterable[Sequence[str]], known: set[str] | None) -> None:
        self.sentences = sentences
        self.known = known
        self.outside: dict[str, int] = {}
        self.problems: list[str] = []
        self.count = self.longest = 0

    def __iter__(self) -> Iterator[Sequence[str]]:
        with progress_bar("n-grams", None) as advance:
            for sentence in self.sentences:
                self.count += 1
                self.longest = max(self.longest, len(sentence))
                if START in sentence or END in sentence:
                    self.problems.append(
                        f"sentence {self.count} has {START} or {END} in it: '{' '.join(sentence)[:60]}'"
                    )
                if self.count % _SENTENCES_PER_STEP == 0:
                    advance(_SENTENCES_PER_STEP, f"{self.count} sentences")
                yield sentence if self.known is None else [self._look_up(word) for word in sentence]

    def _look_up(self, word: str) -> str:
        if self.known is None or word in self.known:
            return word
        self.outside[word] = self.outside.get(word, 0) + 1
        return UNKNOWN

    def check(self) -> None:
        if self.problems:
            heading = f"{len(self.problems)} sentences have markers that the training adds itself; remove them"
            raise LexiconError(list_problems(heading, self.problems, limit=10))


def _thresholds(prune: Sequence[int], order: int) -> list[int]:
    if order < 1:
        raise LexiconError(f"order must be at least 1 (got {order})")
    thresholds = [*prune, *[prune[-1] if prune else 0] * order][:order]
    if thresholds[0] != 0 or any(low > high for low, high in itertools.pairwise(thresholds)):
        raise LexiconError(
            f"prune must start with 0 for the unigrams and not fall (got {', '.join(map(str, prune))}); like 0,0,1"
        )
    return thresholds


def _perplexity(log10_probability: float, count: int) -> float:
    try:
        return 10.0 ** (-log10_probability / count) if count else float("nan")
    except OverflowError:
        return float("inf")
