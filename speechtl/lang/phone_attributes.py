"""Articulatory attributes of phones as numbers, with the same meaning in every language.

Two tables: ``"panphon"`` has panphon's distinctive features (Mortensen et al. 2016), which distinguish
sounds; ``"chart"`` has the coordinates of the IPA chart, by which similar sounds are near each other. Both describe the
two halves of a diphthong, and tone and stress of all phones.
"""

import functools
import unicodedata
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from speechtl.errors import LexiconError, list_problems
from speechtl.lang.articulation import phone_vectors
from speechtl.lang.ipa import split_ipa
from speechtl.lang.ipa_chart import (
    GLIDES,
    MANNER,
    PLACE,
    RHOTICS,
    SIBILANTS,
    VOWEL_CHART,
    ChartPhone,
    is_voiceless,
    is_vowel,
    read_chart_phone,
)
from speechtl.lang.ipa_symbols import STRESS_MARKS, TONE_MARKS

AttributeTable = Literal["panphon", "chart"]

_PITCH = {"˥": 1.0, "˦": 0.5, "˧": 0.0, "˨": -0.5, "˩": -1.0}
# Places of articulation between which a consonant lies, in the numbers of the chart: lips, teeth, alveolar ridge,
# behind it, palate, velum, uvula, pharynx, glottis.
_PLACES = (0.0, 3.0, 4.0, 5.0, 6.0, 7.5, 8.5, 10.0, 12.0)
_MANNERS = (
    *("plosive", "affricate", "fricative", "nasal", "trill", "tap", "approximant", "lateral", "implosive", "click"),
)
# Long, aspirated, palatalised, pharyngealised, ejective, labialised, nasalised, syllabic.
_MARKS = ("ː", "ʰ", "ʲ", "ˤ", "ʼ", "ʷ", "\u0303", "\u0329")


def attribute_matrix(phones: Iterable[str], table: AttributeTable = "panphon") -> np.ndarray:
    """Return the attributes of phones.

    Args:
        phones: IPA phones.
        table: ``"panphon"`` or ``"chart"``.

    Returns:
        ``(phones, attributes)`` float32, each value about -1 to 1.

    Raises:
        LexiconError: lists the phones that are not IPA.
    """
    rows, problems = [], []
    for phone in phones:
        try:
            rows.append(_attributes(phone, table))
        except LexiconError as error:
            problems.append(str(error))
    if problems:
        heading = "phones without articulatory attributes; write phones in IPA, and nothing that is no phone:"
        raise LexiconError(list_problems(heading, problems))
    return np.array(rows, np.float32).reshape(len(rows), attribute_count(table))


@functools.cache
def attribute_count(table: AttributeTable) -> int:
    """Return how many attributes a table gives every phone."""
    return len(_attributes("a", table))


def table_of_width(width: int) -> AttributeTable | None:
    """Return the table that has a number of attributes; the numbers all differ, so stored weights tell which it was."""
    return next((table for table in get_args(AttributeTable) if attribute_count(table) == width), None)


def _attributes(phone: str, table: AttributeTable) -> tuple[float, ...]:
    return (*{"panphon": _panphon, "chart": _chart}[table](phone), *_prosody(phone))


def _panphon(phone: str) -> tuple[float, ...]:
    """Return the mean of a phone's feature vectors, and half the way from its first to its last one."""
    vectors = np.array(phone_vectors(phone), float)
    if not len(vectors):
        # A tone that is a separate phone has no articulation.
        return (0.0,) * (2 * len(phone_vectors("a")[0]))
    return (*vectors.mean(axis=0), *((vectors[-1] - vectors[0]) / 2))


def _chart(phone: str) -> tuple[float, ...]:
    """Return vowel coordinates (and how they move), consonant coordinates and marks."""
    if not split_ipa(phone, stress="drop", tone="drop"):
        return (0.0,) * (6 + len(_PLACES) + len(_MANNERS) + 4 + len(_MARKS) + 1)
    read = read_chart_phone(phone)
    marks = [float(mark in read.marks) for mark in _MARKS]
    if is_vowel(read):
        first, last = (np.array(_vowel(letter)) for letter in (read.letters[0], read.letters[-1]))
        rhotic = float("˞" in read.marks)
        consonant = (*[0.0] * (len(_PLACES) + len(_MANNERS)), 0.0, 1.0, 0.0, rhotic)
        return (1.0, *(first + last) / 2, *(last - first)[:2] / 2, *consonant, *marks, 0.0)
    letter = read.letters[-1]
    glide = _vowel(GLIDES[letter]) if letter in GLIDES else (0.0, 0.0, 0.0)
    voice = -1.0 if is_voiceless(read) else 1.0
    sounds = (float(letter in GLIDES), voice, float(letter in SIBILANTS), float(letter in RHOTICS))
    return (0.0, *glide, 0.0, 0.0, *_place(letter), *_manner(read), *sounds, *marks, 1.0)


def _vowel(letter: str) -> tuple[float, float, float]:
    """Return height from 1 (close) to -1 (open), backness from -1 (front) to 1, and rounding, -1 or 1."""
    height, back, rounded = VOWEL_CHART.get(letter, (3.0, 1.0, False))
    return 1.0 - height / 3.0, back - 1.0, 1.0 if rounded else -1.0


def _place(letter: str) -> list[float]:
    """Return how near a consonant is to each place: 1 there, and shares of two in between."""
    place = PLACE[letter]
    position = float(np.interp(place, _PLACES, np.arange(len(_PLACES))))
    return [max(0.0, 1.0 - abs(position - number)) for number in range(len(_PLACES))]


def _manner(phone: ChartPhone) -> list[float]:
    manner = "affricate" if len(phone.letters) > 1 else MANNER[phone.letters[0]]
    parts = {"lateral fricative": ("lateral", "fricative")}.get(manner, (manner,))
    return [float(one in parts) for one in _MANNERS]


def _prosody(phone: str) -> tuple[float, ...]:
    """Return whether there is a tone, its first, mean and last pitch from -1 to 1, and stress."""
    stress = float(any(character in STRESS_MARKS for character in phone))
    marks = "".join(TONE_MARKS.get(character, character) for character in unicodedata.normalize("NFD", phone))
    pitches = [_PITCH[character] for character in marks if character in _PITCH]
    if not pitches:
        return (0.0, 0.0, 0.0, 0.0, stress)
    return (1.0, pitches[0], sum(pitches) / len(pitches), pitches[-1], stress)
