"""Keep the outputs of frozen blocks below a limit: what has not been read for longest goes first."""

import contextlib
import fcntl
import logging
import math
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

from speechtl.errors import ConfigError

logger = logging.getLogger(__name__)

LIMIT = "SPEECHTL_OUTPUTS_GB"
DEFAULT_GB = 50.0


def limit_in_bytes() -> float:
    """Return how many bytes of outputs may be stored: ``$SPEECHTL_OUTPUTS_GB`` · 10⁹, by default 50 GB.

    Raises:
        ConfigError: it is no number.
    """
    text = os.environ.get(LIMIT) or str(DEFAULT_GB)
    with contextlib.suppress(ValueError):
        gigabytes = float(text)
        if gigabytes >= 0 and not math.isnan(gigabytes):
            return gigabytes * 1e9
    raise ConfigError(f"{LIMIT} is '{text}', expected a number of gigabytes, 0 or more")


def hold(folder: Path, owner: object) -> bool:
    """Keep other processes from removing anything in a folder, for as long as an object lives.

    Returns:
        False where the folder does not exist, or its file system has no locks.
    """
    descriptor = _locked(folder, fcntl.LOCK_SH)
    if descriptor is not None:
        weakref.finalize(owner, os.close, descriptor)
    return descriptor is not None


def evict(root: Path, own: Path) -> None:
    """Remove the parts that were used least recently until all that are left are below the limit.

    Nothing is removed from folders that any process holds, nor from ``own``; if they alone are above the limit, this is
    said.

    Args:
        root: the folder of all folders of outputs.
        own: the folder of this process.

    Raises:
        ConfigError: the limit is no number.
    """
    limit = limit_in_bytes()
    sizes = {archive: size for archive in root.glob("*/outputs-*.ark") if (size := _size(archive)) is not None}
    total, removed = sum(sizes.values()), 0
    if total <= limit:
        return
    folders = {archive.parent for archive in sizes} - {own}
    with contextlib.ExitStack() as stack:
        free = {folder for folder in folders if stack.enter_context(_alone(folder))}
        for archive in sorted((one for one in sizes if one.parent in free), key=_last_use):
            if total <= limit:
                break
            # The journal first: a part without one is not read.
            for path in (archive.with_suffix(".json"), archive):
                path.unlink(missing_ok=True)
            total -= sizes[archive]
            removed += sizes[archive]
    where = f"{root}: outputs of frozen blocks"
    if removed:
        logger.info(f"{where}: {removed / 1e9:.3g} GB removed that were not used for longest ({LIMIT}={limit / 1e9:g})")
    if total > limit:
        logger.warning(
            f"{where}: {total / 1e9:.3g} GB are in use, more than the limit of {limit / 1e9:g} GB ({LIMIT}); nothing "
            "that is in use is removed"
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Yield whether no process holds a folder; none can begin to until the block ends."""
    descriptor = _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(folder: Path, how: int) -> int | None:
    """Open and lock a folder, which is held, shared, by every process that reads or writes outputs there."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _last_use(archive: Path) -> float:
    """Return when a part was read last; what has no journal was left by a killed process."""
    try:
        return archive.with_suffix(".json").stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
