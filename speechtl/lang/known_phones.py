"""Any phones by those that a model has learned vectors for."""

import math
from collections.abc import Sequence

import numpy as np

from speechtl.errors import LexiconError, ModelError
from speechtl.lang.ipa_chart import chart_distance
from speechtl.lang.phone_attributes import AttributeTable, attribute_matrix


def attributes_by_known(
    phones: Sequence[str], known: Sequence[str], table: AttributeTable
) -> tuple[np.ndarray, np.ndarray]:
    """Return the attributes that phones are scored by, and whose vectors they use.

    A phone that has no vector of its own uses that of the nearest known phone on the IPA chart; its attributes are then
    the mean of those of both.

    Args:
        phones: in IPA.
        known: phones that have vectors.
        table: the attribute system.

    Returns:
        ``(phones, attributes)`` float32, and ``(phones,)`` int32: places in ``known``, -1 for none.

    Raises:
        LexiconError: phones that are not IPA.
    """
    attributes = attribute_matrix(phones, table)
    places = np.array([_nearest(phone, known) for phone in phones], np.int32)
    for row, (phone, nearest) in enumerate(zip(phones, places, strict=True)):
        if nearest >= 0 and phone not in known:
            attributes[row] = (attributes[row] + attribute_matrix([known[nearest]], table)[0]) / 2
    return attributes, places


def known_phones_only() -> ModelError:
    """Return what to raise where a model cannot score other phones than those that it was trained on."""
    return ModelError(
        "this model scores the phones it was trained on and no others; write the words with its phones (speechtl "
        'lexicon convert --experiment), or train one with the transfer method "attributes"'
    )


def _nearest(phone: str, known: Sequence[str]) -> int:
    """Return the place of a phone, or that of the nearest known phone; -1 if there is none."""
    if phone in known:
        return known.index(phone)
    distances = [_distance(phone, other) for other in known]
    return int(np.argmin(distances)) if min(distances, default=math.inf) < math.inf else -1


def _distance(phone: str, other: str) -> float:
    try:
        return chart_distance(phone, other)
    except LexiconError:
        # A tone that counts as a phone resembles no other.
        return math.inf
