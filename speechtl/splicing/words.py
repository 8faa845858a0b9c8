"""Splice unrecorded words from pieces of other words, so that a model can be trained on a word given its pronunciation.

This is a simple form of unit selection (Hunt & Black 1996): the longest matching phone sequences, without a
concatenation cost. The result is meant for training, not for listening.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from speechtl.config import Section
from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import DataDir
from speechtl.errors import LexiconError, list_problems
from speechtl.features.archives import read_double_matrix
from speechtl.features.cmvn import mean_and_scale
from speechtl.features.config import FeatureConfig
from speechtl.splicing.pieces import Piece, Spoken, read_spoken, write_joined

_TRIED = 40  # occurrences of a phone by any speaker that are compared


class WordSplicingConfig(Section):
    """Settings of word splicing.

    Attributes:
        copies: number of times that each speaker says each word.
        words: minimum and maximum number of words in an utterance.
        between: probability that one to three other phones of the speaker precede a word, so that the words are not
            always adjacent.
        pause: probability of a pause after a word.
        borrow: probability of using another speaker's piece if it is longer; 1 if the speaker never said the phone.
            Borrowed pieces are normalised to the mean and variance of the borrowing speaker.
        overlap: frames on each side of a cut that are cross-faded.
        seed: of all random choices.
    """

    copies: int = Field(default=1, gt=0)
    words: tuple[int, int] = (1, 5)
    between: float = Field(default=0.5, ge=0, le=1)
    pause: float = Field(default=0.2, ge=0, le=1)
    borrow: float = Field(default=0.5, ge=0, le=1)
    overlap: int = Field(default=1, ge=0)
    seed: int = 1


def splice_words(
    data: DataDir,
    phones: Mapping[str, Sequence[TimedLabel]],
    words: Mapping[str, Sequence[Sequence[str]]],
    config: WordSplicingConfig,
    features: FeatureConfig,
    out: str | Path,
    *,
    label: str = "{}",
    place: str | Path | None = None,
) -> DataDir:
    """Splice words for every speaker, from pieces of all speakers' recordings.

    Args:
        data: a data directory with features.
        phones: utterance -> its phones with their times.
        words: word -> its pronunciations, one of which is chosen at random each time.
        config: settings.
        features: configuration of the features.
        out: data directory to write.
        label: format in ``text`` of a phone between two words.
        place: where the directory will be, if it is moved there when all of it is written.

    Returns:
        The new data directory, with features but without audio.

    Raises:
        DataError: features are missing, or the directory cannot be written.
        LexiconError: words with phones that do not occur in the recordings; all are listed.
    """
    spoken = read_spoken(data, phones, features)
    store = _Store(spoken, _normalisations(data), config, random.Random(f"{config.seed} pieces"))
    missing = [
        f"'{word}': {' '.join(sorted(set(said) - store.known))}"
        for word, options in words.items()
        for said in options
        if set(said) - store.known
    ]
    if missing:
        raise LexiconError(
            list_problems("these words cannot be spliced, since their phones do not occur in the recordings:", missing)
        )
    shift = features.frame_shift / features.sample_rate
    pauses: dict[str, list[Piece]] = {}
    for one in spoken:
        pauses.setdefault(one.speaker, []).extend(one.pauses(shift, config.overlap))
    rng = random.Random(f"{config.seed} order")

    def utterances() -> Iterator[tuple[str, str, str, Sequence[Piece]]]:
        for speaker in sorted(pauses):
            wanted = [word for word in words for _ in range(config.copies)]
            rng.shuffle(wanted)
            number = 0
            while wanted:
                number += 1
                pieces, said = _some_pause(pauses[speaker], rng), []
                for _ in range(min(rng.randint(*config.words), len(wanted))):
                    if rng.random() < config.between:
                        filler = store.filler(speaker, rng.randint(1, 3))
                        pieces += filler
                        said += [label.format(phone) for piece in filler for phone in piece.phones]
                    word = wanted.pop()
                    pieces += store.say(speaker, tuple(rng.choice(words[word])))
                    said.append(word)
                    if rng.random() < config.pause:
                        pieces += _some_pause(pauses[speaker], rng)
                pieces += _some_pause(pauses[speaker], rng)
                yield f"{speaker}-words{config.seed}-{number:04}", speaker, " ".join(said), pieces

    return write_joined(out, data, features, utterances(), place)


def _some_pause(pauses: Sequence[Piece], rng: random.Random) -> list[Piece]:
    return [rng.choice(pauses)] if pauses else []


def _normalisations(data: DataDir) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return speaker -> mean and inverse standard deviation, of those with statistics."""
    return {speaker: mean_and_scale(read_double_matrix(place)) for speaker, place in data.cmvn_scp.items()}


class _Store:
    """All occurrences of each phone, by speaker.

    Attributes:
        known: the phones that occur.
    """

    def __init__(
        self,
        spoken: Sequence[Spoken],
        normalisations: Mapping[str, tuple[np.ndarray, np.ndarray]],
        config: WordSplicingConfig,
        rng: random.Random,
    ):
        self._normalisations, self._config, self._rng = normalisations, config, rng
        self._by_speaker: dict[str, dict[str, list[tuple[Spoken, int]]]] = {}
        self._all: dict[str, list[tuple[Spoken, int]]] = {}
        for one in spoken:
            own = self._by_speaker.setdefault(one.speaker, {})
            for place, phone in enumerate(one.phones):
                if one.usable[place]:
                    own.setdefault(phone, []).append((one, place))
                    self._all.setdefault(phone, []).append((one, place))
        self.known = set(self._all)

    def say(self, speaker: str, phones: Sequence[str]) -> list[Piece]:
        """Return pieces for a phone sequence, from the given speaker as far as possible."""
        pieces, here = [], 0
        while here < len(phones):
            rest = phones[here:]
            one, place, length = self._longest(self._by_speaker[speaker].get(rest[0], []), rest)
            others = self._all[rest[0]]
            tried = [others[self._rng.randrange(len(others))] for _ in range(_TRIED)]
            other, other_place, other_length = self._longest(tried, rest)
            if one is None or (other_length > length and self._rng.random() < self._config.borrow):
                one, place, length = other, other_place, other_length
            pieces.append(self._cut(one, place, length, speaker))  # type: ignore[arg-type]
            here += length
        return pieces

    def filler(self, speaker: str, length: int) -> list[Piece]:
        """Return a random piece of up to ``length`` phones of the speaker, or nothing if no phone is usable."""
        places = [place for places in self._by_speaker[speaker].values() for place in places]
        if not places:
            return []
        one, place = self._rng.choice(places)
        return [self._cut(one, place, self._matching(one, place, one.phones[place : place + length]), speaker)]

    def _longest(self, places: Sequence[tuple[Spoken, int]], phones: Sequence[str]) -> tuple[Spoken | None, int, int]:
        """Return one of the places with the longest match, and its number of phones."""
        lengths = [self._matching(one, place, phones) for one, place in places]
        if not lengths:
            return None, 0, 0
        longest = max(lengths)
        one, place = self._rng.choice(
            [there for there, length in zip(places, lengths, strict=True) if length == longest]
        )
        return one, place, longest

    @staticmethod
    def _matching(one: Spoken, place: int, phones: Sequence[str]) -> int:
        """Return how many of the phones match from a place on, without a pause."""
        length = 1
        while (
            length < len(phones)
            and place + length < len(one.phones)
            and one.phones[place + length] == phones[length]
            and one.usable[place + length]
            and one.joined[place + length - 1]
        ):
            length += 1
        return length

    def _cut(self, one: Spoken, place: int, length: int, speaker: str) -> Piece:
        piece = one.cut(place, place + length, self._config.overlap)
        if one.speaker == speaker or not {speaker, one.speaker} <= self._normalisations.keys():
            return piece
        (mean, scale), (own_mean, own_scale) = self._normalisations[one.speaker], self._normalisations[speaker]
        return piece._replace(features=(piece.features - mean) * scale / own_scale + own_mean)
