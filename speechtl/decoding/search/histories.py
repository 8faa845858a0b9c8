"""What tokens remember: links back in time, and for N-best lists the words before them."""

from typing import NamedTuple

import numpy as np

from speechtl.kernels.kernel import kernel


class Links(NamedTuple):
    """Chains back in time, one link for each word."""

    before: np.ndarray
    """``(links,)`` int32: the link of the word before, -1 for none."""
    leaf: np.ndarray
    """``(links,)`` int32: the pronunciation, -1 at the beginning of the sentence."""
    frame: np.ndarray
    """``(links,)`` int32: the frame in which the word ended."""
    graph: np.ndarray
    """``(links,)`` float64: the score of language model and lexicon up to here."""
    used: np.ndarray
    """``(1,)`` int64: links in use."""


class Numbers(NamedTuple):
    """A hash table that numbers pairs of numbers; its length is a power of two."""

    pair: np.ndarray
    """``(places,)`` int64."""
    number: np.ndarray
    """``(places,)`` int32, `VACANT` where nothing is."""
    free: np.ndarray
    """``(1,)`` int64: the number of the next new pair."""


class Histories(NamedTuple):
    """For N-best lists a history is a pair of a state and a word sequence; both have numbers."""

    state: np.ndarray
    """``(histories,)`` int32."""
    words: np.ndarray
    """``(histories,)`` int32: the number of its word sequence; 0 is the empty one."""
    numbers: Numbers
    """Word sequence and state -> history."""
    sequences: Numbers
    """Word sequence and one word more -> word sequence."""


VACANT = -1


@kernel
def slot_of(numbers, pair):
    """Return the place of a pair in the table, or the vacant one where it would be."""
    mask = len(numbers.pair) - 1
    place = np.int64((np.uint64(pair) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(33)) & mask
    while numbers.number[place] >= 0 and numbers.pair[place] != pair:
        place = (place + 1) & mask
    return place


@kernel
def number_of(numbers, first, second):
    """Return the number of a pair of int32; a new one gets the next number."""
    pair = (np.int64(first) << 32) | np.int64(second & 0xFFFFFFFF)
    place = slot_of(numbers, pair)
    if numbers.number[place] < 0:
        numbers.pair[place], numbers.number[place] = pair, numbers.free[0]
        numbers.free[0] += 1
    return numbers.number[place]


@kernel
def history_of(histories, words, state):
    """Return the number of a history."""
    free = histories.numbers.free[0]
    history = number_of(histories.numbers, words, state)
    if history == free:
        histories.state[history], histories.words[history] = state, words
    return history
