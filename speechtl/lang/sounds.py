"""The sounds that a unit of a lexicon is made of: espeak writes ``ɔːɹ`` as one, other lexicons syllables."""

import unicodedata

from speechtl.lang.ipa import split_ipa
from speechtl.lang.ipa_chart import PLACE, VOICELESS, VOWEL_CHART
from speechtl.lang.ipa_symbols import FRICATIVES, LETTERS, PLOSIVES, STRESS_MARKS, TIE, VOWELS

# Second parts of diphthongs; the glides are how MFA writes them (ow, aj).
_CLOSING, _CENTRING, _GLIDES = frozenset("iɪuʊyʏ"), frozenset("əɐ"), frozenset("jw")
# On the scale of the chart: t and ɕ are one affricate, k and ʃ are two sounds.
_SAME_PLACE = 1.5


def sounds_of(unit: str) -> list[str]:
    """Take a unit apart into phones: ``ʃi`` is ``ʃ``, ``i``; ``aɪɚ`` is ``a͡ɪ``, ``ɚ``; a phone stays as it is.

    A plosive and a fricative of the same place and voice are an affricate, two vowels that may be one syllable a
    diphthong, with a tie bar or without.

    Raises:
        LexiconError: it is not IPA.
    """
    segments = split_ipa(unit, stress="keep", tone="keep")
    if len(segments) < 2:
        return [unit]
    sounds: list[str] = []
    place = 0
    while place < len(segments):
        first, second, third = [*segments[place : place + 3], "", ""][:3]
        if _are_one(first, second, third):
            sounds.append(unicodedata.normalize("NFC", first + TIE + second))
            place += 2
        else:
            sounds.append(first)
            place += 1
    return sounds


def _are_one(first: str, second: str, third: str) -> bool:
    """Tell whether two segments are one phone; the third is what follows."""
    one, other = first.lstrip("".join(STRESS_MARKS)), second[:1]
    if one not in LETTERS or other not in LETTERS or TIE in unicodedata.normalize("NFD", second):
        return False
    if one in PLOSIVES and other in FRICATIVES:
        return abs(PLACE[one] - PLACE[other]) <= _SAME_PLACE and (one in VOICELESS) == (other in VOICELESS)
    if one not in VOWEL_CHART or one == other:
        return False
    return other in _CLOSING | _CENTRING or (other in _GLIDES and third[:1] not in VOWELS)
