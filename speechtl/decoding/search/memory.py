"""What the search writes to: arrays that grow while kernels, which cannot make arrays, wait (see ``token_passing``)."""

from typing import NamedTuple

import numpy as np
from numba import njit

from speechtl.decoding.search.token_moves import Front, Moves
from speechtl.decoding.search.word_ends import Histories, Links, Numbers, number_of

_ROOM = 1 << 10
# Kinds of room, all of them powers of two.
TOKENS, GROUPS, MOVES, LINKS, HISTORIES, SEQUENCES = range(6)
KINDS = 6


class Memory(NamedTuple):
    """Room for a search."""

    even: Front
    odd: Front
    """The tokens of a frame and those of the one before, in turn."""
    moves: Moves
    enders: np.ndarray
    """``(tokens, 2)`` int32: token and group of the tokens at which words end."""
    tops: np.ndarray
    """``(tokens + groups,)`` float64: scores of tokens while the best so many are chosen."""
    table: np.ndarray
    stamp: np.ndarray
    """``(4 groups,)`` int32: where groups are found by history, and the frame in which this place was filled."""
    links: Links
    histories: Histories
    numbers_of_words: Numbers
    numbers_of_histories: Numbers
    """For N-best lists: words before and word -> number of the sequence; sequence and state -> history."""


@njit(nogil=True, cache=True)
def new_memory():
    """Return room for a short utterance."""
    return Memory(
        _front(),
        _front(),
        Moves(np.empty((_ROOM, 2), np.int32), np.empty((_ROOM, 4), np.int32), np.empty((_ROOM, 3), np.float64)),
        np.empty((_ROOM, 2), np.int32),
        np.empty(2 * _ROOM, np.float64),
        np.empty(4 * _ROOM, np.int32),
        np.full(4 * _ROOM, -1, np.int32),
        Links(
            np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32), np.empty(_ROOM, np.float64)
        ),
        Histories(np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32)),
        Numbers(np.empty(2 * _ROOM, np.int64), np.full(2 * _ROOM, -1, np.int32)),
        Numbers(np.empty(2 * _ROOM, np.int64), np.full(2 * _ROOM, -1, np.int32)),
    )


@njit(nogil=True, cache=True)
def larger_memory(memory, needs):
    """Return memory with what is in this one and room for ``needs`` ``(KINDS,)`` of each kind."""
    tokens, groups = _size(len(memory.enders), needs[TOKENS]), _size(len(memory.even.groups), needs[GROUPS])
    links, histories = _size(len(memory.links.leaf), needs[LINKS]), _size(len(memory.histories.state), needs[HISTORIES])
    moves, sequences = memory.moves, _size(len(memory.numbers_of_words.pair), 2 * needs[SEQUENCES])
    room = _size(len(moves.scores), needs[MOVES])
    more_groups = 4 * groups > len(memory.table)
    return Memory(
        _larger_front(memory.even, tokens, groups),
        _larger_front(memory.odd, tokens, groups),
        Moves(_rows(moves.ranges, groups), _rows(moves.places, room), _rows(moves.scores, room)),
        _rows(memory.enders, tokens),
        _list(memory.tops, tokens + groups),
        np.empty(4 * groups, np.int32) if more_groups else memory.table,
        np.full(4 * groups, -1, np.int32) if more_groups else memory.stamp,
        Links(
            _list(memory.links.before, links),
            _list(memory.links.leaf, links),
            _list(memory.links.frame, links),
            _list(memory.links.graph, links),
        ),
        Histories(_list(memory.histories.state, histories), _list(memory.histories.words, histories)),
        _larger_numbers(memory.numbers_of_words, sequences),
        _larger_numbers(memory.numbers_of_histories, 2 * histories),
    )


@njit(nogil=True, cache=True)
def _front():
    return Front(
        np.empty((_ROOM, 8), np.int32),
        np.empty((_ROOM, 3), np.float64),
        np.empty((_ROOM, 7), np.int32),
        np.empty((_ROOM, 4), np.float64),
    )


@njit(nogil=True, cache=True)
def _larger_front(front, tokens, groups):
    return Front(
        _rows(front.tokens, tokens),
        _rows(front.scores, tokens),
        _rows(front.groups, groups),
        _rows(front.group_scores, groups),
    )


@njit(nogil=True, cache=True)
def _size(size, count):
    while size < count:
        size *= 2
    return size


@njit(nogil=True, cache=True)
def _rows(array, size):
    if size <= len(array):
        return array
    result = np.empty((size, array.shape[1]), array.dtype)
    result[: len(array)] = array
    return result


@njit(nogil=True, cache=True)
def _list(array, size):
    if size <= len(array):
        return array
    result = np.empty(size, array.dtype)
    result[: len(array)] = array
    return result


@njit(nogil=True, cache=True)
def _larger_numbers(numbers, size):
    if size <= len(numbers.pair):
        return numbers
    result = Numbers(np.empty(size, np.int64), np.full(size, -1, np.int32))
    for place in range(len(numbers.pair)):
        pair, number = numbers.pair[place], numbers.number[place]
        if number >= 0:
            number_of(result, np.int32(pair >> 32), np.int32(pair & 0xFFFFFFFF), number)
    return result
