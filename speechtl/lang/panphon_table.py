"""panphon's table of distinctive features, and phones as the segments that it has (Mortensen et al. 2016)."""

import csv
import dataclasses
import functools
import importlib.util
import unicodedata
from pathlib import Path

from speechtl.errors import LexiconError
from speechtl.lang.ipa import normalise_ipa
from speechtl.lang.ipa_symbols import BOUNDARIES, STRESS_MARKS, TIE

Features = tuple[int, ...]

SILENCES = frozenset({"sil", "sp", "spn", "nsn"})
"""Units of phone transcripts that are no phones, in lower case; panphon would read three phones in ``sil``."""

# What panphon leaves out without a loss: its features know neither stress nor syllables.
_NO_FEATURES = STRESS_MARKS | BOUNDARIES | {TIE}
# As panphon reads tone digits.
_TONE_DIGITS = str.maketrans("¹²³⁴⁵", "˩˨˧˦˥")
# R-coloured vowels, which its table has as a vowel and a hook alone.
_RHOTIC_VOWELS = str.maketrans({"ɚ": "ə˞", "ɝ": "ɜ˞"})


@dataclasses.dataclass(frozen=True)
class PhoneSegments:
    """What panphon reads in a phone.

    Attributes:
        segments: as its table writes them.
        lost: characters that it does not know, and so leaves out.
    """

    segments: tuple[str, ...]
    lost: str


@functools.cache
def phone_segments(phone: str) -> PhoneSegments:
    """Return panphon's segments of a phone: an affricate is one, a diphthong two, a tone letter one of its own.

    They are those of ``panphon.FeatureTable().word_to_vector_list(phone)``. Only where panphon does not know all of a
    phone as it is written, and more of it in another spelling of the same sound (``ɡ`` for ``g``, ``t͡ʃ`` for ``ʧ``,
    ``ɜ˞`` for ``ɝ``), they are those of that spelling. Silences have none.
    """
    if phone.lower() in SILENCES:
        return PhoneSegments((), "")
    written = _read(phone)
    if not written.lost:
        return written
    try:
        respelled = _read(unicodedata.normalize("NFD", normalise_ipa(phone)).translate(_RHOTIC_VOWELS))
    except LexiconError:
        return written
    return respelled if len(respelled.lost) < len(written.lost) else written


def _read(text: str) -> PhoneSegments:
    """Take the longest segment of the table again and again, as panphon does."""
    text = unicodedata.normalize("NFD", text.translate(_TONE_DIGITS))
    table, segments, lost, place = feature_table()[1], [], "", 0
    while place < len(text):
        ends = range(min(len(text), place + _longest()), place, -1)
        end = next((end for end in ends if text[place:end] in table), None)
        if end is None:
            lost += "" if text[place] in _NO_FEATURES else text[place]
            place += 1
        else:
            segments.append(text[place:end])
            place = end
    return PhoneSegments(tuple(segments), lost)


@functools.cache
def _longest() -> int:
    return max(map(len, feature_table()[1]))


@functools.cache
def feature_table() -> tuple[tuple[str, ...], dict[str, Features]]:
    """Return the names of panphon's features, and by segment (in NFD) their values: -1, 0 or 1.

    Raises:
        LexiconError: panphon is not installed.
    """
    sign = {"+": 1, "0": 0, "-": -1}
    with open(data_folder() / "ipa_all.csv", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        _, *names = next(rows)
        table = {unicodedata.normalize("NFD", row[0]): tuple(sign[value] for value in row[1:]) for row in rows}
    return tuple(names), table


def data_folder() -> Path:
    """Return the folder of panphon's tables.

    Raises:
        LexiconError: panphon is not installed.
    """
    # Importing panphon takes a second; its tables are all that is needed.
    spec = importlib.util.find_spec("panphon")
    if spec is None or not spec.submodule_search_locations:
        raise LexiconError("panphon is not installed, and articulatory features need it; pip install panphon")
    return Path(spec.submodule_search_locations[0]) / "data"
