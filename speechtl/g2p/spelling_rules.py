"""Pronunciation by spelling rules, for languages without a lexicon to train on.

A language is one file, ``rules/LANGUAGE.rules``, of lines ``what -> result / left _ right``, as phonologists write
them: the optional part after ``/`` is the context of the rule. ``|`` in a result separates variants, in the
same order everywhere (the first of Castilian, the second of American Spanish). ``//`` starts a comment,
``name = items`` defines a class, which rules name ``{name}``; ``{a b c}`` is a class without a name; ``!{name}`` is
anything else.
The sections of a file:

- first, options ``key: value``: ``name``; ``upper: İ=i I=ı`` (lower case that Unicode does not know); ``stress`` (where
  stress falls in words that do not show it: ``free``, anywhere, each vowel is tried; ``penult``, ``last``, ``first``);
  ``needs: REGEX message`` (what a word must have to be read at all); ``ignore`` (signs that are skipped), ``keep``
  (signs that are skipped in other languages, but are letters here);
- ``[words]``: whole words that no rule fits;
- ``[spelling]``: letters are rewritten, rule by rule, each everywhere; ``what`` is a regular expression;
- ``[letters]``: letters become phones, from left to right, the longest ``what`` that fits; of several rules for it the
  last, so exceptions stand below their rule. Contexts are regular expressions over letters, ``#`` is the edge of the
  word. ``-`` is no phone;
- ``[phones]``: phones are rewritten, rule by rule, each everywhere. Contexts are phones and classes with spaces between
  them, with ``*``, ``+`` or ``?`` after them. Where ``what`` and the result are classes, they correspond item by item.

A stressed vowel is ``ˈa`` in the rules (``{ˈV}`` is the class V, stressed), and ``a`` in the end. Tones attach to the
vowel before them.
"""

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from speechtl.errors import LexiconError
from speechtl.g2p.rule_file import LetterRule, RuleFile, read_rule_file
from speechtl.g2p.rule_languages import FOLDER, rule_languages
from speechtl.lang.ipa import is_nucleus, split_ipa
from speechtl.lang.ipa_symbols import STRESS_MARKS
from speechtl.lang.lexicon_file import Pronunciation

# How much less likely stress is one vowel further from the middle of a word, and where it is not tried any more: each
# place costs as much as a whole word.
_STRESS_DECAY, _STRESS_REACH = 0.5, 8


@dataclasses.dataclass(frozen=True)
class SpellingRules:
    """The spelling rules of a language.

    Attributes:
        language: its ISO 639-1 code.
        rules: as read from its file.
    """

    language: str
    rules: RuleFile

    @classmethod
    def load(cls, language: str, path: Path | None = None) -> "SpellingRules":
        """Return the rules of a language.

        Args:
            language: the code, ``de`` or ``de-AT``.
            path: a file of rules; None for the one that comes with speechtl.

        Raises:
            LexiconError: there are none, or lists every bad line.
        """
        code = re.split(r"[-_]", language.lower())[0]
        if path is None:
            path = FOLDER / f"{code}.rules"
            if code not in rule_languages():
                known = " ".join(rule_languages())
                raise LexiconError(
                    f"no spelling rules for the language '{language}'; there are rules for {known}; give a lexicon of "
                    "the language to learn from instead"
                )
        return cls(code, _read(path))

    @property
    def caution(self) -> str:
        """Why the guesses should be checked."""
        return f"by {self.rules.name}'s spelling rules, which know few exceptions"

    def pronounce(self, word: str, n: int = 3) -> list[Pronunciation]:
        """Pronounce a word by the rules.

        Args:
            word: the spelling, in any case.
            n: maximum number of pronunciations.

        Returns:
            Different pronunciations, most likely first, with probabilities that sum to at most 1: variants that the
            rules give are equally likely, and where stress may fall on any vowel, it is most likely in the middle.

        Raises:
            LexiconError: the word has digits or letters that the language does not have, or is not written as the
                rules need it.
        """
        plain = self._letters(word)
        letters = f"#{plain}#"
        for rule in self.rules.spelling:
            letters = rule.rewrite(letters)
        # An entry may be of the word as it is written, or as its spelling is rewritten: without stress marks, for one.
        known = self.rules.words.get(plain) or self.rules.words.get(letters.strip("#").lower())
        totals: dict[tuple[str, ...], float] = {}
        if known is not None:
            for phones in known:
                totals[tuple(phones)] = 1.0 / len(known)
        else:
            for choice, weight in self._variants(word, letters):
                phones = tuple(_without_stress(_attach_tones(choice)))
                if phones:
                    totals[phones] = totals.get(phones, 0.0) + weight
        if not totals:
            raise LexiconError(f"'{word}': the rules of {self.rules.name} give it no phones; write '{word}=PHONES'")
        ranked = sorted(totals.items(), key=lambda item: -item[1])
        return [Pronunciation(phones, min(weight, 1.0)) for phones, weight in ranked[:n]]

    def _letters(self, word: str) -> str:
        """Return the letters of a word in lower case, without what is ignored."""
        for upper, lower in self.rules.upper.items():
            word = word.replace(upper, lower)
        letters = unicodedata.normalize("NFC", word.lower())
        letters = "".join(letter for letter in letters if letter not in self.rules.ignored and not letter.isspace())
        digits = [letter for letter in letters if letter.isdigit()]
        if digits and not self.rules.has_digits:
            raise LexiconError(f"'{word}' has digits in it; write it in letters, as it is spoken")
        if not letters:
            raise LexiconError(f"'{word}': no letters in it that could be pronounced; write '{word}=PHONES'")
        for pattern, message in self.rules.needs:
            if not re.search(pattern, letters):
                raise LexiconError(f"'{word}': {message}")
        return letters

    def _variants(self, word: str, letters: str) -> list[tuple[list[str], float]]:
        """Return every variant of a word's phones with its share."""
        results = self._read_letters(word, letters)
        ways = max((len(result) for result in results), default=1)
        ways = max(ways, *(len(rule.results) for rule in self.rules.phones), 1)
        found: list[tuple[list[str], float]] = []
        seen: dict[tuple[str, ...], int] = {}
        for way in range(ways):
            phones = [phone for result in results for phone in result[min(way, len(result) - 1)]]
            for stressed, weight in self._place_stress(phones):
                padded = ["#", *stressed, "#"]
                for rule in self.rules.phones:
                    padded = rule.rewrite(padded, way)
                seen.setdefault(tuple(padded), len(found))
                found.append((padded[1:-1], weight))
        # Ways that make no difference to this word have one share together.
        different = sorted(set(seen.values()))
        total = sum(found[place][1] for place in different)
        return [(found[place][0], found[place][1] / total) for place in different]

    def _read_letters(self, word: str, letters: str) -> list[tuple[tuple[str, ...], ...]]:
        """Convert letters to phones; return for each rule that was applied its variants."""
        results = []
        unknown = []
        position = 1
        while position < len(letters) - 1:
            rule = self._first_that_fits(letters, position)
            if rule is None:
                unknown.append(letters[position])
                position += 1
                continue
            results.append(rule.results)
            position += len(rule.what)
        unknown = [letter for letter in unknown if unicodedata.category(letter)[0] not in "PSZ"]
        if unknown:
            shown = ", ".join(f"'{letter}'" for letter in dict.fromkeys(unknown))
            raise LexiconError(
                f"'{word}': the rules of {self.rules.name} do not know {shown} there; write '{word}=PHONES'"
            )
        return results

    def _first_that_fits(self, letters: str, position: int) -> LetterRule | None:
        for length in range(min(self.rules.longest, len(letters) - 1 - position), 0, -1):
            for rule in reversed(self.rules.letters.get(letters[position : position + length], ())):
                if rule.fits(letters, position):
                    return rule
        return None

    def _place_stress(self, phones: list[str]) -> list[tuple[list[str], float]]:
        nuclei = [place for place, phone in enumerate(phones) if is_nucleus(phone)]
        if not self.rules.stress or not nuclei or any(phone[0] in STRESS_MARKS for phone in phones):
            return [(phones, 1.0)]
        if self.rules.stress == "free":
            middle = len(nuclei) / 2
            distances = [abs(number + 0.5 - middle) for number in range(len(nuclei))]
            weights = [_STRESS_DECAY**distance if distance <= _STRESS_REACH else 0.0 for distance in distances]
        else:
            at = {"last": len(nuclei) - 1, "penult": max(len(nuclei) - 2, 0), "first": 0}[self.rules.stress]
            weights = [float(number == at) for number in range(len(nuclei))]
        return [
            ([*phones[:place], "ˈ" + phones[place], *phones[place + 1 :]], weight / sum(weights))
            for place, weight in zip(nuclei, weights)
            if weight
        ]


@functools.cache
def _read(path: Path) -> RuleFile:
    return read_rule_file(path)


def _without_stress(phones: Sequence[str]) -> list[str]:
    return [phone.lstrip("ˈˌ") for phone in phones]


def _attach_tones(phones: Sequence[str]) -> list[str]:
    """Put each tone that stands alone on the vowel before it."""
    result: list[str] = []
    for phone in phones:
        if split_ipa(phone, tone="drop"):
            result.append(phone)
            continue
        nucleus = next((place for place in range(len(result) - 1, -1, -1) if is_nucleus(result[place])), None)
        if nucleus is not None:
            result[nucleus] += phone
    return result
