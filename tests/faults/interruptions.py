"""Verbs in processes of their own, and what befalls them there: kills, full disks, refused files, jumps of the clock.

A process is forked, so that it has everything loaded already; TensorFlow may be imported before, but not used.
"""

import contextlib
import errno
import os
import random
import select
import signal
import sys
import threading
import time
import traceback

from speechtl.errors import SpeechtlError

# Events of Python's audit that change files; opening counts where it is for writing.
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# What a full disk and a read-only one say.
REFUSALS = {"full": errno.ENOSPC, "broken": errno.EIO, "read-only": errno.EROFS, "denied": errno.EACCES}


class Forked:
    """An action in a forked process.

    Attributes:
        pid: of the process.
    """

    def __init__(self, action, *faults):
        """Start it; faults are called in the process first."""
        self._reading, writing = os.pipe()
        self.started = time.monotonic()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._reading)
            # What it would start may not stay behind a kill, and its output is of no interest.
            os.setpgid(0, 0)
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            told = b"?"
            try:
                counted = [fault() for fault in faults]
                told = f"{_outcome(action)}\t{sum(counter[0] for counter in counted if counter)}".encode()
            finally:
                os.write(writing, told[:60000])
                os._exit(0)
        os.close(writing)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds=600.0):
        """Return the outcome and the number of changes of files.

        The outcome is ``"killed"``, ``"done"``, ``"refused: MESSAGE"`` (an error of ours), ``"hung"`` or a traceback.
        """
        told = b""
        while True:
            ready = select.select([self._reading], [], [], max(self.started + seconds - time.monotonic(), 0))[0]
            piece = os.read(self._reading, 65536) if ready else b""
            told += piece
            if not ready:
                self.kill()
            if not piece:
                break
        os.close(self._reading)
        _, status = os.waitpid(self.pid, 0)
        if not ready:
            return "hung", 0
        if os.WIFSIGNALED(status):
            return ("killed" if os.WTERMSIG(status) == signal.SIGKILL else f"signal {os.WTERMSIG(status)}"), 0
        outcome, _, changes = told.decode().rpartition("\t")
        return outcome, int(changes)


def _outcome(action):
    try:
        action()
    except SpeechtlError as error:
        return f"refused: {error}"
    except BaseException:
        return traceback.format_exc()[-3000:]
    return "done"


def at_change(folder, step, do=None):
    """Return a fault: before the ``step``-th change of a file in a folder (from 0, None for never), ``do`` is called.

    It is called before every later change, too, with the event and its path.
    """
    folder = str(folder)

    def install():
        counter = [0]

        def hook(event, arguments):
            if not (event in _CHANGES or (event == "open" and arguments[2] & _WRITING)):
                return
            # A path, or a number of an open file.
            if not str(arguments[0]).startswith(folder):
                return
            counter[0] += 1
            if do is not None and step is not None and counter[0] > step:
                do(event, arguments[0], counter[0] - 1 - step)

        sys.addaudithook(hook)
        return counter

    return install


def killed(event, path, later):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_soon(seconds):
    """Return what kills the process some time after a change, while something is written."""

    def soon(event, path, later):
        if not later:
            threading.Timer(seconds, killed, (None, None, 0)).start()

    return soon


def refusing(why, once=False):
    """Return what refuses changes of files, all from one on or that one alone."""

    def refuse(event, path, later):
        # Removing is possible on a full disk.
        possible = event in ("os.remove", "os.rmdir") and why == "full"
        if not possible and not (once and later):
            raise OSError(REFUSALS[why], os.strerror(REFUSALS[why]), path)

    return refuse


def jumping_clock(seed):
    """Return a fault: the time of day jumps by years between any two looks at it; the monotonic clock goes on."""

    def install():
        draw, real, real_ns = random.Random(seed), time.time, time.time_ns
        time.time = lambda: real() + draw.uniform(-1e9, 1e9)
        time.time_ns = lambda: real_ns() + int(draw.uniform(-1e18, 1e18))

    return install


def without_locks():
    """A fault: the file system has no locks."""
    import fcntl

    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl.flock = refuse


def interrupted(action, step, how, folder):
    """Run an action that is interrupted at its ``step``-th change of a file in a folder, from 0.

    Args:
        action: called without arguments.
        step: the change, before which it happens; None for never.
        how: ``"kill"``, or one of `REFUSALS`: then and from then on.
        folder: changes of other files do not count, and always succeed.

    Returns:
        What `Forked.wait` returns.
    """
    do = killed if how == "kill" else refusing(how)
    return Forked(action, at_change(folder, step, do)).wait()
