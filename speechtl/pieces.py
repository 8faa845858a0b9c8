"""Work in pieces, computed here, in several processes or on a cluster: one interface, whichever it is.

A piece is about a minute of computing: short enough that a lost worker costs little and that all end together, long
enough that handing it out costs nothing.
"""

import abc
import dataclasses
import multiprocessing
import os
import pickle
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from speechtl.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

PIECE_SECONDS = 60.0
"""Seconds of computing in a piece."""

ONE_THREAD = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
"""Environment of a process that computes with one thread; it counts if it is set before TensorFlow is imported."""


def processors() -> int:
    """Return how many processors this process may run on; ``OMP_NUM_THREADS`` may say fewer."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isascii() and told.isdecimal() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Done(NamedTuple):
    """A piece that was computed: its number, itself, what came out and the seconds that it took."""

    number: int
    piece: Any
    result: Any
    seconds: float


class Workers(abc.ABC):
    """Whatever computes pieces.

    Attributes:
        here: pieces are computed in this process, one after the other.
        elsewhere: pieces may be computed on other machines.
    """

    here = False
    elsewhere = False

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many pieces are computed at once, now."""

    @abc.abstractmethod
    def run(self, function: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterator[Done]:
        """Compute pieces; they are taken as they are needed, a few more than are computed at once.

        Args:
            function: computes one. Elsewhere than here it is pickled, and unpickled once in each process: what takes
                long to make is made there if its ``__reduce__`` says so.
            pieces: that can be pickled, as must be the results.

        Yields:
            Each piece when it is done, in any order.

        Raises:
            SpeechtlError: what ``function`` raised, or no worker is left to compute a piece.
        """

    def see(self, path: Path) -> bool:
        """Tell whether all workers can read a file of this machine, now."""
        return True

    def require(self, paths: Iterable[str | Path | None]) -> None:
        """Check that workers can read paths that are there on this machine.

        Raises:
            DataError: lists those that one cannot, and says what to do.
        """
        return


class Here(Workers):
    """This process."""

    here = True
    count = 1

    def run(self, function: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterator[Done]:
        """Compute one piece after the other; see `Workers.run`."""
        for number, piece in enumerate(pieces):
            started = time.perf_counter()
            result = function(piece)
            yield Done(number, piece, result, time.perf_counter() - started)


class Processes(Workers):
    """Processes of this machine, with one thread each.

    Args:
        count: how many.
    """

    count = 1

    def __init__(self, count: int):
        self.count = count

    def run(self, function: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterator[Done]:
        """Compute pieces in new processes; see `Workers.run`."""
        # Not forked, because TensorFlow may be running in this process, and does not support forking.
        context = multiprocessing.get_context("spawn")
        pending: dict[Future[tuple[Any, float]], tuple[int, Any]] = {}
        numbered, more = enumerate(pieces), True
        with ProcessPoolExecutor(self.count, context, _prepare, (pickle.dumps(function),)) as pool:
            try:
                while more or pending:
                    room = 2 * self.count - len(pending) if more else 0
                    for number, piece in islice(numbered, room):
                        pending[pool.submit(_compute, piece)] = number, piece
                        room -= 1
                    more = more and room <= 0
                    for future in wait(pending, return_when=FIRST_COMPLETED).done:
                        yield Done(*pending.pop(future), *future.result())
            except BrokenProcessPool as error:
                raise DataError(
                    "a process that computes died (perhaps killed for lack of memory); run the command again "
                    "to continue, with fewer processes (--nj) if need be"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)


_function: Callable[[Any], Any] | None = None


def _prepare(pickled: bytes) -> None:
    global _function
    limit_threads()
    # Several processes cannot share one GPU if each allocates all of its memory.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _function = pickle.loads(pickled)


def _compute(piece: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    result = _function(piece) if _function is not None else None
    return result, time.perf_counter() - started


def limit_threads() -> None:
    """Restrict TensorFlow to one thread; must be called before TensorFlow is imported.

    Otherwise every process would start a thread for every core.
    """
    os.environ.update(ONE_THREAD)


class Pace(Generic[Item]):
    """Cuts work into pieces of about a minute, by how long those before took.

    Towards the end pieces become smaller, so that all workers finish together.

    Args:
        workers: that compute them.
        weight: how much work an item is, in any unit.
        first: weight of a piece before one was computed.
        most: items in a piece.
        heaviest: weight of a piece, in any case.
    """

    def __init__(
        self,
        workers: Workers,
        weight: Callable[[Item], float],
        first: float,
        *,
        most: float = float("inf"),
        heaviest: float = float("inf"),
    ):
        self.workers, self.weight, self.most, self.heaviest = workers, weight, most, heaviest
        self._first = first
        # The first pieces of a worker are slow, since it has to load what it computes with.
        self._speeds: deque[float] = deque(maxlen=15)

    def cut(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """Yield the items in pieces, in order."""
        left = sum(map(self.weight, items))
        piece: list[Item] = []
        size = 0.0
        for item in items:
            if piece and (size >= self._size(left) or len(piece) >= self.most or size >= self.heaviest):
                yield piece
                left, piece, size = left - size, [], 0.0
            piece.append(item)
            size += self.weight(item)
        if piece:
            yield piece

    def _size(self, left: float) -> float:
        whole = statistics.median(self._speeds) * PIECE_SECONDS if self._speeds else self._first
        count = self.workers.count
        return whole if count == 1 else max(min(whole, left / (2 * count)), whole / 60)

    def learn(self, piece: Iterable[Item], seconds: float) -> None:
        """Take into account how long a piece took."""
        self._speeds.append(sum(map(self.weight, piece)) / max(seconds, 1e-6))


@dataclasses.dataclass(frozen=True)
class _Listed:
    """A function whose results are all there when it returns."""

    function: Callable[[Any], Iterable[Any]]

    def __call__(self, piece: Any) -> list[Any]:
        return list(self.function(piece))


def spread(
    workers: Workers,
    function: Callable[[Sequence[Item]], Iterable[Result]],
    items: Sequence[Item],
    weight: Callable[[Item], float],
    first: float,
) -> Iterator[Result]:
    """Yield the results of items in their order.

    Args:
        workers: that compute them.
        function: computes results of items; for the function itself see `Workers.run`. Here it is called once, with
            all items, and its results are taken one by one.
        items: that may be computed in pieces.
        weight: how much work an item is, in any unit.
        first: weight of a piece before one was computed.
    """
    if workers.here:
        yield from function(items)
        return
    pace = Pace(workers, weight, first)
    early: dict[int, list[Result]] = {}
    following = 0
    for done in workers.run(_Listed(function), pace.cut(items)):
        pace.learn(done.piece, done.seconds)
        early[done.number] = done.result
        while following in early:
            yield from early.pop(following)
            following += 1
