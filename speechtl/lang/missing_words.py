"""The out-of-vocabulary words of a text: those that a lexicon lacks."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

from speechtl.lang.lexicon import Lexicon


@dataclasses.dataclass(frozen=True)
class MissingWords:
    """The out-of-vocabulary words of a text.

    Attributes:
        counts: missing word -> number of occurrences.
        total: number of words of the text.
        different: number of different words of the text.
        in_other_case: missing words that the lexicon has in lower or in upper case.
    """

    counts: Counter[str]
    total: int
    different: int
    in_other_case: list[str]

    @property
    def rate(self) -> float:
        """The out-of-vocabulary rate: the share of running words that the lexicon lacks; nan for an empty text."""
        return self.counts.total() / self.total if self.total else float("nan")

    def most_frequent(self) -> list[tuple[str, int]]:
        """Return the missing words and their counts, most frequent first, equally frequent ones by name."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))


def find_missing_words(lexicon: Lexicon, sentences: Iterable[Sequence[str]]) -> MissingWords:
    """Find the words of a text that a lexicon lacks."""
    counts = Counter(word for sentence in sentences for word in sentence)
    missing = Counter({word: count for word, count in counts.items() if word not in lexicon})
    in_other_case = [word for word in missing if word.lower() in lexicon or word.upper() in lexicon]
    return MissingWords(missing, counts.total(), len(counts), in_other_case)
