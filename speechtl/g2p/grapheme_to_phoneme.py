"""Joint-sequence grapheme-to-phoneme conversion, trained on a lexicon."""

import dataclasses
import functools
import json
import lzma
import math
import os
import struct
import tokenize
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from speechtl.errors import LexiconError
from speechtl.files import replacing
from speechtl.g2p.unit_ngram import FIRST_UNIT, UnitNgram, train_unit_ngram
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.lexicon_file import Pronunciation

# With fewer words than this, even languages with a regular spelling have letters in contexts never seen.
FEW_WORDS = 5000
_FORMAT = 1
_HANGUL = range(0xAC00, 0xD7A4)
_DIACRITICS = range(0x300, 0x370)
# Bytes of arrays for each of a file, at most.
_LARGEST_RATIO = 200
# What reading a damaged archive raises.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError, EOFError, LookupError)
# The headers of arrays are Python, which NumPy reads without carrying it out.
_DAMAGED = (*_BROKEN, ValueError, TypeError, AttributeError, SyntaxError, tokenize.TokenError)


@dataclasses.dataclass(frozen=True, eq=False)
class GraphemeToPhoneme:
    """A joint-sequence model of spelling and pronunciation.

    Words are sequences of units of letters and phones; an n-gram model from first to last unit and another from last
    to first give the probability of a sequence. M. Bisani and H. Ney, "Joint-sequence models for grapheme-to-phoneme
    conversion", Speech Communication 50, 2008.

    Attributes:
        letters: the letters of each unit, lower case.
        phones: the phones of each unit.
        forward: n-gram model over the units, numbered from ``FIRST_UNIT`` on.
        backward: n-gram model over the units in reverse.
        words: number of words that it was trained on.
    """

    letters: tuple[str, ...]
    phones: tuple[tuple[str, ...], ...]
    forward: UnitNgram
    backward: UnitNgram
    words: int

    @classmethod
    def train(
        cls, lexicon: Lexicon, *, order: int = 8, max_letters: int = 1, max_phones: int = 2
    ) -> "GraphemeToPhoneme":
        """Train on a lexicon; 130,000 words take about a minute.

        Case does not matter. Words that have more phones than their letters can hold (``w`` spoken as its name) are
        left out; where these are more than one in twenty, units may have more phones, up to 4.

        Args:
            lexicon: words and pronunciations; all pronunciations of a word count the same.
            order: longest n-grams of units.
            max_letters: of a unit.
            max_phones: of a unit.

        Raises:
            LexiconError: the lexicon has no words, or none of them can be aligned with its phones.
        """
        # Numba comes with it, which takes half a second; most commands guess no pronunciation.
        from speechtl.g2p.grapheme_alignment import align_spellings

        pairs = [(spell(word), option.phones) for word, options in lexicon.entries.items() for option in options]
        pairs = [(letters, phones) for letters, phones in pairs if letters]
        if not pairs:
            raise LexiconError("no words to learn pronunciations from; give a lexicon that is not empty")
        while True:
            alignment = align_spellings(
                [letters for letters, _ in pairs],
                [phones for _, phones in pairs],
                max_letters=max_letters,
                max_phones=max_phones,
            )
            left_out = sum(sequence is None for sequence in alignment.sequences)
            if left_out <= len(pairs) / 20 or max_phones >= 4:
                break
            max_phones += 1
        sequences = [[unit + FIRST_UNIT for unit in path] for path in alignment.sequences if path is not None]
        letters, phones = list(alignment.units.letters), list(alignment.units.phones)
        _add_single_letters(letters, phones, sequences)
        size = len(letters) + FIRST_UNIT
        return cls(
            tuple(letters),
            tuple(phones),
            train_unit_ngram(sequences, size, order),
            train_unit_ngram([sequence[::-1] for sequence in sequences], size, order),
            len(lexicon),
        )

    @property
    def caution(self) -> str:
        """Why the guesses should be checked; empty if it was trained on many words."""
        if self.words >= FEW_WORDS:
            return ""
        return f"learnt from {self.words} words only, which is too few to trust it: look at what it guesses"

    def pronounce(self, word: str, n: int = 3, *, beam: int = 30, threshold: float = 10.0) -> list[Pronunciation]:
        """Guess pronunciations.

        A letter with a diacritic that the lexicon never had counts as the letter without it; punctuation that it never
        had counts as nothing.

        Args:
            word: the spelling, in any case.
            n: maximum number of pronunciations.
            beam: hypotheses that the search keeps at each letter.
            threshold: natural logarithm by which a hypothesis may be less likely than the best.

        Returns:
            Different pronunciations, most likely first, with their probabilities, which sum to at most 1.

        Raises:
            LexiconError: a letter never occurred in the lexicon, or the word has no letters.
        """
        from speechtl.g2p.search import best_paths, score

        spelling = self._known_letters(word)
        table, width = self._table, self._width
        options = [
            [
                table.get(spelling[start : start + count], ())
                for count in range(1, min(width, len(spelling) - start) + 1)
            ]
            for start in range(len(spelling))
        ]
        paths = best_paths(options, self.forward, beam, threshold)
        totals: dict[tuple[str, ...], float] = {}
        scores = [(both + score(self.backward.tree, np.array(path[::-1], np.int64))) / 2.0 for both, path in paths]
        highest = max(scores, default=0.0)
        for log_probability, (_, path) in zip(scores, paths):
            phones = tuple(phone for unit in path for phone in self.phones[unit - FIRST_UNIT])
            totals[phones] = totals.get(phones, 0.0) + math.exp(log_probability - highest)
        everything = sum(totals.values())
        ranked = sorted(totals.items(), key=lambda item: -item[1])
        found = [Pronunciation(phones, total / everything) for phones, total in ranked if phones and total > 0.0]
        return found[:n]

    def error_rates(self, lexicon: Lexicon, words: Iterable[str]) -> tuple[float, float]:
        """Compare the best guesses with a lexicon.

        Returns:
            The phone error rate (edits over phones of the nearest pronunciation) and the share of wrong words.
        """
        from rapidfuzz.distance import Levenshtein

        edits = phones = wrong = count = 0
        for word in words:
            guesses = self.pronounce(word, 1)
            guess = guesses[0].phones if guesses else ()
            nearest = min(
                (Levenshtein.distance(option.phones, guess), -len(option.phones)) for option in lexicon.pronounce(word)
            )
            edits += nearest[0]
            phones -= nearest[1]
            wrong += nearest[0] > 0
            count += 1
        return edits / max(phones, 1), wrong / max(count, 1)

    def save(self, path: str | Path) -> None:
        """Write the model, one file, atomically.

        Raises:
            DataError: the file cannot be written.
        """
        about = {"format": _FORMAT, "words": self.words, "letters": self.letters, "phones": self.phones}
        arrays = {"about": np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), np.uint8)}
        for name, model in (("forward", self.forward), ("backward", self.backward)):
            arrays |= {f"{name}_{key}": array for key, array in model.to_arrays().items()}
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "GraphemeToPhoneme":
        """Read a model.

        Raises:
            LexiconError: the file cannot be read or is not a grapheme-to-phoneme model.
        """
        try:
            arrays = _read_arrays(path)
            about = json.loads(arrays["about"].tobytes())
            if about["format"] != _FORMAT:
                raise LexiconError(f"{path}: made by another version of speechtl; train it again")
            forward, backward = (
                UnitNgram.from_arrays(
                    {key.removeprefix(f"{name}_"): array for key, array in arrays.items() if key.startswith(name)}
                )
                for name in ("forward", "backward")
            )
            letters, phones = about["letters"], [tuple(unit) for unit in about["phones"]]
            named = all(isinstance(name, str) for name in [*letters, *(phone for unit in phones for phone in unit)])
            if not named or not all(letters) or len(letters) != len(phones) or not isinstance(about["words"], int):
                raise ValueError("units without letters")
            return cls(tuple(letters), tuple(phones), forward, backward, about["words"])
        except OSError as error:
            raise LexiconError(f"{path}: cannot read: {error.strerror or error}; give the path of a model") from error
        except _DAMAGED as error:
            raise LexiconError(
                f"{path}: not a grapheme-to-phoneme model; make one with 'speechtl lexicon g2p --lexicon L --save FILE'"
            ) from error

    def _known_letters(self, word: str) -> str:
        known = self._alphabet
        result = ""
        unknown = []
        for letter in spell(word):
            base = unicodedata.normalize("NFD", letter)[0]
            if letter in known:
                result += letter
            elif base in known:
                result += base
            elif unicodedata.category(letter)[0] not in "PSZC" and ord(letter) not in _DIACRITICS:
                unknown.append(letter)
        if unknown:
            shown = ", ".join(f"'{letter}'" for letter in dict.fromkeys(unknown))
            raise LexiconError(
                f"'{word}': no word that pronunciations were learnt from has {shown}; write '{word}=PHONES'"
            )
        if not result:
            raise LexiconError(f"'{word}': no letters in it that could be pronounced; write '{word}=PHONES'")
        return result

    @functools.cached_property
    def _alphabet(self) -> set[str]:
        return set("".join(self.letters))

    @functools.cached_property
    def _table(self) -> dict[str, list[int]]:
        """Units by their letters."""
        table: dict[str, list[int]] = {}
        for unit, letters in enumerate(self.letters, start=FIRST_UNIT):
            table.setdefault(letters, []).append(unit)
        return table

    @functools.cached_property
    def _width(self) -> int:
        """How many letters the largest unit has."""
        return max(map(len, self._table))


def _read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of an archive of NumPy, of which none may be larger than its file allows for."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > _LARGEST_RATIO * os.path.getsize(path):
            raise ValueError("it holds more than its size allows for")
        for member in members:
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = read_header[version](file)
                if member.file_size != file.tell() + math.prod(shape) * dtype.itemsize:
                    raise ValueError("an array of another size than its header says")
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def spell(word: str) -> str:
    """Return the letters of a word as models count them: lower case, composed, Korean syllables in their letters."""
    composed = unicodedata.normalize("NFC", word.lower())
    return "".join(unicodedata.normalize("NFD", sign) if ord(sign) in _HANGUL else sign for sign in composed)


def _add_single_letters(letters: list[str], phones: list[tuple[str, ...]], sequences: Sequence[Sequence[int]]) -> None:
    """Give each letter that occurs only together with others (a q before u) a separate unit, so that any word has one.

    It gets the phones of the most frequent unit that starts with it, or none.
    """
    alone = {unit for unit in letters if len(unit) == 1}
    lacking = sorted(set("".join(letters)) - alone)
    if not lacking:
        return
    counts = Counter(unit - FIRST_UNIT for sequence in sequences for unit in sequence)
    for letter in lacking:
        starting = [number for number, unit in enumerate(letters) if unit[0] == letter]
        letters.append(letter)
        phones.append(phones[max(starting, key=lambda unit: (counts[unit], -unit))] if starting else ())
