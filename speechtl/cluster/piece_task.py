"""What a worker of a cluster does with a piece; it runs there and needs nothing of Dask."""

import contextlib
import importlib.metadata
import logging
import os
import pickle
import platform
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from speechtl.errors import ConfigError
from speechtl.pieces import ONE_THREAD

_kept = threading.local()


def versions() -> dict[str, str]:
    """Return the versions on which results depend: of Python (two numbers), speechtl, NumPy and TensorFlow."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "speechtl": sys.modules["speechtl"].__version__}
    for name in ("numpy", "tensorflow", "tensorflow-cpu", "onnxruntime"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name.removesuffix("-cpu")] = version
    return found


def keep(pickled: bytes) -> bytes:
    """Return what it is given: as a task of its own it is computed again wherever its result is lost."""
    return pickled


class Request(NamedTuple):
    """What all pieces of a run have in common.

    Attributes:
        token: of its function.
        folder: that relative paths are relative to.
        versions: of the machine that asks.
    """

    token: str
    folder: str
    versions: dict[str, str]


class _Heard(logging.Handler):
    """Keeps the warnings of one thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread, self.warnings = threading.get_ident(), dict[str, None]()

    def emit(self, record: logging.LogRecord) -> None:
        if threading.get_ident() == self.thread:
            self.warnings[record.getMessage()] = None


class Answer(NamedTuple):
    """What a function returned for a piece, the seconds that it took, and what it warned of."""

    result: Any
    seconds: float
    warnings: list[str]


def compute_piece(pickled: bytes, request: Request, piece: Any) -> Answer:
    """Compute a piece.

    Args:
        pickled: the function, see `Workers.run`; unpickled once in each thread.
        request: what the pieces of a run have in common.
        piece: its argument.

    Raises:
        ConfigError: this worker has other versions.
    """
    if getattr(_kept, "token", None) != request.token:
        found, wanted = versions(), request.versions
        other = [f"{name} {found.get(name, 'missing')}, expected {wanted[name]}" for name in wanted]
        other = [line for line, name in zip(other, wanted) if found.get(name) != wanted[name]]
        if other:
            raise ConfigError(
                f"worker on {platform.node()}: {'; '.join(other)}; start it in the same environment as this command"
            )
        # Where a worker does not have the folder, absolute paths may still be right.
        with contextlib.suppress(OSError):
            os.chdir(request.folder)
        # A worker that was started by hand may have as many processes as cores, each of which would use all of them.
        for name, value in ONE_THREAD.items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        _kept.token = _kept.function = None
        _kept.function = pickle.loads(pickled)
        _kept.token = request.token
    logger, heard = logging.getLogger("speechtl"), _Heard()
    logger.addHandler(heard)
    try:
        started = time.perf_counter()
        result = _kept.function(piece)
        return Answer(result, time.perf_counter() - started, list(heard.warnings))
    finally:
        logger.removeHandler(heard)


def unreadable(paths: list[Path]) -> list[Path]:
    """Return those of some paths that this machine does not have."""
    return [path for path in paths if not os.access(path, os.R_OK)]
