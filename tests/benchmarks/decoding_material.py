"""Invented speech for the benchmark of decoding: a text, and CTC posteriors of it, from a lexicon and a seed."""

import dataclasses

import numpy as np

from speechtl.lang.articulation import phone_distance
from speechtl.lang.lexicon import Lexicon

FRAME_SHIFT = 0.03
# Words of the text follow the two words before with this probability, else only their frequency.
_BOUND, _SUCCESSORS = 0.7, 20
# Log posteriors: how much a phone loses by its articulatory distance, and the spread of what is random in that.
_CONTRAST, _SPREAD = 60.0, 1.4
_SHORT_TO_FREQUENT = 1.5


@dataclasses.dataclass(frozen=True)
class Speech:
    """Utterances.

    Attributes:
        references: the words of each.
        posteriors: ``(frames, 1 + phones)`` float32 of each: natural logarithms, unit 0 the blank.
        with_boundary: the same from a model that also has a unit for the end of words, the last one; here the blank has
            not what the boundary has.
    """

    references: list[list[str]]
    posteriors: list[np.ndarray]
    with_boundary: list[np.ndarray]


def by_frequency(lexicon: Lexicon, seed: int) -> list[str]:
    """Order the words of a lexicon from frequent to rare at random, though frequent ones tend to be short."""
    words = sorted(lexicon.entries)
    lengths = np.array([len(lexicon.entries[word][0].phones) for word in words])
    key = lengths + np.random.default_rng(seed).normal(0, _SHORT_TO_FREQUENT * lengths.std(), len(words))
    return [words[place] for place in np.argsort(key, kind="stable")]


class Text:
    """A source of sentences: Zipf's law, and words that like to follow certain others.

    Args:
        words: from frequent to rare.
        seed: of the language; sentences have seeds of their own.
    """

    def __init__(self, words: list[str], seed: int):
        self.words = words
        frequency = 1 / (np.arange(len(words)) + 2.7)
        self.cumulative = np.cumsum(frequency / frequency.sum())
        generator = np.random.default_rng(seed)
        self.successors = self.draw(generator, (len(words), _SUCCESSORS))
        self.mixer = generator.integers(1, 2**31, 2)

    def draw(self, generator: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
        return np.minimum(np.searchsorted(self.cumulative, generator.random(shape)), len(self.words) - 1)

    def sentences(self, count: int, seed: int) -> list[list[str]]:
        generator = np.random.default_rng(seed)
        lengths = generator.integers(20, 52, count)
        before, last = self.draw(generator, count), self.draw(generator, count)
        columns = []
        for _ in range(int(lengths.max())):
            # Which successor it is depends on both words before, but not always.
            habitual = (before * self.mixer[0] + last * self.mixer[1]) >> 7
            place = np.where(generator.random(count) < 0.5, habitual, generator.geometric(0.3, count)) % _SUCCESSORS
            bound = generator.random(count) < _BOUND
            before, last = last, np.where(bound, self.successors[last, place], self.draw(generator, count))
            columns.append(last)
        table = np.stack(columns, axis=1)
        return [[self.words[word] for word in row[:length]] for row, length in zip(table, lengths)]


def speak(sentences: list[list[str]], lexicon: Lexicon, phones: list[str], seed: int) -> Speech:
    """Make posteriors: one or two frames a phone, blanks between, one boundary a word, likely confusions."""
    generator = np.random.default_rng(seed)
    distances = np.array([[phone_distance(first, second) for second in phones] for first in phones])
    plain, with_boundary = [], []
    for sentence in sentences:
        logits = _logits(sentence, lexicon, phones, -_CONTRAST * distances, generator)
        log_posteriors = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        with_boundary.append(log_posteriors.astype(np.float32))
        merged = log_posteriors[:, :-1].copy()
        merged[:, 0] = np.logaddexp(log_posteriors[:, 0], log_posteriors[:, -1])
        plain.append(merged.astype(np.float32))
    return Speech(sentences, plain, with_boundary)


def _logits(
    sentence: list[str], lexicon: Lexicon, phones: list[str], similarity: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return ``(frames, 1 + phones + 1)``: blank, phones, boundary."""
    count = len(phones)
    unit_of = {phone: unit for unit, phone in enumerate(phones)}
    rows: list[np.ndarray] = []

    def silence(loudest: float) -> None:
        row = np.empty(count + 2)
        row[1:-1] = generator.normal(-16, 2, count)
        # Now and then something is heard that nobody said.
        if generator.random() < 0.025:
            row[1 + generator.integers(count)] = generator.normal(0, 2)
        row[0], row[-1] = generator.normal(0, 0.7), loudest
        rows.append(row)

    for word in sentence:
        options = lexicon.entries[word]
        said = options[0 if generator.random() < 0.7 else generator.integers(len(options))].phones
        for phone in said:
            heard = similarity[unit_of[phone]] + generator.gumbel(0, _SPREAD, count)
            # The phone itself is heard well more often than not; some are all but swallowed.
            heard[unit_of[phone]] += abs(generator.normal(0, 2.5))
            strength = generator.normal(6, 3)
            for _ in range(1 + (generator.random() < 0.6)):
                row = np.empty(count + 2)
                row[1:-1] = heard + generator.normal(0, 0.5, count) + strength
                row[0], row[-1] = generator.normal(0, 0.5), generator.normal(-8, 2)
                rows.append(row)
            for _ in range(generator.choice(4, p=[0.2, 0.4, 0.25, 0.15])):
                silence(generator.normal(-8, 2))
        # The end of a word is heard, mostly.
        silence(generator.normal(4, 3))
    return np.stack(rows)


def greedy_error(speech: Speech, lexicon: Lexicon, phones: list[str]) -> float:
    """Return the phone error rate of the best unit of every frame."""
    from rapidfuzz.distance import Levenshtein

    errors = total = 0
    for sentence, posteriors in zip(speech.references, speech.posteriors):
        best = posteriors.argmax(axis=1)
        kept = best[np.append(True, best[1:] != best[:-1]) & (best > 0)]
        said = [phones.index(phone) + 1 for word in sentence for phone in lexicon.entries[word][0].phones]
        errors += Levenshtein.distance(said, kept.tolist())
        total += len(said)
    return errors / total
