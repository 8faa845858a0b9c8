"""Distance of two phones on the IPA chart: chooses the replacement of a phone that a model lacks.

``articulation.phone_distance`` counts distinctive features, which serves to compare pronunciations; but features that
distinguish sounds do not tell which of them sound similar: by them ``ɛ`` is further from ``e`` than ``æ`` is, ``ʁ`` is
nearer to ``ʒ`` than to ``ɹ``, and voicing weighs as little as vowel length. Here phones have the coordinates of the
chart (height, backness and rounding of vowels; place, manner and voicing of consonants), and all rhotics are one
family, whatever their place of articulation.
"""

import functools
import unicodedata
from typing import NamedTuple

from speechtl.errors import LexiconError
from speechtl.lang.ipa import split_ipa
from speechtl.lang.ipa_symbols import LETTERS, TIE

# Height from close 0 to open 6; backness from front 0 to back 2, where a and ʌ are what languages have, not the
# cardinal vowels; rounded or not.
VOWEL_CHART: dict[str, tuple[float, float, bool]] = {
    **{"i": (0, 0, False), "y": (0, 0, True), "ɨ": (0, 1, False), "ʉ": (0, 1, True), "ɯ": (0, 2, False)},
    **{"u": (0, 2, True), "ɪ": (0.9, 0.5, False), "ʏ": (0.9, 0.5, True), "ʊ": (0.9, 1.5, True)},
    **{"ᵻ": (0.9, 1, False), "ᵿ": (0.9, 1, True), "e": (2, 0, False), "ø": (2, 0, True), "ɘ": (2, 1, False)},
    **{"ɵ": (2, 1, True), "ɤ": (2, 2, False), "o": (2, 2, True), "ə": (3, 1, False), "ɚ": (3, 1, False)},
    **{"ɛ": (3.8, 0, False), "œ": (3.8, 0, True), "ɜ": (3.8, 1, False), "ɝ": (3.5, 1, False), "ɞ": (3.8, 1, True)},
    **{"ʌ": (3.8, 1.5, False), "ɔ": (3.8, 2, True), "æ": (5, 0, False), "ɐ": (5, 1, False), "a": (6, 1, False)},
    **{"ɶ": (6, 0, True), "ɑ": (6, 1.8, False), "ɒ": (6, 2, True)},
}
GLIDES = {"j": "i", "w": "u", "ʍ": "u", "ɥ": "y", "ɰ": "ɯ"}
SIBILANTS = frozenset("szʃʒʂʐɕʑɧ")
RHOTICS = frozenset("rɾɹɻɽʁʀɺ")
# Manner -> letters by place, from the lips (0) to the glottis (12), with a gap between lips and tongue.
CONSONANT_CHART: dict[str, dict[str, float]] = {
    "plosive": {
        **{"p": 0, "b": 0, "t": 4, "d": 4, "ʈ": 5.2, "ɖ": 5.2, "c": 6, "ɟ": 6, "k": 7.5, "ɡ": 7.5, "q": 8.5, "ɢ": 8.5},
        **{"ʡ": 10.5, "ʔ": 12},
    },
    "implosive": {
        **{"ɓ": 0, "ƥ": 0, "ɗ": 4, "ƭ": 4, "ᶑ": 5.2, "ʄ": 6, "ƈ": 6, "ɠ": 7.5, "ƙ": 7.5, "ʛ": 8.5, "ʠ": 8.5},
    },
    "click": {"ʘ": 0, "ǀ": 3.4, "ǃ": 4, "ǁ": 4, "ǂ": 6},
    "fricative": {
        **{"ɸ": 0, "β": 0, "f": 0.5, "v": 0.5, "θ": 3.4, "ð": 3.4, "s": 4, "z": 4, "ʃ": 4.8, "ʒ": 4.8, "ʂ": 5.2},
        **{
            "ʐ": 5.2,
            "ɕ": 5.3,
            "ʑ": 5.3,
            "ç": 6,
            "ʝ": 6,
            "ɧ": 6.7,
            "x": 7.5,
            "ɣ": 7.5,
            "χ": 8.5,
            "ʁ": 8.5,
            "ħ": 10,
            "ʕ": 10,
        },
        **{"ʜ": 10.5, "ʢ": 10.5, "h": 12, "ɦ": 12},
    },
    "lateral fricative": {"ɬ": 4, "ɮ": 4, "ꞎ": 5.2},
    "nasal": {"m": 0, "ɱ": 0.5, "n": 4, "ɳ": 5.2, "ɲ": 6, "ŋ": 7.5, "ɴ": 8.5},
    "trill": {"ʙ": 0, "r": 4, "ʀ": 8.5},
    "tap": {"ⱱ": 0.5, "ɾ": 4, "ɽ": 5.2, "ɺ": 4},
    "approximant": {"ʋ": 0.5, "ɹ": 4, "ɻ": 5.2, "j": 6, "ɥ": 6, "w": 0.3, "ʍ": 0.3, "ɰ": 7.5},
    "lateral": {"l": 4, "ɫ": 4.3, "ɭ": 5.2, "ʎ": 6, "ʟ": 7.5},
}
VOICELESS = frozenset("ptʈckqʡʔƥƭƈƙʠʘǀǃǂǁɸfθsʃʂɕçɧxχħʜhɬꞎʍ")
MANNER = {letter: manner for manner, letters in CONSONANT_CHART.items() for letter in letters}
PLACE = {letter: place for letters in CONSONANT_CHART.values() for letter, place in letters.items()}
_MANNER_COST = {
    frozenset(pair): cost
    for *pair, cost in [
        ("plosive", "implosive", 0.15),
        ("plosive", "affricate", 0.35),
        ("plosive", "click", 0.6),
        ("plosive", "fricative", 0.5),
        ("plosive", "tap", 0.4),
        ("plosive", "nasal", 0.6),
        ("affricate", "fricative", 0.3),
        ("fricative", "lateral fricative", 0.2),
        ("fricative", "approximant", 0.4),
        ("lateral fricative", "lateral", 0.3),
        ("trill", "tap", 0.1),
        ("trill", "lateral", 0.35),
        ("tap", "lateral", 0.3),
        ("tap", "approximant", 0.3),
        ("lateral", "approximant", 0.35),
        ("nasal", "lateral", 0.5),
        ("nasal", "approximant", 0.6),
    ]
}
_OTHER_MANNER = 0.8
_VOICE, _SIBILANT, _ROUNDED, _GLIDE, _RHOTIC_FAMILY, _SYLLABIC_R = 0.12, 0.15, 0.25, 0.15, 0.15, 0.1
# Sounds that alternate in one language or another.
_NEIGHBOURS = {
    frozenset(pair): cost
    for *pair, cost in [
        ("ʋ", "v", 0.08),
        ("ʋ", "w", 0.15),
        ("v", "w", 0.3),
        ("ɰ", "ɣ", 0.1),
        ("j", "ʝ", 0.1),
        ("ɡ", "ɣ", 0.2),
        ("d", "ð", 0.2),
        ("b", "β", 0.2),
        ("ʕ", "ʔ", 0.25),
        ("ɫ", "l", 0.03),
        ("x", "h", 0.15),
        ("χ", "h", 0.18),
        ("ħ", "h", 0.1),
        ("ɣ", "ɦ", 0.15),
    ]
}
_VOICELESS_RING, _SYLLABIC = "\u0325", "\u0329"
# Cost of a diacritic or modifier that only one of the two phones has; others cost _OTHER_MARK.
_MARK = {"ː": 0.05, "ˑ": 0.03, "\u0303": 0.15, _SYLLABIC: 0.25, "ʼ": 0.12, "ʲ": 0.08, "ˤ": 0.08, "˞": 0.2}
_OTHER_MARK = 0.03


class ChartPhone(NamedTuple):
    """The parts of a phone: its letters (two for a diphthong or an affricate) and its other marks."""

    letters: tuple[str, ...]
    marks: frozenset[str]


def chart_distance(phone: str, other: str) -> float:
    """Return the distance of two phones on the IPA chart: 0 for the same, 1 and more for nothing in common.

    Stress and tone are ignored.

    Raises:
        LexiconError: a phone is not IPA, or is not one phone.
    """
    first, second = read_chart_phone(phone), read_chart_phone(other)
    marks = sum(_MARK.get(mark, _OTHER_MARK) for mark in first.marks ^ second.marks)
    if is_vowel(first) and is_vowel(second) and len(first.letters) != len(second.letters):
        if len(first.letters) > len(second.letters):
            first, second = second, first
        (only,), (start, *_, end) = first.letters, second.letters
        # A long vowel is nearer to a diphthong that starts with it than a short one is.
        base = 0.05 if "ː" in first.marks else 0.1
        marks -= _MARK["ː"] if "ː" in first.marks and "ː" not in second.marks else 0.0
        return base + marks + 0.5 * _letter_distance(only, start) + 0.5 * _letter_distance(only, end)
    if is_vowel(first) and is_vowel(second):
        pairs = list(zip(first.letters, second.letters))
        return marks + sum(_letter_distance(one, two) for one, two in pairs) / len(pairs)
    if is_vowel(first) or is_vowel(second):
        vowel, consonant = (first, second) if is_vowel(first) else (second, first)
        if vowel.letters[0] in "ɚɝ" and consonant.letters[0] in RHOTICS and _SYLLABIC in consonant.marks:
            return _SYLLABIC_R
        glide = GLIDES.get(consonant.letters[-1])
        if glide is None or len(vowel.letters) > 1:
            return 1.0 + marks
        return _GLIDE + marks + _letter_distance(vowel.letters[0], glide)
    return marks + _consonant_distance(first, second)


@functools.lru_cache(maxsize=10_000)
def read_chart_phone(phone: str) -> ChartPhone:
    """Split one phone into its parts, without stress and tone.

    Raises:
        LexiconError: it is not IPA, or is not one phone.
    """
    segments = split_ipa(phone, stress="drop", tone="drop")
    decomposed = unicodedata.normalize("NFD", "".join(segments)).replace("c\u0327", "ç")
    letters = tuple(character for character in decomposed if character in LETTERS)
    on_chart = letters and letters[0] in VOWEL_CHART and all(one in VOWEL_CHART or one in GLIDES for one in letters)
    if len(segments) > 2 or not (on_chart or (letters and all(one in PLACE for one in letters))):
        raise LexiconError(f"'{phone}' is not a phone that the IPA chart has")
    marks = frozenset(character for character in decomposed if character not in LETTERS and character != TIE)
    if any(letter in "ɚɝ" for letter in letters):
        marks |= {"˞"}
    return ChartPhone(letters, marks)


def is_vowel(phone: ChartPhone) -> bool:
    """Tell whether a phone is a vowel or a diphthong."""
    return phone.letters[0] in VOWEL_CHART


def _letter_distance(first: str, second: str) -> float:
    """Return the distance of two vowels; a glide counts as its vowel."""
    if first == second:
        return 0.0
    if (first in VOWEL_CHART) != (second in VOWEL_CHART):
        first, second = GLIDES.get(first, first), GLIDES.get(second, second)
    if first not in VOWEL_CHART or second not in VOWEL_CHART:
        return 1.0
    height, back, rounded = VOWEL_CHART[first]
    other_height, other_back, other_rounded = VOWEL_CHART[second]
    return abs(height - other_height) / 12 + 0.3 * abs(back - other_back) + _ROUNDED * (rounded != other_rounded)


def _consonant_distance(first: ChartPhone, second: ChartPhone) -> float:
    letters = {first.letters[-1], second.letters[-1]}
    simple = len(first.letters) == len(second.letters) == 1
    if simple and frozenset(letters) in _NEIGHBOURS:
        return _NEIGHBOURS[frozenset(letters)]
    if simple and letters <= GLIDES.keys():
        vowels = _letter_distance(GLIDES[first.letters[0]], GLIDES[second.letters[0]])
        return vowels + _VOICE * (is_voiceless(first) != is_voiceless(second))
    place = 0.06 * abs(PLACE[first.letters[-1]] - PLACE[second.letters[-1]])
    voice = _VOICE * (is_voiceless(first) != is_voiceless(second))
    manners = {_manner(first), _manner(second)}
    manner = 0.0 if len(manners) == 1 else _MANNER_COST.get(frozenset(manners), _OTHER_MANNER)
    if "affricate" not in manners and "fricative" not in manners:
        sibilant = 0.0
    else:
        sibilant = _SIBILANT * ((first.letters[-1] in SIBILANTS) != (second.letters[-1] in SIBILANTS))
    if manners == {"affricate", "plosive"}:
        sibilant = 0.0
    # A glide moves as a vowel does; ɹ and ʋ do not.
    glide = _GLIDE if simple and len(letters & GLIDES.keys()) == 1 and len(letters) == 2 else 0.0
    chart = place + voice + manner + sibilant + glide
    if simple and letters <= RHOTICS and len(letters) > 1:
        return min(chart, _RHOTIC_FAMILY + place / 3)
    return chart


def _manner(phone: ChartPhone) -> str:
    return "affricate" if len(phone.letters) > 1 else MANNER.get(phone.letters[0], "")


def is_voiceless(phone: ChartPhone) -> bool:
    """Tell whether a consonant is voiceless."""
    return phone.letters[0] in VOICELESS or _VOICELESS_RING in phone.marks
