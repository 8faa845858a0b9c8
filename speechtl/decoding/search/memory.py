"""What the search writes to: arrays that grow while kernels, which cannot make arrays, wait (see ``token_passing``)."""

from typing import NamedTuple

import numpy as np

from speechtl.decoding.search.front import Front, Moves
from speechtl.decoding.search.histories import VACANT, Histories, Links, Numbers, slot_of
from speechtl.kernels.kept import KeptKernel
from speechtl.kernels.kernel import kernel
from speechtl.kernels.packed import Packed

_ROOM = 1 << 10
# Kinds of room, all of them powers of two.
ROOM_TOKENS, ROOM_GROUPS, ROOM_MOVES, ROOM_LINKS, ROOM_HISTORIES, ROOM_SEQUENCES = range(6)
KINDS = 6


class Finder(NamedTuple):
    """Where groups are found by history."""

    table: np.ndarray
    """``(4 groups,)`` int32: a hash table of groups; its length is a power of two."""
    stamp: np.ndarray
    """``(4 groups,)`` int32: the frame in which each place was filled."""


class Memory(NamedTuple):
    """Room for a search."""

    even: Front
    odd: Front
    """The tokens of a frame and those of the one before, in turn."""
    moves: Moves
    enders: np.ndarray
    """``(tokens, 2)`` int32: token and group of the tokens at which words end."""
    tops: np.ndarray
    """``(tokens + groups,)`` float64: scores of tokens while the best of them are chosen."""
    finder: Finder
    links: Links
    histories: Histories


def new_memory() -> Memory:
    """Return room for a short utterance."""
    return Memory(
        _front(),
        _front(),
        Moves(
            np.empty((_ROOM, 2), np.int32),
            np.empty((_ROOM, 4), np.int32),
            np.empty((_ROOM, 3), np.float64),
            np.zeros(1, np.int64),
        ),
        np.empty((_ROOM, 2), np.int32),
        np.empty(2 * _ROOM, np.float64),
        Finder(np.empty(4 * _ROOM, np.int32), np.full(4 * _ROOM, -1, np.int32)),
        Links(
            np.empty(_ROOM, np.int32),
            np.empty(_ROOM, np.int32),
            np.empty(_ROOM, np.int32),
            np.empty(_ROOM, np.float64),
            np.zeros(1, np.int64),
        ),
        # Sequence 0 is the empty one.
        Histories(np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32), _numbers(0), _numbers(1)),
    )


def larger_memory(memory: Memory, needs: np.ndarray) -> Memory:
    """Return memory with what is in this one and room for ``needs`` ``(KINDS,)`` of each kind."""
    tokens = _size(len(memory.enders), needs[ROOM_TOKENS])
    groups = _size(len(memory.even.groups), needs[ROOM_GROUPS])
    moves, room = memory.moves, _size(len(memory.moves.scores), needs[ROOM_MOVES])
    return Memory(
        _larger_front(memory.even, tokens, groups),
        _larger_front(memory.odd, tokens, groups),
        Moves(_rows(moves.ranges, groups), _rows(moves.places, room), _rows(moves.scores, room), moves.used),
        _rows(memory.enders, tokens),
        _list(memory.tops, tokens + groups),
        _larger_finder(memory.finder, groups),
        _larger_links(memory.links, needs[ROOM_LINKS]),
        _larger_histories(memory.histories, needs[ROOM_HISTORIES], needs[ROOM_SEQUENCES]),
    )


def clear(memory: Memory) -> None:
    """Make a memory as a new one, apart from its size."""
    histories = memory.histories
    for counts in (memory.even.counts, memory.odd.counts, memory.moves.used, memory.links.used):
        counts[:] = 0
    # Stamps are numbers of frames, which begin anew.
    memory.finder.stamp.fill(-1)
    for first, numbers in enumerate((histories.numbers, histories.sequences)):
        numbers.number.fill(VACANT)
        numbers.free[:] = first


def has_less(memory: Memory, needs: np.ndarray) -> bool:
    """Whether there is too little room for ``needs`` of groups, links and histories."""
    rooms = {ROOM_GROUPS: memory.even.groups, ROOM_LINKS: memory.links.leaf, ROOM_HISTORIES: memory.histories.state}
    return any(needs[kind] > len(array) for kind, array in rooms.items())


def size_of(memory: Memory) -> int:
    """Return the bytes of what grows."""
    histories = memory.histories
    arrays = (*memory.even[:4], *memory.moves[:3], *memory.links[:4], *histories.numbers[:2], *histories.sequences[:2])
    return sum(array.nbytes for array in arrays)


def _front() -> Front:
    return Front(
        np.empty((_ROOM, 8), np.int32),
        np.empty((_ROOM, 3), np.float64),
        np.empty((_ROOM, 7), np.int32),
        np.empty((_ROOM, 4), np.float64),
        np.zeros(2, np.int64),
    )


def _numbers(first: int) -> Numbers:
    return Numbers(np.empty(2 * _ROOM, np.int64), np.full(2 * _ROOM, VACANT, np.int32), np.full(1, first, np.int64))


def _larger_front(front: Front, tokens: int, groups: int) -> Front:
    return Front(
        _rows(front.tokens, tokens),
        _rows(front.scores, tokens),
        _rows(front.groups, groups),
        _rows(front.group_scores, groups),
        front.counts,
    )


def _larger_finder(finder: Finder, groups: int) -> Finder:
    if 4 * groups <= len(finder.table):
        return finder
    return Finder(np.empty(4 * groups, np.int32), np.full(4 * groups, -1, np.int32))


def _larger_links(links: Links, count: int) -> Links:
    size = _size(len(links.leaf), count)
    return Links(
        _list(links.before, size),
        _list(links.leaf, size),
        _list(links.frame, size),
        _list(links.graph, size),
        links.used,
    )


def _larger_histories(histories: Histories, count: int, sequences: int) -> Histories:
    size = _size(len(histories.state), count)
    return Histories(
        _list(histories.state, size),
        _list(histories.words, size),
        _larger_numbers(histories.numbers, 2 * size),
        _larger_numbers(histories.sequences, _size(len(histories.sequences.pair), 2 * sequences)),
    )


def _larger_numbers(numbers: Numbers, size: int) -> Numbers:
    if size <= len(numbers.pair):
        return numbers
    result = Numbers(np.empty(size, np.int64), np.full(size, VACANT, np.int32), numbers.free)
    _refill_kept(Packed(numbers), Packed(result))
    return result


@kernel
def _refill(numbers, result):
    """Put all pairs of a table into a larger one."""
    for place in range(len(numbers.pair)):
        pair, number = numbers.pair[place], numbers.number[place]
        if number >= 0:
            slot = slot_of(result, pair)
            result.pair[slot], result.number[slot] = pair, number


_refill_kept = KeptKernel(_refill)


def _size(size: int, count: int) -> int:
    while size < count:
        size *= 2
    return size


def _rows(array: np.ndarray, size: int) -> np.ndarray:
    if size <= len(array):
        return array
    result = np.empty((size, array.shape[1]), array.dtype)
    result[: len(array)] = array
    return result


def _list(array: np.ndarray, size: int) -> np.ndarray:
    if size <= len(array):
        return array
    result = np.empty(size, array.dtype)
    result[: len(array)] = array
    return result
