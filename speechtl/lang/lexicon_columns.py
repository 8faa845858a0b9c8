"""What stands in a line of a lexicon beside a word and its phones: numbers, silence, markers of variants.

Formats: Kaldi's ``lexicon.txt``, ``lexiconp.txt`` and ``lexiconp_silprob.txt``, dictionaries of the Montreal Forced
Aligner (with one number, four, or none, line by line) and of CMU Sphinx.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# float() would also accept "nan", "1_0" and the digits of other scripts.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d*\.\d+|\d+\.?\d*[eE][+-]?\d+)", re.ASCII)
_STARTS_NUMBERS = frozenset("0123456789.+-")
# Names of silence and noise in the lexicons of Kaldi, MFA and Sphinx: models have units for them, speech has no phones.
_NOISE = re.compile(r"sil|spn|nsn|sp|<eps>|\+[^\s+]+\+", re.IGNORECASE)
# Of lists with commas and their like: a word and a phone with nothing but the separator between them. "0,5" is a word:
# no phone of IPA or ARPABET begins with a digit.
_SEPARATED = re.compile(r"[^\s,;|]+([,;|])[^\s,;|\d]")
_ALTERNATIVE = re.compile(r"(.+?)(\(\d+\))+")
_EXPECTED = "expected a number above 0 and at most 1 after the word"
_KNOWN = (
    "expected none, one (a probability, as in lexiconp.txt) or four (a probability and three of silence, as in "
    "dictionaries of MFA and in lexiconp_silprob.txt)"
)


class Numbers(NamedTuple):
    """The numbers that follow a word.

    Attributes:
        fields: how many there are.
        probability: of the pronunciation.
        problem: what is wrong with them, or "".
    """

    fields: int
    probability: float
    problem: str


_NONE = Numbers(0, 1.0, "")


class Columns:
    """The columns of a lexicon file.

    The first of the numbers after a word is the probability of the pronunciation; three more are of the silence around
    it, which no verb here uses. A line must have a number if the file's name starts with ``lexiconp`` or if all lines
    have one.

    Args:
        name: of the file.
        lines: all that are not empty.
    """

    def __init__(self, name: str, lines: Iterable[str]):
        self._needed = name.startswith("lexiconp") or _all_have_numbers(lines)
        self._silence = "silprob" in name

    def numbers(self, fields: Sequence[str]) -> Numbers:
        """Return the numbers after the word of a line."""
        if not self._needed and (len(fields) < 2 or fields[1][0] not in _STARTS_NUMBERS):
            return _NONE
        run = 0
        while run < 5 and run + 1 < len(fields) and _NUMBER.fullmatch(fields[run + 1]):
            run += 1
        # A whole number may be a phone of X-SAMPA or a tone, a decimal one never.
        count = max((place for place in range(1, run + 1) if _DECIMAL.fullmatch(fields[place])), default=0)
        if run >= 4 and (count in (2, 3) or self._silence):
            count = 4
        if self._needed and not count:
            if not run:
                got = f"'{fields[1]}'" if len(fields) > 1 else "nothing"
                return _bad(f"bad probability (got {got}, {_EXPECTED})")
            count = 1
        if count not in (0, 1, 4):
            return _bad(f"{count} numbers after the word; {_KNOWN}")
        if not count:
            return _NONE
        probability = float(fields[1])
        if not 0.0 < probability <= 1.0:
            return _bad(f"bad probability (got '{fields[1]}', {_EXPECTED})")
        return Numbers(count, probability, "")


def misread(lines: Sequence[tuple[int, str]]) -> dict[int, str]:
    """Return, by the numbers of lines, why words and phones are not separated by the first white space.

    Args:
        lines: numbers and texts of all that are not empty.
    """
    marks = {found[1] if (found := _SEPARATED.match(text)) else "" for _, text in lines}
    mark = marks.pop() if len(lines) > 1 and len(marks) == 1 else ""
    # Where a probability follows, what is in front of it is a word, whatever is in it.
    if mark and not _all_have_numbers(text for _, text in lines):
        return {lines[0][0]: f"'{mark}' separates word and phones in every line; expected a tab or a space"}
    if not all("\t" in text for _, text in lines):
        return {}
    words = [(number, text.partition("\t")[0].split()) for number, text in lines]
    if all(len(word) > 1 for _, word in words):
        return {}
    return {
        number: f"a tab separates word and phones, and there is a space in '{' '.join(word)}'; write it in one, as "
        f"'{'_'.join(word)}'"
        for number, word in words
        if len(word) > 1 and not _NUMBER.fullmatch(word[1])
    }


def is_decimal(field: str) -> bool:
    """Tell whether a field is a number with a decimal point, which no phone is."""
    return _DECIMAL.fullmatch(field) is not None


def is_noise(word: str, phones: Iterable[str]) -> bool:
    """Tell whether an entry is for silence or noise and has no phones of speech (``<unk> spn``, ``!SIL SIL``)."""
    return word == "<eps>" or all(_NOISE.fullmatch(phone) for phone in phones)


def without_variant(word: str) -> str:
    """Return a word without the marker of an alternative pronunciation: ``read`` for ``read(2)``."""
    found = _ALTERNATIVE.fullmatch(word) if word[-1] == ")" else None
    return found.group(1) if found else word


def column_of(text: str, field: int) -> int:
    """Return the column, from 1, in which a field of a line begins."""
    return [found.start() for found in re.finditer(r"\S+", text)][field] + 1


def _bad(problem: str) -> Numbers:
    return Numbers(0, 1.0, problem)


def _all_have_numbers(lines: Iterable[str]) -> bool:
    some = False
    for text in lines:
        fields = text.split(None, 2)
        if fields:
            if len(fields) < 2 or not _NUMBER.fullmatch(fields[1]):
                return False
            some = True
    return some
