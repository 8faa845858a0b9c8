"""Which workers of a cluster answer: so that one that has died is named, and the others do not wait for ever."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import tensorflow as tf

from speechtl.errors import DataError

# Seconds between two looks at a worker, and until it must have answered.
_EVERY, _ANSWER = 3.0, 3.0
# A worker is gone after so many looks without an answer.
_LOOKS = 4
# Seconds for all workers to come; queues do not start all at once.
_ARRIVAL = 600.0
# Seconds within which the ports of a worker that fails in order are closed.
_CLOSING = 10.0
# Seconds that the others have to notice by themselves that one is gone, which ends them in order.
_NOTICE = 20.0

_ADVICE = "the last checkpoint is kept; run the same command again, with any number of workers"


class WorkerWatch:
    """Looks at the ports of the other workers from time to time.

    Attributes:
        addresses: of all workers, in order; none of a single process.
    """

    def __init__(self, addresses: Sequence[str], index: int):
        """Begin to watch.

        Args:
            addresses: ``host:port`` of each worker.
            index: of this one.
        """
        self.addresses, self.index = list(addresses), index
        self._gone: list[int] = []
        self._over, self._all_there = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="worker watch", daemon=True)
        self._thread.start()

    def all_there(self) -> None:
        """Say that every worker has come."""
        self._all_there.set()

    def close(self) -> None:
        """End the watch."""
        self._over.set()
        self._thread.join()

    def explain(self, error: Exception) -> Exception:
        """Return an error that names the workers that are gone, or the given one if all of them answer."""
        gone, until = self._gone, time.monotonic() + _CLOSING
        while not gone and time.monotonic() < until:
            gone = self._look(range(len(self.addresses)))
            time.sleep(0 if gone else 0.5)
        return DataError(self._message(gone, "has died")) if gone else error

    def _message(self, gone: Sequence[int], what: str) -> str:
        names = ", ".join(f"worker {number} ({self.addresses[number]})" for number in gone)
        return f"{names} {what}; {_ADVICE}"

    def _look(self, numbers: Sequence[int]) -> list[int]:
        return [number for number in numbers if number != self.index and not answers(self.addresses[number])]

    def _watch(self) -> None:
        waited = 0.0
        while not self._all_there.is_set():
            if self._over.wait(_EVERY):
                return
            waited += _EVERY
            if waited > _ARRIVAL and (absent := self._look(range(len(self.addresses)))):
                self._end(self._message(absent, f"has not come within {_ARRIVAL / 60:.0f} minutes"))
        silent = dict.fromkeys(range(len(self.addresses)), 0)
        while not self._over.wait(_EVERY):
            missed = self._look(range(len(self.addresses)))
            silent = {number: silent[number] + 1 if number in missed else 0 for number in silent}
            self._gone = [number for number, looks in silent.items() if looks >= _LOOKS]
            if self._gone and not self._over.wait(_NOTICE):
                self._end(self._message(self._gone, "has died"))

    def _end(self, message: str) -> None:
        """End this process, whose main thread waits for a message that will not come."""
        print(f"error: {message}", file=sys.stderr, flush=True)
        os._exit(1)


def answers(address: str) -> bool:
    """Tell whether something listens at ``host:port``."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_ANSWER):
            return True
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def watched_cluster() -> Iterator[WorkerWatch | None]:
    """Watch the workers of ``TF_CONFIG`` while the block runs; None where there are no others.

    Raises:
        DataError: one of them has died while the block ran; names it.
    """
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    addresses = resolver.cluster_spec().as_dict().get("worker", []) if os.environ.get("TF_CONFIG") else []
    if len(addresses) < 2 or resolver.task_type != "worker":
        yield None
        return
    watch = WorkerWatch(addresses, int(resolver.task_id))
    try:
        yield watch
    except (tf.errors.OpError, RuntimeError) as error:
        explained = watch.explain(error)
        if explained is error:
            raise
        raise explained from error
    finally:
        watch.close()
