"""Pronunciation lexicons: Kaldi's ``lexicon.txt`` and ``lexiconp.txt``, and CMU-style dictionaries, in IPA."""

import unicodedata
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Literal

from speechtl.errors import LexiconError, list_problems
from speechtl.files import atomic_write
from speechtl.lang.ipa import Stress, Tone
from speechtl.lang.lexicon_file import Notation, Pronunciation, add_pronunciation, read_lexicon
from speechtl.lang.phone_inventory import PhoneInventory

__all__ = ["Lexicon", "Notation", "Pronunciation"]

Case = Literal["as-is", "lower", "upper"]


class Lexicon:
    """Words and their pronunciations.

    Attributes:
        entries: word to its pronunciations, in the order they were added; never an empty list.
    """

    def __init__(self) -> None:
        self.entries: dict[str, list[Pronunciation]] = {}

    @classmethod
    def load(
        cls,
        path: str | Path,
        notation: Notation = "ipa",
        stress: Stress = "drop",
        tone: Tone = "keep",
    ) -> "Lexicon":
        """Read a lexicon: one pronunciation a line, ``word phone phone ...`` or ``word probability phone phone ...``.

        There are probabilities if the file's name starts with ``lexiconp``, if the second field of every line is a
        number from 0 to 1, or on lines where it has a decimal point; of the four numbers of MFA's dictionaries and of
        Kaldi's ``lexiconp_silprob.txt`` the first is the probability, the others are not used (see
        ``lexicon_columns``). ``word(2)`` is a variant of ``word``. Entries without phones of speech (``!SIL SIL``,
        ``<unk> spn``) are left out, which is logged.

        A pronunciation that a word already has is merged with it and keeps the higher probability; if it is repeated
        in the file itself (not made equal by dropping stress or tone), this is logged as a warning.

        Args:
            path: the file, UTF-8.
            notation: how phones are written: ``"ipa"``; ``"arpabet"``, where ``;;;`` and `` # `` start a comment, as in
                CMU's dictionary; or ``"xsampa"``.
            stress: ``"drop"`` or ``"keep"``, see ``split_ipa`` and ``arpabet_to_ipa``.
            tone: ``"keep"``, ``"drop"`` or ``"separate"``, see ``split_ipa``.

        Raises:
            LexiconError: the file cannot be read, or lists every bad line.
        """
        lexicon = cls()
        lexicon.entries = read_lexicon(Path(path) if isinstance(path, str) else path, notation, stress, tone)
        return lexicon

    def save(self, path: str | Path, *, any_name: bool = False) -> None:
        """Write the lexicon, words in C order, atomically; with probabilities if the name starts with ``lexiconp``.

        Args:
            path: the file.
            any_name: write probabilities other than 1 whatever the name is; `load` finds them by their form, but other
                tools may not.

        Raises:
            LexiconError: there are probabilities other than 1 and the name has no place for them.
            DataError: the file cannot be written.
        """
        path = Path(path)
        with_probability = path.name.startswith("lexiconp")
        if not with_probability and any(p.probability != 1.0 for options in self.entries.values() for p in options):
            if not any_name:
                raise LexiconError(f"{path}: this lexicon has probabilities; call the file lexiconp.txt to keep them")
            with_probability = True
        with atomic_write(path) as file:
            for word in sorted(self.entries):
                for pronunciation in self.entries[word]:
                    number = f" {pronunciation.probability!r}" if with_probability else ""
                    file.write(f"{word}{number} {' '.join(pronunciation.phones)}\n")

    def add(self, word: str, phones: Sequence[str], probability: float = 1.0) -> None:
        """Add a pronunciation; one that the word has already keeps the higher probability.

        Raises:
            LexiconError: the word or a phone is empty or has white space in it, there are no phones, or the probability
                is not in (0, 1].
        """
        if not word:
            raise LexiconError(f"'{' '.join(phones)}' is the pronunciation of no word; name the word")
        if not phones:
            raise LexiconError(f"'{word}' has no phones; give its pronunciation")
        if not 0.0 < probability <= 1.0:
            raise LexiconError(f"'{word}': probability {probability} of a pronunciation (expected above 0, at most 1)")
        if word.split() != [word] or any(phone.split() != [phone] for phone in phones):
            raise LexiconError(f"'{word}': words and phones of a lexicon have no white space in them")
        add_pronunciation(self.entries, word, tuple(phones), probability)

    def merge(self, other: "Lexicon") -> None:
        """Add all words and pronunciations of another lexicon after those that are here."""
        for word, options in other.entries.items():
            for pronunciation in options:
                self.add(word, pronunciation.phones, pronunciation.probability)

    def only(self, words: Container[str]) -> "Lexicon":
        """Return the entries of some words."""
        result = Lexicon()
        result.entries = {word: list(options) for word, options in self.entries.items() if word in words}
        return result

    @property
    def words(self) -> list[str]:
        """The words, in the order they were added."""
        return list(self.entries)

    def phones(self) -> set[str]:
        """Return the phones that the lexicon needs."""
        return {phone for options in self.entries.values() for option in options for phone in option.phones}

    def summary(self) -> str:
        """Return its size: ``3 words, 4 pronunciations, 5 phones``."""
        pronunciations = sum(map(len, self.entries.values()))
        return f"{len(self)} words, {pronunciations} pronunciations, {len(self.phones())} phones"

    def words_with(self, phone: str) -> list[str]:
        """Return the words that have a phone in any of their pronunciations."""
        return [word for word, options in self.entries.items() if any(phone in option.phones for option in options)]

    def in_case(self, case: Case) -> "Lexicon":
        """Return the lexicon with its words in lower or upper case (words that become equal are merged), or as is."""
        result = Lexicon()
        for word, options in self.entries.items():
            for option in options:
                changed = {"as-is": word, "lower": word.lower(), "upper": word.upper()}[case]
                result.add(changed, option.phones, option.probability)
        return result

    def pronounce(self, word: str) -> list[Pronunciation]:
        """Return the pronunciations of a word.

        Raises:
            LexiconError: the word is not in the lexicon.
        """
        if word not in self.entries:
            raise LexiconError(self._unknown_words([word]))
        return self.entries[word]

    def phones_of(self, words: Iterable[str]) -> list[str]:
        """Return the phones of a sentence, each word in its most probable (among equals: first) pronunciation.

        Raises:
            LexiconError: lists every word that is not in the lexicon.
        """
        words = list(words)
        if any(word not in self.entries for word in words):
            raise LexiconError(self._unknown_words(words))
        return [phone for word in words for phone in max(self.entries[word], key=_probability).phones]

    def check(self, inventory: PhoneInventory) -> list[str]:
        """List the phones that the lexicon needs and an inventory lacks.

        Returns:
            One line for each such phone: the nearest phones of the inventory and the words that need it.
        """
        needed: dict[str, dict[str, None]] = {}
        for word, options in self.entries.items():
            for option in options:
                for phone in option.phones:
                    if phone not in inventory:
                        needed.setdefault(phone, {})[word] = None
        problems = []
        for phone in sorted(needed):
            words = list(needed[phone])
            more = f" and {len(words) - 5} more words" if len(words) > 5 else ""
            near = inventory.nearest(phone)
            nearest = f"; nearest known: {' '.join(near)}" if near else ""
            problems.append(f"phone '{phone}' is unknown{nearest}; needed by: {' '.join(words[:5])}{more}")
        return problems

    def __contains__(self, word: object) -> bool:
        return word in self.entries

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lexicon) and self.entries == other.entries

    __hash__ = None  # type: ignore[assignment]

    def _unknown_words(self, words: Iterable[str]) -> str:
        lines = []
        for word in dict.fromkeys(word for word in words if word not in self.entries):
            variants = (word.lower(), word.upper(), *(unicodedata.normalize(f, word) for f in ("NFC", "NFD")))
            known = next((variant for variant in variants if variant in self.entries), None)
            hint = f"; it has '{known}'" if known is not None else ""
            if known is not None and unicodedata.normalize("NFC", known) == unicodedata.normalize("NFC", word):
                hint = "; it has it in another Unicode normal form"
            lines.append(f"'{word}' is not in the lexicon{hint}")
        return lines[0] if len(lines) == 1 else list_problems(f"{len(lines)} words are not in the lexicon:", lines)


def _probability(pronunciation: Pronunciation) -> float:
    return pronunciation.probability
