"""Expectation maximisation over all ways to cut words and pronunciations into units; compiled."""

from typing import NamedTuple

import numba
import numpy as np

# Scaled by this for each letter and phone that it covers, a unit's probability stays near 1: the product over a word of
# fifty letters would otherwise leave the range of floating-point numbers. Every path of a word gets the same factor.
_SCALE = 12.0
_NO_KEY = -1
# What is called for every unit is inlined: a call with a tuple of arrays counts a reference to each array, which takes
# longer than the function itself.


class Pairs(NamedTuple):
    """Words and pronunciations in arrays, and the shapes that their units may have."""

    letters: np.ndarray
    """int64: the letters of all words, numbered from 1, one word after the other."""
    letter_starts: np.ndarray
    """``(words + 1,)`` int64: the letters of word w are ``letter_starts[w]`` to ``letter_starts[w + 1]``."""
    phones: np.ndarray
    """int64: the phones of all words, numbered from 1."""
    phone_starts: np.ndarray
    """``(words + 1,)`` int64."""
    base: int
    """Above all numbers of letters and phones: the base of the keys of units."""
    max_letters: int
    max_phones: int
    shapes: np.ndarray
    """``(shapes, 2)`` int64: numbers of letters and of phones that a unit may have."""


def unit_shapes(max_letters: int, max_phones: int) -> np.ndarray:
    """Return the shapes of units, ``(shapes, 2)``: how many letters and how many phones."""
    shapes = [(1, count) for count in range(max_phones + 1)] + [(count, 1) for count in range(2, max_letters + 1)]
    return np.array(shapes, np.int64)


@numba.njit(cache=True, nogil=True)
def collect_units(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of all units that any cut of any word has, and the hash table from key to number."""
    slots = np.full((1 << 12, 2), _NO_KEY, np.int64)
    count = 0
    for word in range(len(pairs.letter_starts) - 1):
        first_letter, letter_count, first_phone, phone_count = _bounds(pairs, word)
        reachable = _reachable(letter_count, phone_count, pairs.shapes)
        if not reachable[0, 0]:
            continue
        seen = np.zeros((letter_count + 1, phone_count + 1), np.bool_)
        seen[0, 0] = True
        for letter in range(letter_count):
            for phone in range(phone_count + 1):
                if not (seen[letter, phone] and reachable[letter, phone]):
                    continue
                for shape in range(len(pairs.shapes)):
                    m, n = pairs.shapes[shape, 0], pairs.shapes[shape, 1]
                    if letter + m > letter_count or phone + n > phone_count or not reachable[letter + m, phone + n]:
                        continue
                    seen[letter + m, phone + n] = True
                    key = _key(pairs, first_letter + letter, m, first_phone + phone, n)
                    place = _find(slots, key)
                    if slots[place, 0] == _NO_KEY:
                        slots[place, 0], slots[place, 1] = key, count
                        count += 1
                        if 2 * count > len(slots):
                            slots = _doubled(slots)
    keys = np.zeros(count, np.int64)
    for row in range(len(slots)):
        if slots[row, 0] != _NO_KEY:
            keys[slots[row, 1]] = slots[row, 0]
    return keys, slots


@numba.njit(cache=True, nogil=True)
def expect(pairs: Pairs, slots: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the expected count of every unit (forward-backward over all cuts), and the log likelihood."""
    counts = np.zeros(len(probabilities))
    log_likelihood = 0.0
    for word in range(len(pairs.letter_starts) - 1):
        first_letter, letter_count, first_phone, phone_count = _bounds(pairs, word)
        backward = np.zeros((letter_count + 1, phone_count + 1))
        backward[letter_count, phone_count] = 1.0
        number = np.full((letter_count, phone_count + 1, len(pairs.shapes)), -1, np.int64)
        for letter in range(letter_count - 1, -1, -1):
            for phone in range(phone_count, -1, -1):
                for shape in range(len(pairs.shapes)):
                    m, n = pairs.shapes[shape, 0], pairs.shapes[shape, 1]
                    if letter + m > letter_count or phone + n > phone_count:
                        continue
                    rest = backward[letter + m, phone + n]
                    if rest == 0.0:
                        continue
                    unit = _unit(pairs, slots, first_letter + letter, m, first_phone + phone, n)
                    if unit < 0:
                        continue
                    number[letter, phone, shape] = unit
                    backward[letter, phone] += probabilities[unit] * _SCALE ** (m + n) * rest
        total = backward[0, 0]
        if not 0.0 < total < np.inf:
            continue
        log_likelihood += np.log(total) - (letter_count + phone_count) * np.log(_SCALE)
        forward = np.zeros((letter_count + 1, phone_count + 1))
        forward[0, 0] = 1.0
        for letter in range(letter_count):
            for phone in range(phone_count + 1):
                if forward[letter, phone] == 0.0:
                    continue
                for shape in range(len(pairs.shapes)):
                    m, n = pairs.shapes[shape, 0], pairs.shapes[shape, 1]
                    unit = number[letter, phone, shape]
                    if unit < 0:
                        continue
                    weight = forward[letter, phone] * probabilities[unit] * _SCALE ** (m + n)
                    forward[letter + m, phone + n] += weight
                    counts[unit] += weight * backward[letter + m, phone + n] / total
    return counts, log_likelihood


@numba.njit(cache=True, nogil=True)
def best_cuts(pairs: Pairs, slots: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the units of the most likely cut of every word, one word after the other, and where each word starts."""
    logs = np.log(np.maximum(probabilities, 1e-300))
    paths = np.zeros(len(pairs.letters), np.int64)
    starts = np.zeros(len(pairs.letter_starts), np.int64)
    length = 0
    for word in range(len(pairs.letter_starts) - 1):
        first_letter, letter_count, first_phone, phone_count = _bounds(pairs, word)
        best = np.full((letter_count + 1, phone_count + 1), -np.inf)
        best[letter_count, phone_count] = 0.0
        choice = np.zeros((letter_count + 1, phone_count + 1), np.int64)
        chosen = np.zeros((letter_count + 1, phone_count + 1), np.int64)
        for letter in range(letter_count - 1, -1, -1):
            for phone in range(phone_count, -1, -1):
                for shape in range(len(pairs.shapes)):
                    m, n = pairs.shapes[shape, 0], pairs.shapes[shape, 1]
                    if letter + m > letter_count or phone + n > phone_count:
                        continue
                    rest = best[letter + m, phone + n]
                    if rest == -np.inf:
                        continue
                    unit = _unit(pairs, slots, first_letter + letter, m, first_phone + phone, n)
                    if unit >= 0 and logs[unit] + rest > best[letter, phone]:
                        best[letter, phone] = logs[unit] + rest
                        choice[letter, phone] = shape
                        chosen[letter, phone] = unit
        if best[0, 0] > -np.inf:
            letter, phone = 0, 0
            while letter < letter_count:
                paths[length] = chosen[letter, phone]
                length += 1
                m, n = pairs.shapes[choice[letter, phone], 0], pairs.shapes[choice[letter, phone], 1]
                letter += m
                phone += n
        starts[word + 1] = length
    return paths[:length], starts


@numba.njit(cache=True, nogil=True)
def _bounds(pairs: Pairs, word: int) -> tuple[int, int, int, int]:
    """Return the first letter of a word and how many it has, and the same of its phones."""
    letter, phone = pairs.letter_starts[word], pairs.phone_starts[word]
    return letter, pairs.letter_starts[word + 1] - letter, phone, pairs.phone_starts[word + 1] - phone


@numba.njit(cache=True, nogil=True)
def _reachable(letter_count: int, phone_count: int, shapes: np.ndarray) -> np.ndarray:
    """Tell for each number of letters and phones that are done whether the rest of the word can be cut into units."""
    reachable = np.zeros((letter_count + 1, phone_count + 1), np.bool_)
    reachable[letter_count, phone_count] = True
    for letter in range(letter_count - 1, -1, -1):
        for phone in range(phone_count, -1, -1):
            for shape in range(len(shapes)):
                letters, phones = shapes[shape, 0], shapes[shape, 1]
                if letter + letters <= letter_count and phone + phones <= phone_count:
                    reachable[letter, phone] |= reachable[letter + letters, phone + phones]
    return reachable


@numba.njit(cache=True, nogil=True, inline="always")
def _key(pairs: Pairs, letter: int, letter_count: int, phone: int, phone_count: int) -> int:
    """Return one number for the letters and phones of a unit: digits to ``base``, 0 where there is none."""
    key = 0
    for offset in range(pairs.max_letters):
        key = key * pairs.base + (pairs.letters[letter + offset] if offset < letter_count else 0)
    for offset in range(pairs.max_phones):
        key = key * pairs.base + (pairs.phones[phone + offset] if offset < phone_count else 0)
    return key


@numba.njit(cache=True, nogil=True)
def _find(slots: np.ndarray, key: int) -> int:
    """Return the place of a key in the hash table, or of the free slot where it belongs."""
    mask = len(slots) - 1
    # Fibonacci hashing; the shifts keep the product positive.
    place = ((key * 0x9E3779B1) >> 15) & mask
    while slots[place, 0] != key and slots[place, 0] != _NO_KEY:
        place = (place + 1) & mask
    return place


@numba.njit(cache=True, nogil=True, inline="always")
def _unit(pairs: Pairs, slots: np.ndarray, letter: int, letter_count: int, phone: int, phone_count: int) -> int:
    """Return the number of a unit, -1 if no cut has it."""
    return slots[_find(slots, _key(pairs, letter, letter_count, phone, phone_count)), 1]


@numba.njit(cache=True, nogil=True)
def _doubled(slots: np.ndarray) -> np.ndarray:
    """Return the hash table with twice as many slots."""
    larger = np.full((2 * len(slots), 2), _NO_KEY, np.int64)
    for row in range(len(slots)):
        if slots[row, 0] != _NO_KEY:
            larger[_find(larger, slots[row, 0])] = slots[row]
    return larger
