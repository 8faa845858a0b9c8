"""Sentences for somebody to read: few that have all sounds of the model."""

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from speechtl.lang.missing_words import known_spelling, without_punctuation

# Of a sentence: white space behind punctuation, which a quotation mark may follow.
_END_OF_SENTENCE = re.compile(r"""(?:(?<=[.!?…。？！؟।])|(?<=[.!?…。？！؟।]["'”’»)]))\s+|\n+""")
_WORDS_OF_A_MADE_SENTENCE = 4
# Longer sentences are hard to read aloud without a slip.
_LONGEST = 14

Pronunciations = Mapping[str, Sequence[tuple[str, ...]]]


@dataclasses.dataclass(frozen=True)
class Sentence:
    """Something to read aloud.

    Attributes:
        text: as it is shown.
        words: as the lexicon writes them.
        phones: of the words, each in its first pronunciation.
    """

    text: str
    words: tuple[str, ...]
    phones: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Found:
    """The sentences of a text.

    Attributes:
        sentences: all of whose words are known.
        unknown: words that are not, and in how many sentences.
    """

    sentences: list[Sentence]
    unknown: Counter[str]


def sentences_of(text: str, pronunciations: Pronunciations) -> Found:
    """Cut a text into sentences, at ends of lines and punctuation.

    Args:
        text: of the user.
        pronunciations: of all words that may occur. Punctuation around words and their case do not matter.
    """
    sentences: dict[tuple[str, ...], Sentence] = {}
    unknown: Counter[str] = Counter()
    for piece in _END_OF_SENTENCE.split(text):
        shown = " ".join(piece.split())
        spoken = [word for word in shown.split() if without_punctuation(word)]
        spellings = {word: known_spelling(word, pronunciations) for word in spoken}
        lacking = dict.fromkeys(without_punctuation(word) for word, spelling in spellings.items() if spelling is None)
        unknown.update(list(lacking))
        words = tuple(part for word in spoken for part in (spellings[word] or "").split())
        if words and not lacking and len(words) <= _LONGEST:
            sentences.setdefault(words, Sentence(shown, words, _phones(words, pronunciations)))
    return Found(list(sentences.values()), unknown)


def sentences_of_words(pronunciations: Pronunciations, count: int) -> list[Sentence]:
    """Make sentences of words of a lexicon, a few in each, so that all phones occur.

    A word is taken again only where there are too few. The words follow each other without a meaning: that is hard to
    read fluently, so a text is to be preferred.
    """
    wanted = count * _WORDS_OF_A_MADE_SENTENCE
    single = [Sentence(word, (word,), tuple(said[0])) for word, said in pronunciations.items()]
    chosen: list[Sentence] = []
    while single and len(chosen) < wanted:
        chosen += choose_sentences(single, wanted - len(chosen))
    size = _WORDS_OF_A_MADE_SENTENCE
    return [
        Sentence(
            " ".join(one.text for one in some),
            tuple(one.words[0] for one in some),
            tuple(phone for one in some for phone in one.phones),
        )
        for some in (chosen[place : place + size] for place in range(0, len(chosen), size))
    ]


def choose_sentences(sentences: Iterable[Sentence], count: int) -> list[Sentence]:
    """Choose sentences that together have every phone as evenly as can be.

    Maximises the sum over phones of the square root of how often each occurs, one sentence after the other: the first
    occurrence of a phone counts 1, the second 0.41, and so on. The sum is monotone and submodular, so this greedy
    choice reaches at least 1 - 1/e of the best one (Nemhauser, Wolsey and Fisher 1978).

    Args:
        sentences: to choose from.
        count: how many, at most.
    """
    left = [(sentence, Counter(sentence.phones)) for sentence in sentences]
    have: Counter[str] = Counter()
    chosen: list[Sentence] = []
    while left and len(chosen) < count:
        gains = [
            sum(math.sqrt(have[phone] + more) - math.sqrt(have[phone]) for phone, more in phones.items())
            for _, phones in left
        ]
        sentence, phones = left.pop(max(range(len(left)), key=gains.__getitem__))
        have += phones
        chosen.append(sentence)
    return chosen


def _phones(words: Iterable[str], pronunciations: Pronunciations) -> tuple[str, ...]:
    return tuple(phone for word in words for phone in pronunciations[word][0])
