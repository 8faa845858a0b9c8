"""Articulatory distance of phones, from panphon's table of distinctive features."""

import csv
import functools
import unicodedata

from speechtl.errors import LexiconError
from speechtl.lang.ipa import split_ipa
from speechtl.lang.ipa_symbols import TIE
from speechtl.lang.panphon_table import Features, data_folder, feature_table

RHOTIC = "˞"


def phone_distance(phone: str, other: str) -> float:
    """Return the articulatory distance of two phones, from 0 for the same to 1.

    A phone is a sequence of feature vectors (a diphthong or a cluster has several; an affricate is one). This is the
    weighted feature edit distance of Mortensen et al. 2016 (PanPhon: a resource for mapping IPA segments to
    articulatory feature vectors) over the length of the longer phone, scaled so that an insertion costs 1 and a
    substitution 1 if every feature changes sign (2 in panphon itself). Stress and tone are ignored.

    Raises:
        LexiconError: a phone is not IPA.
    """
    return sequence_distance([phone], [other])


def sequence_distance(phones: list[str], others: list[str]) -> float:
    """Return the weighted feature edit distance of two phone sequences, over the length of the longer one.

    Lengths count feature vectors, see ``phone_distance``. Equal sequences give 0, and so do two empty ones.

    Raises:
        LexiconError: a phone is not IPA.
    """
    weights = _weights()
    total = sum(weights)
    first = [vector for phone in phones for vector in phone_vectors(phone)]
    second = [vector for phone in others for vector in phone_vectors(phone)]
    if not first or not second:
        return 1.0 if first or second else 0.0
    row = [float(column) for column in range(len(second) + 1)]
    for number, vector in enumerate(first, start=1):
        previous, row = row, [float(number)]
        for column, target in enumerate(second, start=1):
            substitution = _difference(vector, target, weights) / total
            row.append(min(previous[column] + 1.0, row[-1] + 1.0, previous[column - 1] + substitution))
    return row[-1] / max(len(first), len(second))


@functools.cache
def phone_vectors(phone: str) -> tuple[Features, ...]:
    """Return the articulatory feature vectors of a phone, each value -1, 0 or 1.

    Raises:
        LexiconError: the phone is not IPA, or has no letter that panphon's table knows.
    """
    vectors = []
    for segment in split_ipa(phone, stress="drop", tone="drop"):
        decomposed = unicodedata.normalize("NFD", segment)
        whole = _look_up(decomposed)
        if whole is not None:
            vectors.append(whole)
            continue
        # A diphthong under a tie bar is two vectors; what is in the table whole (an affricate) is one.
        for part in decomposed.split(TIE):
            vector = _look_up(part)
            if vector is None:
                raise LexiconError(f"'{phone}': no articulatory features are known for '{part}'")
            vectors.append(vector)
    return tuple(vectors)


def _look_up(segment: str) -> Features | None:
    """Return the features of a segment, if need be without the last of its diacritics."""
    table = _table()
    segment = segment.translate(_NEAR_SPELLINGS)
    if RHOTIC in segment:
        vowel = _look_up(segment.replace(RHOTIC, ""))
        return None if vowel is None else _curl(vowel)
    while segment not in table:
        position = next((i for i in range(len(segment) - 1, -1, -1) if _is_diacritic(segment[i])), None)
        if position is None:
            return None
        segment = segment[:position] + segment[position + 1 :]
    return table[segment]


def _curl(vowel: Features) -> Features:
    """Return a vowel with the tongue tip raised behind the alveolar ridge.

    panphon's table would make it high and round, and so the English ``ɝ`` a neighbour of ``ʊ``.
    """
    names = list(_weight_row())
    changed = {names.index("cor"): 1, names.index("ant"): -1}
    return tuple(changed.get(position, value) for position, value in enumerate(vowel))


def _is_diacritic(character: str) -> bool:
    return character != TIE and unicodedata.category(character) in ("Mn", "Lm", "Sk")


# Letters that panphon's table lacks, as their nearest description in letters that it has.
_NEAR_SPELLINGS = str.maketrans(
    {
        "ɚ": "ə˞",
        "ɝ": "ɜ˞",
        "ᵻ": "ɨ",
        "ᵿ": "ʉ",
        "ƥ": "ɓ̥",
        "ƭ": "ɗ̥",
        "ƈ": "ʄ̥",
        "ƙ": "ɠ̥",
        "ʠ": "ʛ̥",
        "ᶑ": "ɗ",
        "ʡ": "ʔ",
        "ʢ": "ʕ",
        "ʜ": "ħ",
        "ⱱ": "ʋ",
        "ꞎ": "ɬ",
    }
)


def _difference(first: Features, second: Features, weights: tuple[float, ...]) -> float:
    # panphon counts half of the distance on the scale -1, 0, 1.
    return sum(abs(a - b) * weight for a, b, weight in zip(first, second, weights)) / 2.0


@functools.cache
def _table() -> dict[str, Features]:
    names, table = feature_table()
    columns = [names.index(name) for name in _weight_row()]
    return {segment: tuple(vector[column] for column in columns) for segment, vector in table.items()}


@functools.cache
def _weight_row() -> dict[str, float]:
    with open(data_folder() / "feature_weights.csv", encoding="utf-8", newline="") as file:
        names, values = csv.reader(file)
    return {name: float(value) for name, value in zip(names, values)}


@functools.cache
def _weights() -> tuple[float, ...]:
    return tuple(_weight_row().values())
