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
    with pytest.raises(DataError, match=rf"process {other.pid} on .*; wait"), alone_in(tmp_path / "exp"):
        pass
    other.kill()
    other.wait()
    with alone_in(tmp_path / "exp"):
        assert json.loads((tmp_path / "exp" / LOCK).read_text())["pid"] == os.getpid()
    assert not (tmp_path / "exp" / LOCK).exists()


def test_the_number_of_a_dead_process_may_be_anothers(tmp_path, without_locks):
    with alone_in(tmp_path):
        holder = json.loads((tmp_path / LOCK).read_text())
    (tmp_path / LOCK).write_text(json.dumps(holder | {"began": "1"}))
    with alone_in(tmp_path):
        # But for the second in which it came.
        assert json.loads((tmp_path / LOCK).read_text()) | {"since": holder["since"]} == holder
    (tmp_path / LOCK).write_text(json.dumps(holder))
    with pytest.raises(DataError, match=f"process {os.getpid()} on"), alone_in(tmp_path):
        pass


def test_without_locks_one_of_many_is_in(tmp_path, without_locks, monkeypatch):
    """All find what a dead process left, and only one takes its place."""
    monkeypatch.setattr("speechtl.lock._SETTLED_AFTER", 0.02)
    with alone_in(tmp_path):
        dead = json.loads((tmp_path / LOCK).read_text()) | {"began": "1"}
    inside, most, entered = [], [], []

    # Who comes first is chance, and so is how often all are in each other's way.
    until = time.monotonic() + 20

    def come():
        while len(entered) < 8 and time.monotonic() < until:
            try:
                with alone_in(tmp_path):
                    inside.append(1)
                    most.append(len(inside))
                    entered.append(1)
                    time.sleep(0.002)
                    inside.pop()
                    # As if it had been killed.
                    left = tmp_path / f"left{threading.get_ident()}"
                    left.write_text(json.dumps(dead))
                    left.rename(tmp_path / LOCK)
            except DataError:
                time.sleep(0.005)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(entered) > 3
    assert not list(tmp_path.glob(f"{LOCK}-*"))


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr("speechtl.lock._SIGN_EVERY", 0.02)
    monkeypatch.setattr("speechtl.lock._WATCHED_FOR", 0.4)


@pytest.mark.parametrize("locks", [True, False])
def test_a_process_on_another_machine_is_known_by_its_signs(tmp_path, monkeypatch, soon, locks, caplog):
    """Whether there are no locks, or locks that reach no other machine."""

    def flock(descriptor, operation):
        if not locks:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    here = "here"
    monkeypatch.setattr("speechtl.lock._space", lambda: here)
    with alone_in(tmp_path):
        here = "there"
        with pytest.raises(DataError, match=f"process {os.getpid()} on .* is at work"), alone_in(tmp_path):
            pass
        left = (tmp_path / LOCK).read_bytes()
    assert "waiting up to 0.4 s for a sign of it" in caplog.text
    # It was killed: nobody touches the file any more.
    (tmp_path / LOCK).write_bytes(left)
    with alone_in(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["space"] == "there"


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file: cannot write: .*; choose another folder"), alone_in(tmp_path / "file"):
        pass
