"""One process at a time in a folder: a second one is told who is there; a lock does not outlive its process."""

import contextlib
import datetime
import errno
import fcntl
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from speechtl.errors import DataError

LOCK = ".lock"

# What file systems say that have no locks: some that are shared over a network.
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
# Seconds between two signs of life of who is in the folder, and how long another machine waits for one.
_SIGN_EVERY, _WATCHED_FOR = 5.0, 16.0
# Seconds after which who was faster at removing a dead one's file has put everything right.
_SETTLED_AFTER = 0.05

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def alone_in(folder: str | Path) -> Iterator[None]:
    """Keep other processes that ask for it out of a folder, which is made if it is missing.

    The operating system releases the lock with the process that holds it, however that ends. File systems that are
    shared over a network may have no locks, or locks that other machines do not see. So the file also says who is
    there, and that process touches it every few seconds: on the same machine its number tells whether it lives, from
    another machine it is watched for a quarter of a minute before it counts as dead.

    Raises:
        DataError: another process is there (names it), or the folder cannot be written to.
    """
    folder = Path(folder)
    made = not folder.exists()
    path = folder / LOCK
    try:
        descriptor = _take(path)
    except OSError as error:
        advice = "choose another folder"
        raise DataError(f"{folder}: cannot write: {error.strerror or error}; {advice}") from error
    ended = threading.Event()
    signs = threading.Thread(target=_give_signs, args=(descriptor, ended), daemon=True)
    signs.start()
    try:
        yield
    finally:
        ended.set()
        signs.join()
        # Removed while it is held, so that nobody else's file is; who had opened it already will see that it is gone.
        with contextlib.suppress(OSError):
            if _is_same(path, descriptor):
                path.unlink()
        os.close(descriptor)
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _give_signs(descriptor: int, ended: threading.Event) -> None:
    while not ended.wait(_SIGN_EVERY):
        # A server that is away for a while is no reason to stop.
        with contextlib.suppress(OSError):
            os.utime(descriptor)


def _take(path: Path) -> int:
    """Return the open file, locked where there are locks."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor, made = _open(path)
        except FileNotFoundError:
            # Who was here before has just removed the file, or the folder that it had made for nothing.
            continue
        try:
            if _is_taken(path, descriptor, made):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _open(path: Path) -> tuple[int, bool]:
    """Return the open file and whether it is new, which one process alone is told."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), True
    except FileExistsError:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC), False


def _is_taken(path: Path, descriptor: int, made: bool) -> bool:
    """Take the lock; False where somebody else was faster at removing the file.

    Raises:
        DataError: a living process has it.
    """
    locks = True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(_describe(path, _holder(descriptor))) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        locks = False
    if not _is_same(path, descriptor):
        return False
    if not made:
        holder = _holder(descriptor)
        # Who has such a lock on this machine is alone there; another machine may have given the same one.
        if not (locks and holder.get("space", _space()) == _space()) and _lives(path, holder):
            raise DataError(_describe(path, holder))
        if not locks:
            _remove(path, descriptor)
            return False
    _write_holder(descriptor)
    if not locks:
        time.sleep(_SETTLED_AFTER)
    return locks or _is_same(path, descriptor)


def _is_same(path: Path, descriptor: int) -> bool:
    """Tell whether a path is still the open file, not removed by who held it before."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(path: Path, descriptor: int) -> None:
    """Remove a dead one's file, but not that of who has come since."""
    aside = path.with_name(f"{path.name}-{os.getpid()}-{threading.get_ident()}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if _is_same(aside, descriptor):
            aside.unlink()
        else:
            os.rename(aside, path)


def _write_holder(descriptor: int) -> None:
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": started, "command": command}
    holder |= {"space": _space(), "began": _beginning(os.getpid())}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode("utf-8", "backslashreplace"), 0)
    # Other machines see what has reached the server.
    os.fsync(descriptor)


def _holder(descriptor: int) -> dict[str, object]:
    """Return what the lock file says; nothing where it is just being written."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _describe(path: Path, holder: dict[str, object]) -> str:
    who = "another process"
    if holder:
        who = f"process {holder.get('pid')} on {holder.get('host')} ({holder.get('command')}, {holder.get('since')})"
    return f"{path.parent}: {who} is at work in this folder; wait for its end, or choose another folder"


def _space() -> str:
    """Return what tells apart where processes have numbers: the machine, since it was started, and its container."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(parts)


def _beginning(pid: int) -> str:
    """Return when a process began, in ticks; "" where that is not told. Another one may have its number later."""
    try:
        # Its name, in brackets, may hold anything.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _lives(path: Path, holder: dict[str, object]) -> bool:
    """Tell whether the process that a lock file names is alive."""
    pid = holder.get("pid")
    if holder.get("space") == _space() and isinstance(pid, int) and pid > 0:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return holder.get("began") == _beginning(pid)
    first = _last_sign(path)
    who = f"process {pid} on {holder.get('host')}" if holder else "another process"
    _log.warning(
        "%s: %s was at work in this folder; waiting up to %g s for a sign of it", path.parent, who, _WATCHED_FOR
    )
    end = time.monotonic() + _WATCHED_FOR
    while time.monotonic() < end:
        time.sleep(_WATCHED_FOR / 16)
        if _last_sign(path) != first:
            return True
    return False


def _last_sign(path: Path) -> tuple[int, int]:
    # Opened anew: what network file systems remember of a file may be a minute old.
    try:
        with open(path, "rb") as file:
            about = os.fstat(file.fileno())
    except FileNotFoundError:
        return 0, 0
    return about.st_ino, about.st_mtime_ns
