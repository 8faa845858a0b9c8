"""Work in pieces: nothing is lost, nothing comes twice, and the order is kept, whoever computes."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.errors import DataError
from speechtl.pieces import PIECE_SECONDS, Done, Here, Pace, Processes, Workers, spread


class Shuffled(Workers):
    """Workers that end in any order, at a speed of one weight per second."""

    count = 3

    def __init__(self, seed=0):
        self.random, self.sizes = random.Random(seed), []

    def run(self, function, pieces):
        waiting = []
        numbered = enumerate(pieces)
        while True:
            for number, piece in numbered:
                waiting.append((number, piece))
                if len(waiting) >= 2 * self.count:
                    break
            if not waiting:
                return
            number, piece = waiting.pop(self.random.randrange(len(waiting)))
            self.sizes.append(sum(piece))
            yield Done(number, piece, function(piece), float(sum(piece)))


def squares(items):
    return (item * item for item in items)


def reciprocals(items):
    return [1 / item for item in items]


def die(items):
    os._exit(9)


@given(st.lists(st.integers(1, 100), max_size=60), st.integers(0, 5))
def test_results_come_in_order_whatever_the_order_of_pieces(items, seed):
    workers = Shuffled(seed)
    assert list(spread(workers, squares, items, float, 20.0)) == [item * item for item in items]
    assert list(spread(Here(), squares, items, float, 20.0)) == [item * item for item in items]


def test_pieces_become_a_minute_of_computing_and_small_towards_the_end():
    workers = Shuffled()
    list(spread(workers, squares, [1] * 5000, float, 5.0))
    assert workers.sizes[0] == 5
    assert max(workers.sizes) == PIECE_SECONDS
    assert sum(size == PIECE_SECONDS for size in workers.sizes) > 70
    # The last pieces of all workers are computed at the same time; none of them is waited for by the others.
    assert max(workers.sizes[-3:]) <= PIECE_SECONDS / 4


@given(
    st.lists(st.floats(0.1, 50), max_size=50),
    st.floats(0.1, 100),
    st.integers(1, 10),
    st.floats(1, 100),
)
def test_pieces_keep_to_their_limits(items, first, most, heaviest):
    pace = Pace(Here(), float, first, most=most, heaviest=heaviest)
    pieces = list(pace.cut(items))
    assert [item for piece in pieces for item in piece] == items
    for piece in pieces:
        assert 1 <= len(piece) <= most
        assert sum(piece[:-1]) < heaviest


def test_processes_compute_the_same():
    assert list(spread(Processes(2), reciprocals, [1, 2, 4, 5], lambda item: 1.0, 1.0)) == [1, 0.5, 0.25, 0.2]


def test_a_process_that_dies_is_told():
    with pytest.raises(DataError, match=r"a process that computes died .*run the command again"):
        list(spread(Processes(2), die, [1, 2], float, 1.0))
