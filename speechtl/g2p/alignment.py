"""Many-to-many alignment of letters and phones by expectation maximisation.

S. Jiampojamarn, G. Kondrak and T. Sherif, "Applying many-to-many alignments and hidden Markov models to letter-to-
phoneme conversion", NAACL 2007. A word and its pronunciation are cut into units, each of some letters and some phones;
the probabilities of the units are what makes the whole dictionary most likely. As in J. R. Novak, N. Minematsu and K.
Hirose, "WFST-based grapheme-to-phoneme conversion", FSMNLP 2012, a unit has several letters or several phones, not
both, since units of several letters and several phones would learn the dictionary by heart.
"""

import dataclasses
from collections.abc import Sequence

import numba
import numpy as np

from speechtl.errors import LexiconError

# Scaled by this for each letter and phone that it covers, a unit's probability stays near 1: the product over a word of
# fifty letters would otherwise leave the range of floating-point numbers. Every path of a word gets the same factor.
_SCALE = 12.0
_NO_KEY = -1


@dataclasses.dataclass(frozen=True)
class Units:
    """The units that an alignment cuts words into.

    Attributes:
        letters: per unit, its letters.
        phones: per unit, its phones; none for silent letters.
        probabilities: per unit, float64, as the last iteration estimated them; they sum to 1.
    """

    letters: list[str]
    phones: list[tuple[str, ...]]
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True)
class GraphemeAlignment:
    """Words and pronunciations cut into units.

    Attributes:
        units: what the numbers in ``sequences`` mean.
        sequences: per pair its units, first to last; None for a pair that has more phones than its letters can hold.
        log_likelihoods: of the pairs that could be aligned, per iteration.
    """

    units: Units
    sequences: list[list[int] | None]
    log_likelihoods: list[float]


def align_spellings(
    words: Sequence[str],
    pronunciations: Sequence[Sequence[str]],
    *,
    max_letters: int = 1,
    max_phones: int = 2,
    iterations: int = 11,
) -> GraphemeAlignment:
    """Cut words and pronunciations into units by expectation maximisation, then take the most likely cut of each.

    A unit has one letter and 0 to ``max_phones`` phones, or up to ``max_letters`` letters and one phone.

    Args:
        words: the spellings, not empty.
        pronunciations: the phones of each, not empty.
        max_letters: at most 4.
        max_phones: at most 4.
        iterations: of expectation maximisation.

    Raises:
        LexiconError: no pair can be aligned.
    """
    letter_names = sorted({letter for word in words for letter in word})
    phone_names = sorted({phone for phones in pronunciations for phone in phones})
    letter_ids = {letter: number for number, letter in enumerate(letter_names, start=1)}
    phone_ids = {phone: number for number, phone in enumerate(phone_names, start=1)}
    letters, letter_starts = _pack([[letter_ids[letter] for letter in word] for word in words])
    phones, phone_starts = _pack([[phone_ids[phone] for phone in said] for said in pronunciations])
    base = max(len(letter_names), len(phone_names)) + 1
    if base ** (max(max_letters, 1) + max(max_phones, 1)) >= 2**62:
        raise LexiconError(f"too many different letters ({len(letter_names)}) for units of {max_letters} letters")
    moves = _moves(max_letters, max_phones)
    arguments = (letters, letter_starts, phones, phone_starts, base, max_letters, max_phones, moves)
    keys, slots = _collect_units(*arguments)
    if not len(keys):
        raise LexiconError("no word can be aligned with its phones: every word has too many phones for its letters")
    probabilities = np.full(len(keys), 1.0 / len(keys))
    log_likelihoods = []
    for _ in range(iterations):
        counts, log_likelihood = _expect(*arguments, slots, probabilities)
        probabilities = counts / counts.sum()
        log_likelihoods.append(float(log_likelihood))
    paths, path_starts = _best_paths(*arguments, slots, probabilities)
    used = np.unique(paths)
    renumbered = np.zeros(len(keys), np.int64)
    renumbered[used] = np.arange(len(used))
    paths = renumbered[paths]
    sequences: list[list[int] | None] = []
    for number in range(len(words)):
        path = paths[path_starts[number] : path_starts[number + 1]].tolist()
        sequences.append(path or None)
    names = [_unpack(int(keys[unit]), base, max_phones) for unit in used]
    units = Units(
        ["".join(letter_names[i - 1] for i in own_letters) for own_letters, _ in names],
        [tuple(phone_names[i - 1] for i in own_phones) for _, own_phones in names],
        probabilities[used] / probabilities[used].sum(),
    )
    return GraphemeAlignment(units, sequences, log_likelihoods)


def _pack(sequences: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.zeros(len(sequences) + 1, np.int64)
    np.cumsum([len(sequence) for sequence in sequences], out=starts[1:])
    return np.array([item for sequence in sequences for item in sequence], np.int64), starts


def _moves(max_letters: int, max_phones: int) -> np.ndarray:
    """Return the shapes of units, (shapes, 2): how many letters and how many phones."""
    shapes = [(1, count) for count in range(max_phones + 1)] + [(count, 1) for count in range(2, max_letters + 1)]
    return np.array(shapes, np.int64)


def _unpack(key: int, base: int, max_phones: int) -> tuple[list[int], list[int]]:
    digits = []
    while key:
        key, digit = divmod(key, base)
        digits.append(digit)
    phones = [digit for digit in digits[:max_phones] if digit]
    return [digit for digit in digits[max_phones:] if digit][::-1], phones[::-1]


@numba.njit(cache=True, nogil=True)
def _key(letters, letter, letter_count, phones, phone, phone_count, base, max_letters, max_phones):
    """Return one number for the letters and phones of a unit: digits to ``base``, 0 where there is none."""
    key = 0
    for offset in range(max_letters):
        key = key * base + (letters[letter + offset] if offset < letter_count else 0)
    for offset in range(max_phones):
        key = key * base + (phones[phone + offset] if offset < phone_count else 0)
    return key


@numba.njit(cache=True, nogil=True)
def _find(slots, key):
    """Return the place of a key in the hash table, or of the free slot where it belongs."""
    mask = len(slots) - 1
    # Fibonacci hashing; the shifts keep the product positive.
    place = ((key * 0x9E3779B1) >> 15) & mask
    while slots[place, 0] != key and slots[place, 0] != _NO_KEY:
        place = (place + 1) & mask
    return place


@numba.njit(cache=True, nogil=True)
def _reachable(letter_count, phone_count, moves):
    """Tell for each (letters, phones) that are done whether the rest of the word can be cut into units."""
    reachable = np.zeros((letter_count + 1, phone_count + 1), np.bool_)
    reachable[letter_count, phone_count] = True
    for letter in range(letter_count - 1, -1, -1):
        for phone in range(phone_count, -1, -1):
            for move in range(len(moves)):
                letters, phones = moves[move, 0], moves[move, 1]
                if letter + letters <= letter_count and phone + phones <= phone_count:
                    reachable[letter, phone] |= reachable[letter + letters, phone + phones]
    return reachable


@numba.njit(cache=True, nogil=True)
def _collect_units(letters, letter_starts, phones, phone_starts, base, max_letters, max_phones, moves):
    """Return the keys of all units that any cut of any word has, and the hash table from key to number."""
    slots = np.full((1 << 12, 2), _NO_KEY, np.int64)
    count = 0
    for word in range(len(letter_starts) - 1):
        first_letter, first_phone = letter_starts[word], phone_starts[word]
        letter_count = letter_starts[word + 1] - first_letter
        phone_count = phone_starts[word + 1] - first_phone
        reachable = _reachable(letter_count, phone_count, moves)
        if not reachable[0, 0]:
            continue
        seen = np.zeros((letter_count + 1, phone_count + 1), np.bool_)
        seen[0, 0] = True
        for letter in range(letter_count):
            for phone in range(phone_count + 1):
                if not (seen[letter, phone] and reachable[letter, phone]):
                    continue
                for move in range(len(moves)):
                    m, n = moves[move, 0], moves[move, 1]
                    if letter + m > letter_count or phone + n > phone_count or not reachable[letter + m, phone + n]:
                        continue
                    seen[letter + m, phone + n] = True
                    key = _key(
                        letters, first_letter + letter, m, phones, first_phone + phone, n, base, max_letters, max_phones
                    )
                    place = _find(slots, key)
                    if slots[place, 0] == _NO_KEY:
                        slots[place, 0], slots[place, 1] = key, count
                        count += 1
                        if 2 * count > len(slots):
                            old = slots
                            slots = np.full((2 * len(old), 2), _NO_KEY, np.int64)
                            for row in range(len(old)):
                                if old[row, 0] != _NO_KEY:
                                    slots[_find(slots, old[row, 0])] = old[row]
    keys = np.zeros(count, np.int64)
    for row in range(len(slots)):
        if slots[row, 0] != _NO_KEY:
            keys[slots[row, 1]] = slots[row, 0]
    return keys, slots


@numba.njit(cache=True, nogil=True)
def _expect(letters, letter_starts, phones, phone_starts, base, max_letters, max_phones, moves, slots, probabilities):
    """Return the expected count of every unit (forward-backward over all cuts), and the log likelihood."""
    counts = np.zeros(len(probabilities))
    log_likelihood = 0.0
    for word in range(len(letter_starts) - 1):
        first_letter, first_phone = letter_starts[word], phone_starts[word]
        letter_count = letter_starts[word + 1] - first_letter
        phone_count = phone_starts[word + 1] - first_phone
        backward = np.zeros((letter_count + 1, phone_count + 1))
        backward[letter_count, phone_count] = 1.0
        number = np.full((letter_count, phone_count + 1, len(moves)), -1, np.int64)
        for letter in range(letter_count - 1, -1, -1):
            for phone in range(phone_count, -1, -1):
                for move in range(len(moves)):
                    m, n = moves[move, 0], moves[move, 1]
                    if letter + m > letter_count or phone + n > phone_count:
                        continue
                    rest = backward[letter + m, phone + n]
                    if rest == 0.0:
                        continue
                    key = _key(
                        letters, first_letter + letter, m, phones, first_phone + phone, n, base, max_letters, max_phones
                    )
                    place = _find(slots, key)
                    if slots[place, 0] == _NO_KEY:
                        continue
                    unit = slots[place, 1]
                    number[letter, phone, move] = unit
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
                for move in range(len(moves)):
                    m, n = moves[move, 0], moves[move, 1]
                    unit = number[letter, phone, move]
                    if unit < 0:
                        continue
                    weight = forward[letter, phone] * probabilities[unit] * _SCALE ** (m + n)
                    forward[letter + m, phone + n] += weight
                    counts[unit] += weight * backward[letter + m, phone + n] / total
    return counts, log_likelihood


@numba.njit(cache=True, nogil=True)
def _best_paths(
    letters, letter_starts, phones, phone_starts, base, max_letters, max_phones, moves, slots, probabilities
):
    """Return the units of the most likely cut of every word, one behind the other, and where each word starts."""
    logs = np.log(np.maximum(probabilities, 1e-300))
    paths = np.zeros(len(letters), np.int64)
    starts = np.zeros(len(letter_starts), np.int64)
    length = 0
    for word in range(len(letter_starts) - 1):
        first_letter, first_phone = letter_starts[word], phone_starts[word]
        letter_count = letter_starts[word + 1] - first_letter
        phone_count = phone_starts[word + 1] - first_phone
        best = np.full((letter_count + 1, phone_count + 1), -np.inf)
        best[letter_count, phone_count] = 0.0
        choice = np.zeros((letter_count + 1, phone_count + 1), np.int64)
        chosen = np.zeros((letter_count + 1, phone_count + 1), np.int64)
        for letter in range(letter_count - 1, -1, -1):
            for phone in range(phone_count, -1, -1):
                for move in range(len(moves)):
                    m, n = moves[move, 0], moves[move, 1]
                    if letter + m > letter_count or phone + n > phone_count:
                        continue
                    rest = best[letter + m, phone + n]
                    if rest == -np.inf:
                        continue
                    key = _key(
                        letters, first_letter + letter, m, phones, first_phone + phone, n, base, max_letters, max_phones
                    )
                    place = _find(slots, key)
                    if slots[place, 0] == _NO_KEY:
                        continue
                    unit = slots[place, 1]
                    if logs[unit] + rest > best[letter, phone]:
                        best[letter, phone] = logs[unit] + rest
                        choice[letter, phone] = move
                        chosen[letter, phone] = unit
        if best[0, 0] > -np.inf:
            letter, phone = 0, 0
            while letter < letter_count:
                paths[length] = chosen[letter, phone]
                length += 1
                m, n = moves[choice[letter, phone], 0], moves[choice[letter, phone], 1]
                letter += m
                phone += n
        starts[word + 1] = length
    return paths[:length], starts
