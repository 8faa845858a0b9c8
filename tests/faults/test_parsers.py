"""A thousand nearly right files through every reader: an error of ours or a right result, and no traceback."""

import faulthandler
import os
import random
import shutil

import pytest
from mutations import random_file
from own_file_parsers import PARSERS

from speechtl.errors import SpeechtlError

INPUTS = 1000
# What is damaged is computed anew, or has no licence.
NEVER_REFUSED = {"stored-outputs", "model-page"}
# Readers that take milliseconds for a file; `tests/benchmarks/fuzz.py` takes any number through each of them.
FEWER = {"arpa": 400, "audio": 400, "g2p-array": 150, "jsgf": 300, "recordings": 300, "rules": 300}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.mark.parametrize("name", PARSERS)
def test_files_that_are_right_are_read(name, tmp_path):
    refused = []
    for number, content in enumerate(PARSERS[name].originals()):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            PARSERS[name].read(folder, content)
        except SpeechtlError as error:
            refused.append(str(error))
    # A grammar that imports another, and a manifest of lhotse that needs another, are not whole.
    assert len(refused) == {"jsgf": 1, "lhotse": 1}.get(name, 0), refused


@pytest.mark.parametrize("name", PARSERS)
def test_files_that_are_nearly_right(name, tmp_path):
    originals, rng = PARSERS[name].originals(), random.Random(name)
    # The tables of a data directory share a reader.
    inputs, refused = 200 if name.startswith("data-") else FEWER.get(name, INPUTS), 0
    for number in range(inputs):
        content = random_file(originals, rng)
        folder = tmp_path / "x"
        folder.mkdir()
        # A library may go on without end where no signal reaches it: that ends this process, and says where.
        faulthandler.dump_traceback_later(60, exit=True)
        try:
            PARSERS[name].read(folder, content)
        except SpeechtlError as error:
            assert str(error)
            refused += 1
        except BaseException:
            (tmp_path / "content").write_bytes(content)
            print(f"input {number}: {content[:300]!r}, all of it in {tmp_path / 'content'}")
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(folder)
    assert bool(refused) == (name not in NEVER_REFUSED)
