"""A thousand nearly right files through every reader: an error of ours or a right result, quickly, and no traceback."""

import os
import random
import shutil
import time

import pytest
from mutations import random_file
from parsers import PARSERS

from speechtl.errors import SpeechtlError

INPUTS = 1000
# TensorFlow is in each of them, or files with many bytes.
SLOW = {"audio": 200, "weights": 300, "g2p-array": 300, "g2p": 300, "recordings": 300}
# Of all of them; what a machine is doing besides may slow one down.
SECONDS = 60


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.mark.parametrize("name", PARSERS)
def test_files_that_are_right_are_read(name, tmp_path):
    for number, content in enumerate(PARSERS[name].originals()):
        folder = tmp_path / str(number)
        folder.mkdir()
        PARSERS[name].read(folder, content)


@pytest.mark.parametrize("name", PARSERS)
def test_files_that_are_nearly_right(name, tmp_path):
    originals, rng = PARSERS[name].originals(), random.Random(name)
    start, refused = time.monotonic(), 0
    for number in range(SLOW.get(name, INPUTS)):
        content = random_file(originals, rng)
        folder = tmp_path / "x"
        folder.mkdir()
        try:
            PARSERS[name].read(folder, content)
        except SpeechtlError as error:
            assert str(error)
            refused += 1
        except BaseException:
            (tmp_path / "content").write_bytes(content)
            print(f"input {number}: {content[:300]!r}, all of it in {tmp_path / 'content'}")
            raise
        shutil.rmtree(folder)
    assert refused
    assert time.monotonic() - start < SECONDS
