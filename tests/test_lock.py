"""One process at a time in a folder, and locks that do not outlive their process."""

import errno
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from speechtl.errors import DataError
from speechtl.lock import LOCK, alone_in

HOLD = """
import sys, time
from speechtl.lock import alone_in
with alone_in(sys.argv[1]):
    print("in", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Start a process that is alone in a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "exp"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "in\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told_who_is_there_and_may_come_when_it_is_dead(tmp_path, other):
    message = (
        rf"exp: process {other.pid} on {re.escape(socket.gethostname())} \(-c .*\) is at work in this folder; wait"
    )
    with pytest.raises(DataError, match=message), alone_in(tmp_path / "exp"):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / "exp" / LOCK).exists()
    with alone_in(tmp_path / "exp"):
        assert json.loads((tmp_path / "exp" / LOCK).read_text())["pid"] == os.getpid()
    # The other one had made the folder; it stays.
    assert not list((tmp_path / "exp").iterdir())


def test_nothing_is_left_in_the_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), alone_in(tmp_path / "new"):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()
    with alone_in(tmp_path / "new"):
        (tmp_path / "new" / "result").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["result"]


def test_of_many_that_come_at_once_one_is_in(tmp_path):
    inside, most, entered = [], [], []

    def come():
        for _ in range(200):
            try:
                with alone_in(tmp_path / "exp"):
                    inside.append(1)
                    most.append(len(inside))
                    entered.append(1)
                    time.sleep(0.0002)
                    inside.pop()
            except DataError:
                pass

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(entered) > 8


@pytest.fixture
def without_locks(monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_where_there_are_no_locks_the_file_says_who_is_there(tmp_path, without_locks, other):
    message = rf"process {other.pid} on .*; if it has ended, remove .*{re.escape(LOCK)}"
    with pytest.raises(DataError, match=message), alone_in(tmp_path / "exp"):
        pass
    other.kill()
    other.wait()
    with alone_in(tmp_path / "exp"):
        pass
    (tmp_path / "exp").mkdir(exist_ok=True)
    (tmp_path / "exp" / LOCK).write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "", "command": ""}))
    with pytest.raises(DataError, match="process 1 on elsewhere"), alone_in(tmp_path / "exp"):
        pass


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file: cannot write: .*; choose another folder"), alone_in(tmp_path / "file"):
        pass
