"""One process at a time in a folder: a second one is told who is there; a lock does not outlive its process."""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from speechtl.errors import DataError

LOCK = ".lock"

# What file systems say that have no locks: some that are shared over a network.
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@contextlib.contextmanager
def alone_in(folder: str | Path) -> Iterator[None]:
    """Keep other processes that ask for it out of a folder, which is made if it is missing.

    The operating system releases the lock with the process that holds it, however that ends; on NFS the server does. On
    file systems that have no locks, a file that the dead left is recognised on the machine where they ran.

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
    try:
        yield
    finally:
        # Removed while it is held, so that nobody else's file is; who had opened it already will see that it is gone.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _take(path: Path) -> int:
    """Return the open, locked file."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            # Who was here before has just removed the folder that it had made for nothing.
            continue
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataError(_describe(path, _holder(descriptor))) from None
            except OSError as error:
                holder = _holder(descriptor)
                if error.errno not in _NO_LOCKS:
                    raise
                if holder and not _is_dead(holder):
                    raise DataError(f"{_describe(path, holder)}; if it has ended, remove {path}") from None
            if _is_same(path, descriptor):
                _write_holder(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_same(path: Path, descriptor: int) -> bool:
    """Tell whether a path is still the open file, not removed by who held it before."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write_holder(descriptor: int) -> None:
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": started, "command": command}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode("utf-8", "backslashreplace"), 0)


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


def _is_dead(holder: dict[str, object]) -> bool:
    """Tell whether the process has ended; on other machines that cannot be known."""
    pid = holder.get("pid")
    if holder.get("host") != socket.gethostname() or not isinstance(pid, int) or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
