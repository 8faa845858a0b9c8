"""Pronunciation dictionaries: Kaldi's ``lexicon.txt`` and ``lexiconp.txt``, and CMU-style dictionaries, in IPA."""

import functools
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from speechtl.errors import LexiconError, list_problems
from speechtl.files import atomic_write
from speechtl.lang.ipa import STRESS_MARKS, Stress, Tone, place_stress, split_ipa
from speechtl.lang.notations import arpabet_to_ipa, xsampa_to_ipa
from speechtl.lang.phones import PhoneInventory

Notation = Literal["ipa", "arpabet", "xsampa"]

# More letters than this in one phone, without a tie bar, are a word that nobody split.
MAX_SEGMENTS_PER_PHONE = 3

# What str.split() takes for white space (or nobody sees) and Kaldi takes for a letter.
_STRANGE_SPACE = re.compile("[\x0b\x0c\x1c-\x1f\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]")
_ALTERNATIVE = re.compile(r"(.+)\(\d+\)")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pronunciation:
    """One way to say a word.

    Attributes:
        phones: IPA phones.
        probability: in (0, 1], 1.0 for the most likely pronunciation of the word, as in Kaldi's ``lexiconp.txt``.
    """

    phones: tuple[str, ...]
    probability: float = 1.0


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

        There are probabilities if the file's name starts with ``lexiconp``, or if the second field of every line is a
        number from 0 to 1. A pronunciation that a word already has is merged with it and keeps the higher
        probability; if it is repeated in the file itself (not made equal by dropping stress or tone), this is logged
        as a warning.

        Args:
            path: the file, UTF-8.
            notation: how phones are written: ``"ipa"``; ``"arpabet"``, where words may have CMU's markers of
                alternatives, ``word(2)``, and ``;;;`` and `` # `` start a comment; or ``"xsampa"``.
            stress: ``"drop"`` or ``"keep"``, see ``split_ipa`` and ``arpabet_to_ipa``.
            tone: ``"keep"``, ``"drop"`` or ``"separate"``, see ``split_ipa``.

        Raises:
            LexiconError: the file cannot be read, or lists every bad line.
        """
        path = Path(path)
        lines, problems = _read_lines(path)
        read_phone = _phone_reader(notation, stress, tone)
        with_probability = path.name.startswith("lexiconp") or _have_probabilities(lines)
        known: dict[str, tuple[str, ...]] = {}
        written: dict[tuple[str, ...], int] = {}
        repeated: list[str] = []
        lexicon = cls()
        for number, text in lines:
            fields = text.split()
            if notation == "arpabet":
                fields = _strip_cmu_marks(fields, text)
            if not fields:
                continue
            word, probability, start = fields[0], 1.0, 1
            if with_probability:
                problem, probability = _parse_probability(fields)
                start = 2
                if problem:
                    problems.append((number, f"'{word}': {problem}"))
                    continue
            if len(fields) <= start:
                problems.append((number, f"'{word}' has no phones; add them or remove the line"))
                continue
            phones: list[str] = []
            for field in fields[start:]:
                try:
                    phones += known[field]
                except KeyError:
                    try:
                        known[field] = read_phone(field)
                    except LexiconError as error:
                        problems.append((number, f"'{word}': {error}"))
                        continue
                    phones += known[field]
            if stress == "keep" and notation != "arpabet":
                phones = place_stress(phones)
            if not phones:
                # A bad phone is in the list already; this is a line of nothing but dropped tones.
                if all(field in known for field in fields[start:]):
                    problems.append((number, f"'{word}' has no phones but tones; add them or remove the line"))
                continue
            key = (word, *fields[start:])
            if written.setdefault(key, number) != number:
                repeated.append(f"{path}:{number}: '{word}' has this pronunciation already in line {written[key]}")
            lexicon.add(word, phones, probability)
        if problems:
            shown = [f"{path}:{number}: {problem}" for number, problem in sorted(problems)]
            raise LexiconError(list_problems(f"{path}: {len(shown)} problem{'s' * (len(shown) > 1)}", shown))
        if not lexicon.entries:
            raise LexiconError(f"{path}: no words in it; expected lines 'word phone phone ...'")
        if repeated:
            _logger.warning(list_problems(f"{path}: repeated pronunciations, merged:", repeated, limit=10))
        return lexicon

    def save(self, path: str | Path) -> None:
        """Write the lexicon, words in C order, atomically; with probabilities if the name starts with ``lexiconp``.

        Raises:
            LexiconError: there are probabilities other than 1 and the name has no place for them.
            DataError: the file cannot be written.
        """
        path = Path(path)
        with_probability = path.name.startswith("lexiconp")
        if not with_probability and any(p.probability != 1.0 for options in self.entries.values() for p in options):
            raise LexiconError(f"{path}: this lexicon has probabilities; call the file lexiconp.txt to keep them")
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
        if not word or not phones or not 0.0 < probability <= 1.0:
            raise LexiconError(f"'{word}': cannot add '{' '.join(phones)}' with probability {probability}")
        options = self.entries.get(word)
        new = Pronunciation(tuple(phones), probability)
        if options is None:
            if word.split() != [word]:
                raise LexiconError(f"'{word}': a word of a lexicon cannot have white space in it")
            self.entries[word] = [new]
            return
        for position, old in enumerate(options):
            if old.phones == new.phones:
                if probability > old.probability:
                    options[position] = new
                return
        options.append(new)

    def merge(self, other: "Lexicon") -> None:
        """Add all words and pronunciations of another lexicon behind those that are here."""
        for word, options in other.entries.items():
            for pronunciation in options:
                self.add(word, pronunciation.phones, pronunciation.probability)

    @property
    def words(self) -> list[str]:
        """The words, in the order they were added."""
        return list(self.entries)

    def phones(self) -> set[str]:
        """Return the phones that the lexicon needs."""
        return {phone for options in self.entries.values() for option in options for phone in option.phones}

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


def _read_lines(path: Path) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return the lines that are not empty, with their numbers, and the problems of lines that are not plain text."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LexiconError(f"{path}: cannot read: {error.strerror}; give the path of a lexicon") from error
    data = data.removeprefix(b"\xef\xbb\xbf")
    problems: list[tuple[int, str]] = []
    try:
        text = data.decode("utf-8")
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line]
        strange = _STRANGE_SPACE.search(text) is not None
    except UnicodeDecodeError:
        lines, strange = [], True
        for number, raw in enumerate(data.split(b"\n"), start=1):
            try:
                lines.append((number, raw.decode("utf-8")))
            except UnicodeDecodeError as error:
                problems.append((number, f"not UTF-8 (byte 0x{raw[error.start]:02x}); save the file as UTF-8"))
    if strange:
        for number, line in lines:
            found = _STRANGE_SPACE.search(line)
            if found:
                point = ord(found.group())
                problems.append(
                    (number, f"a character U+{point:04X} that looks like a space; use a plain space or none")
                )
        bad = {number for number, _ in problems}
        lines = [(number, line) for number, line in lines if number not in bad]
    return lines, problems


def _have_probabilities(lines: list[tuple[int, str]]) -> bool:
    """Tell whether every line has a number for its second field."""
    for _, text in lines:
        fields = text.split(None, 2)
        if fields and (len(fields) < 2 or _number(fields[1]) is None):
            return False
    return bool(lines)


def _number(text: str) -> float | None:
    # float() would also take "nan", "1_0" and the digits of other scripts.
    return float(text) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII) else None


def _parse_probability(fields: list[str]) -> tuple[str, float]:
    value = _number(fields[1]) if len(fields) > 1 else None
    if value is None or not 0.0 < value <= 1.0:
        got = f"'{fields[1]}'" if len(fields) > 1 else "nothing"
        return f"bad probability (got {got}, expected a number above 0 and at most 1 behind the word)", 1.0
    return "", value


def _strip_cmu_marks(fields: list[str], text: str) -> list[str]:
    """Take comments and the marker of an alternative pronunciation off a line of a CMU dictionary."""
    if text.startswith(";;;"):
        return []
    if "#" in fields[1:]:
        fields = fields[: fields.index("#", 1)]
    if fields and fields[0][-1] == ")":
        found = _ALTERNATIVE.fullmatch(fields[0])
        if found:
            fields[0] = found.group(1)
    return fields


def _phone_reader(notation: Notation, stress: Stress, tone: Tone) -> Callable[[str], tuple[str, ...]]:
    """Return what turns one field of a line into phones: one, none (a dropped tone) or two (a separate tone)."""
    if notation == "arpabet":
        return lambda field: (arpabet_to_ipa(field, stress),)
    if notation == "xsampa":
        return lambda field: _read_ipa_phone(xsampa_to_ipa(field), stress, tone, field)
    if notation == "ipa":
        return functools.partial(_read_ipa_phone, stress=stress, tone=tone)
    raise LexiconError(f"unknown notation '{notation}'; expected ipa, arpabet or xsampa")


def _read_ipa_phone(text: str, stress: Stress, tone: Tone, shown: str = "") -> tuple[str, ...]:
    bare = split_ipa(text, stress="drop", tone="drop")
    if len(bare) > MAX_SEGMENTS_PER_PHONE:
        raise LexiconError(f"'{shown or text}' is {len(bare)} phones ({' '.join(bare)}); put spaces between phones")
    mark = next((character for character in text if character in STRESS_MARKS), "") if stress == "keep" else ""
    if not bare:
        return tuple(split_ipa(text, tone=tone)) if text and tone != "drop" else ()
    if tone == "separate":
        pieces = split_ipa(text, tone="separate")
        tones = "".join(piece for piece in pieces if piece not in bare)
        return (mark + "".join(bare), *([tones] if tones else []))
    return (mark + "".join(split_ipa(text, tone=tone)),)
