"""The out-of-vocabulary words of a text: those that a lexicon lacks."""

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

from speechtl.lang.lexicon import Lexicon

_TAG = re.compile(r"\[.*\]|<.*>|\{.*\}|\(.*\)")
_EXAMPLES = 3


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


def known_spelling(word: str, known: Container[str]) -> str | None:
    """Return how a lexicon spells a word of a written text: in other case, without punctuation, or as several words."""
    for written in dict.fromkeys((word, word.replace("’", "'"), word.replace("'", "’"))):
        bare = without_punctuation(written)
        parts = [part for part in map(without_punctuation, re.split(r"[-‐‑–—/.,;:!?…]", written)) if part]
        for variant in (str, str.lower, str.upper, str.capitalize):
            for spelling in ([variant(written)], [variant(bare)], [variant(part) for part in parts]):
                if spelling and all(one and one in known for one in spelling):
                    return " ".join(spelling)
    return None


def in_known_spelling(texts: Mapping[str, str], known: Container[str]) -> tuple[dict[str, str], list[str]]:
    """Read written texts as a lexicon spells their words: ``Nine, Enter!`` is ``nine enter``.

    Words that it has stay, and so do tags (``[noise]``, ``<unk>``). Words that it has in no spelling lose punctuation
    marks, and what is nothing else goes.

    Args:
        texts: utterance to its text.
        known: words of the lexicon.

    Returns:
        The texts, and lines for the user that say which words were read as others: none or one.
    """
    missing = {word for text in texts.values() for word in text.split() if word not in known and not is_tag(word)}
    spelled = {word: known_spelling(word, known) for word in sorted(missing)}
    read = {word: spelling or without_punctuation(word) for word, spelling in spelled.items()}
    found = [f"'{word}' as '{spelling}'" for word, spelling in spelled.items() if spelling]
    more = f" and {len(found) - _EXAMPLES} more" if len(found) > _EXAMPLES else ""
    lines = [f"read as the lexicon spells them: {', '.join(found[:_EXAMPLES])}{more}"] if found else []
    return {
        name: " ".join(part for word in text.split() for part in read.get(word, word).split())
        for name, text in texts.items()
    }, lines


def is_tag(word: str) -> bool:
    """Tell whether a word stands in brackets, as what is no speech does: ``[noise]``, ``<unk>``."""
    return bool(_TAG.fullmatch(word))


def spelling_hint(word: str, known: Container[str]) -> str:
    """Return what to add to a message about a word that is missing: how the lexicon spells it, or nothing."""
    spelling = known_spelling(word, known)
    return f"; '{spelling}' is known" if spelling else ""


def without_punctuation(word: str) -> str:
    """Return a word without punctuation marks at its ends or in it; apostrophes and hyphens within it stay."""
    marks = [unicodedata.category(character).startswith("P") for character in word]
    first = next((place for place, mark in enumerate(marks) if not mark), len(word))
    last = next((place for place in range(len(word), 0, -1) if not marks[place - 1]), 0)
    inner = zip(word[first:last], marks[first:last], strict=True)
    return "".join(character for character, mark in inner if not mark or character in "'’-‐‑·")
