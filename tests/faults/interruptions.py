"""Processes that end, or disks that fail, at a chosen step of their writing."""

import errno
import os
import signal
import sys

from speechtl.errors import SpeechtlError

# Events of Python's audit that change files; opening counts where it is for writing.
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def interrupted(action, step, how, folder):
    """Run an action in a process of its own that is interrupted at its ``step``-th change of a file, from 0.

    Args:
        action: called without arguments.
        step: the change, before which it happens; None for never.
        how: ``"kill"``: SIGKILL; ``"full"``: the system says that the disk is full, then and from then on.
        folder: changes of other files do not count, and always succeed.

    Returns:
        ``"killed"``, ``"done"``, ``"refused"`` (an error of ours, or of a full disk) or what went wrong; and the number
        of changes (0 where it was killed).
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        outcome, changes = _outcome(action, step, how, str(folder))
        os.write(writing, f"{changes} {outcome}".encode()[:4000])
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed", 0
    changes, _, outcome = told.partition(" ")
    return outcome, int(changes)


def _outcome(action, step, how, folder):
    changes = 0

    def hook(event, arguments):
        nonlocal changes
        opened = event == "open" and arguments[2] & _WRITING
        if not (event in _CHANGES or opened) or not str(arguments[0]).startswith(folder):
            return
        changes += 1
        if step is None or changes <= step:
            return
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        # Removing is possible on a full disk.
        if event not in ("os.remove", "os.rmdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), arguments[0])

    sys.addaudithook(hook)
    try:
        action()
        outcome = "done"
    except SpeechtlError:
        outcome = "refused"
    except OSError as error:
        outcome = "refused" if error.errno == errno.ENOSPC else repr(error)
    except BaseException as error:
        outcome = repr(error)
    return outcome, changes
