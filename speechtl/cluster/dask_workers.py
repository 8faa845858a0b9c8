"""Pieces on a Dask cluster."""

import contextlib
import logging
import os
import pickle
import queue
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster
from distributed.comm.core import CommClosedError

from speechtl.cluster.cluster_spec import OWN_PORT, ClusterSpec
from speechtl.cluster.piece_task import Answer, Request, compute_piece, keep, unreadable, versions
from speechtl.errors import ConfigError, DataError, SpeechtlError, list_problems
from speechtl.pieces import ONE_THREAD, Done, Workers

logger = logging.getLogger(__name__)

_REACHED_WITHIN = 30.0  # Seconds in which a scheduler answers ...
_STARTED_WITHIN = 60.0  # ... and has a worker, if nobody has to wait for a queue.
# Dask would look at itself fifty times a second, and at the stack of every worker a hundred times, which takes
# processor time whether there is work or not.
_AT_REST = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.scheduler.active-memory-manager.start": False,
}
_COUNT_HOLDS = 5.0  # Seconds for which the number of workers is not asked again: the scheduler has other work.
_GONE_FOR = 300.0  # Seconds without any worker after which a run ends, unless a queue will start others.


class DaskWorkers(Workers):
    """The workers of a Dask cluster.

    Args:
        client: of its scheduler.
        patient: workers that are gone will come back, since a queue starts them.
    """

    elsewhere = True

    def __init__(self, client: Client, patient: bool):
        self.client, self.patient = client, patient
        self._counted: tuple[float, int] | None = None

    @property
    def count(self) -> int:
        """Threads of all workers, as they were some seconds ago at most."""
        if self._counted is None or time.monotonic() - self._counted[0] > _COUNT_HOLDS:
            with _explained():
                self._counted = time.monotonic(), max(1, sum(self.client.nthreads().values()))
        return self._counted[1]

    def run(self, function: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterator[Done]:
        """Compute pieces; those of workers that are lost are computed again by others. See `Workers.run`."""
        token = secrets.token_hex(8)
        finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
        pending: dict[Any, tuple[Future, int, Any]] = {}
        numbered, request = enumerate(pieces), Request(token, os.getcwd(), versions())
        with _explained():
            function_there = self.client.submit(keep, pickle.dumps(function), key=f"function-{token}", pure=False)
        told = set[str]()
        try:
            more = True
            while more or pending:
                room = 2 * self.count + 2 - len(pending) if more else 0
                for number, piece in islice(numbered, max(0, room)):
                    with _explained():
                        future = self.client.submit(
                            compute_piece, function_there, request, piece, key=f"piece-{token}-{number}", pure=False
                        )
                    pending[future.key] = future, number, piece
                    future.add_done_callback(finished.put)
                    room -= 1
                more = more and room <= 0
                if pending:
                    future, number, piece = pending.pop(self._next(finished).key)
                    answer = self._result(future, piece)
                    for warning in answer.warnings:
                        if warning not in told:
                            told.add(warning)
                            logger.warning(warning)
                    yield Done(number, piece, answer.result, answer.seconds)
        finally:
            for future, _, _ in pending.values():
                with contextlib.suppress(Exception):
                    future.cancel()

    def _next(self, finished: "queue.SimpleQueue[Future]") -> Future:
        """Return the piece that is done next."""
        without_since = None
        while True:
            try:
                return finished.get(timeout=10)
            except queue.Empty:
                with _explained():
                    alive = self.client.nthreads()
                now = time.monotonic()
                without_since = None if alive else without_since or now
                if without_since is not None and not self.patient and now - without_since > _GONE_FOR:
                    raise DataError(
                        "the cluster has no worker left; start some and run the command again, to continue"
                    ) from None

    def _result(self, future: Future, piece: Any) -> Answer:
        try:
            with _explained():
                answer: Answer = future.result()
        except KilledWorker as error:
            first = str(piece[0] if isinstance(piece, list) and piece else piece)
            raise DataError(
                f"every worker that was given a piece of the work died of it (too little memory?); it begins with "
                f"{first[:200]}; run the command again to continue, with workers that have more memory"
            ) from error
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"a worker lacks {error.name}; start it in the same environment as this command"
            ) from error
        future.release()
        return answer

    def see(self, path: Path) -> bool:
        """Tell whether all workers can read a file, now."""
        with _explained():
            return not any(self.client.run(unreadable, [Path(os.path.abspath(path))]).values())

    def require(self, paths: Iterable[str | Path | None]) -> None:
        """Check that workers can read what is on this machine; see `Workers.require`."""
        wanted = [Path(os.path.abspath(path)) for path in paths if path is not None and os.path.exists(path)]
        with _explained():
            found = self.client.run(unreadable, wanted)
        problems = [f"{path}: not on {worker}" for worker, missing in sorted(found.items()) for path in missing]
        if problems:
            heading = "workers cannot read what they need; it must have the same path on every machine (a shared disk):"
            raise DataError(list_problems(heading, problems))


@contextlib.contextmanager
def dask_workers(spec: ClusterSpec) -> Iterator[DaskWorkers]:
    """Start a cluster, or connect to one, and yield its workers.

    Raises:
        ConfigError: the engine is not there, or versions differ.
        DataError: no scheduler or no worker can be reached.
    """
    refusals: list[str] = []
    with contextlib.ExitStack() as stack:
        if spec.kind == "address":
            client = stack.enter_context(_connect(spec.address))
        else:
            # Local workers are told, too.
            stack.enter_context(dask.config.set(_AT_REST))
            client = stack.enter_context(Client(stack.enter_context(_cluster(spec, refusals)), set_as_default=False))
        _wait_for_workers(client, spec, refusals)
        _check_versions(client)
        yield DaskWorkers(client, spec.kind in ("queue", "kubernetes"))


def _cluster(spec: ClusterSpec, refusals: list[str]) -> Any:
    if spec.kind == "queue":
        from speechtl.cluster.job_queue import job_queue

        return job_queue(spec, refusals)
    if spec.kind == "kubernetes":
        from speechtl.cluster.kubernetes import kubernetes_cluster

        return kubernetes_cluster(spec)
    # Several processes cannot share one GPU if each allocates all of its memory.
    environment = {**ONE_THREAD, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return LocalCluster(
        n_workers=spec.most,
        threads_per_worker=1,
        processes=True,
        # Dask would end a worker that uses its share of the memory, and cannot know what TensorFlow needs.
        memory_limit=0,
        dashboard_address=OWN_PORT,
        silence_logs=logging.CRITICAL,
        env=environment,
    )


def _connect(address: str) -> Client:
    try:
        return Client(address, timeout=_REACHED_WITHIN, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise DataError(
            f"--cluster {address}: no scheduler answers there; start one (dask scheduler), and workers (dask worker "
            f"{address} --nthreads 1), or correct the address"
        ) from error


def _wait_for_workers(client: Client, spec: ClusterSpec, refusals: list[str]) -> None:
    """Wait for the first worker; the others may come later."""
    if spec.kind in ("queue", "kubernetes"):
        if not client.nthreads():
            logger.info(f"waiting for the first worker of {spec.engine} (Ctrl+C gives up)")
        while not client.nthreads():
            if refusals:
                raise ConfigError(f"--cluster {spec.engine}: the queue does not take the job: {refusals[0]}")
            time.sleep(0.2)
        return
    try:
        client.wait_for_workers(1, timeout=_STARTED_WITHIN)
    except TimeoutError as error:
        start = f"start some: dask worker {spec.address} --nthreads 1" if spec.address else "see whether memory is left"
        raise DataError(f"the cluster has no workers after {_STARTED_WITHIN:g} s; {start}") from error


def _check_versions(client: Client) -> None:
    """Refuse workers whose Python or Dask may not understand what it is sent; the rest each checks with its pieces."""
    with _explained():
        found: Any = client.get_versions()
    problems = []
    own = found["client"]["packages"]
    for where, other in {"scheduler": found["scheduler"], **found["workers"]}.items():
        for name in ("python", "distributed"):
            wanted, there = (_short(name, packages.get(name)) for packages in (own, other["packages"]))
            if wanted != there:
                problems.append(f"{where}: {name} {there}, expected {wanted}")
    if problems:
        heading = "the cluster has other versions than this command; start it in the same environment:"
        raise ConfigError(list_problems(heading, problems))


def _short(name: str, version: str | None) -> str | None:
    # Pickles of Python 3.11 are those of 3.11.x.
    return ".".join(version.split(".")[:2]) if name == "python" and version else version


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn the end of the scheduler into an error that says so."""
    try:
        yield
    except (SpeechtlError, ModuleNotFoundError, KilledWorker):
        raise
    except (CommClosedError, ConnectionError, TimeoutError) as error:
        raise _lost(error) from error
    except Exception as error:
        if type(error).__name__ in ("CancelledError", "FutureCancelledError"):
            raise _lost(error) from error
        raise


def _lost(error: Exception) -> DataError:
    return DataError(
        f"the connection to the cluster's scheduler was lost ({str(error) or type(error).__name__}); run the command "
        "again, to continue"
    )
