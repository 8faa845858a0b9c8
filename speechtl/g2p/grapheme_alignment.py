"""Many-to-many alignment of letters and phones by expectation maximisation.

S. Jiampojamarn, G. Kondrak and T. Sherif, "Applying many-to-many alignments and hidden Markov models to letter-to-
phoneme conversion", NAACL 2007. A word and its pronunciation are cut into units, each of some letters and some phones;
the probabilities of the units are what makes the whole dictionary most likely. As in J. R. Novak, N. Minematsu and K.
Hirose, "WFST-based grapheme-to-phoneme conversion", FSMNLP 2012, a unit has several letters or several phones, not
both, since units of several letters and several phones would memorise the dictionary.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from speechtl.errors import LexiconError
from speechtl.g2p.alignment_kernel import Pairs, best_cuts, collect_units, expect, unit_shapes


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
    phones, phone_starts = _pack([[phone_ids[phone] for phone in pronunciation] for pronunciation in pronunciations])
    base = max(len(letter_names), len(phone_names)) + 1
    if base ** (max(max_letters, 1) + max(max_phones, 1)) >= 2**62:
        raise LexiconError(f"too many different letters ({len(letter_names)}) for units of {max_letters} letters")
    shapes = unit_shapes(max_letters, max_phones)
    pairs = Pairs(letters, letter_starts, phones, phone_starts, base, max_letters, max_phones, shapes)
    keys, slots = collect_units(pairs)
    if not len(keys):
        raise LexiconError("no word can be aligned with its phones: every word has too many phones for its letters")
    probabilities = np.full(len(keys), 1.0 / len(keys))
    log_likelihoods = []
    for _ in range(iterations):
        counts, log_likelihood = expect(pairs, slots, probabilities)
        probabilities = counts / counts.sum()
        log_likelihoods.append(float(log_likelihood))
    paths, path_starts = best_cuts(pairs, slots, probabilities)
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
        ["".join(letter_names[i - 1] for i in unit_letters) for unit_letters, _ in names],
        [tuple(phone_names[i - 1] for i in unit_phones) for _, unit_phones in names],
        probabilities[used] / probabilities[used].sum(),
    )
    return GraphemeAlignment(units, sequences, log_likelihoods)


def _pack(sequences: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.zeros(len(sequences) + 1, np.int64)
    np.cumsum([len(sequence) for sequence in sequences], out=starts[1:])
    return np.array([item for sequence in sequences for item in sequence], np.int64), starts


def _unpack(key: int, base: int, max_phones: int) -> tuple[list[int], list[int]]:
    digits = []
    while key:
        key, digit = divmod(key, base)
        digits.append(digit)
    phones = [digit for digit in digits[:max_phones] if digit]
    return [digit for digit in digits[max_phones:] if digit][::-1], phones[::-1]
