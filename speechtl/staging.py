"""Where files and folders stand while they are written: beside their place, under names that no reader looks at.

Their writer holds a lock on them, which the operating system releases with the process, however that ends. So what a
killed process left is told from what a living one writes, without clocks and process numbers, and whoever writes into
the folder next removes it.
"""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import socket
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"\..*\.~(?:(?P<machine>[0-9a-f]{8})-)?\d+-[0-9a-f]{6}(\.[^.]*)?")
# Names of files may have 255 bytes; a letter has at most 4.
_KEPT_OF_STEM = 40
# Seconds without a write after which a file is left over, where the file system has no locks, or may have others for
# the machine that it comes from.
_ABANDONED_AFTER = 86400.0

# Process, device and inode of the folders that were swept.
_swept: set[tuple[int, int, int]] = set()


def is_staged(path: Path) -> bool:
    """Tell whether a path is that of something unfinished, or within it."""
    return any(_NAME.fullmatch(part) for part in path.parts)


@contextlib.contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield the path of a new, empty file next to ``path``, with its suffix; removed at the end if it is still there.

    The folder is made if it is missing, and leftovers in it are removed once in a process.

    Raises:
        OSError: it cannot be written.
    """
    with _staged(path, path.suffix, folder=False) as temporary:
        yield temporary


@contextlib.contextmanager
def staged_folder(path: Path, inside: Path | None = None) -> Iterator[Path]:
    """Yield a new, empty folder next to ``path``, or ``inside`` a folder; otherwise as `staged_file`."""
    with _staged((inside / path.name) if inside else path, "", folder=True) as temporary:
        yield temporary


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new, empty folder among the system's temporary files that only this user may read; removed at the end.

    What killed processes left there is removed as well.
    """
    with _staged(Path(tempfile.gettempdir()) / "speechtl", "", folder=True, mode=0o700) as temporary:
        yield temporary


@contextlib.contextmanager
def _staged(path: Path, suffix: str, folder: bool, mode: int = 0o777) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent)
    stem = (path.name.removesuffix(suffix) if suffix else path.name)[:_KEPT_OF_STEM]
    descriptor = None
    while descriptor is None:
        temporary = path.with_name(f".{stem}.~{_machine()}-{os.getpid()}-{secrets.token_hex(3)}{suffix}")
        descriptor = _make(temporary, folder, mode)
    try:
        yield temporary
    finally:
        # Held to the end: between the last write and the renaming it would look like a leftover.
        os.close(descriptor)
        if folder:
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _make(path: Path, folder: bool, mode: int) -> int | None:
    """Make a file or folder and lock it; None if someone who sweeps was faster than the lock."""
    if folder:
        path.mkdir(mode)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    else:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = os.path.lexists(path)
    except BlockingIOError:
        mine = False
    except OSError:
        # No locks here: leftovers are told by their age.
        mine = True
    if mine:
        return descriptor
    os.close(descriptor)
    return None


def _sweep_once(folder: Path) -> None:
    about = folder.stat()
    key = os.getpid(), about.st_dev, about.st_ino
    if key not in _swept:
        _swept.add(key)
        sweep(folder)


def sweep(folder: Path) -> None:
    """Remove what killed processes left of unfinished files and folders; what others are writing stays."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name):
                # What cannot be removed is no reason not to write.
                with contextlib.suppress(OSError):
                    _remove_abandoned(Path(entry.path), entry.is_dir(follow_symlinks=False))


def _remove_abandoned(path: Path, is_folder: bool) -> None:
    descriptor = os.open(path, (os.O_RDONLY if is_folder else os.O_RDWR) | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            certain = True
        except BlockingIOError:
            return
        except OSError:
            certain = False
        # Where locks do not reach over the network, another machine's are not seen here.
        if not (certain and _is_of_this_machine(path)) and not _is_old(path):
            return
        if is_folder:
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _is_of_this_machine(path: Path) -> bool:
    name = _NAME.fullmatch(path.name)
    return name is not None and name["machine"] in (None, _machine())


def _is_old(path: Path) -> bool:
    """Tell by the clock of the file system, which wrote both times."""
    with contextlib.ExitStack() as stack:
        probe = path.with_name(f".probe.~{os.getpid()}-{secrets.token_hex(3)}")
        probe.touch(exist_ok=False)
        stack.callback(probe.unlink, missing_ok=True)
        newest = max(one.stat().st_mtime for one in [path, *(path.rglob("*") if path.is_dir() else ())])
        return probe.stat().st_mtime - newest > _ABANDONED_AFTER
