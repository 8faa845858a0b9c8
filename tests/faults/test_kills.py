"""Verbs that are killed, or find the disk full, at any of their writes: nothing is lost, nothing half-written is read.

Only verbs that need no TensorFlow, which cannot be forked; all others are in ``tests/benchmarks/faults.py``, which has
more kinds of faults, too, and killed trainings are in ``tests/training``.
"""

import itertools
import os
import shutil

import pytest
from interruptions import Forked, interrupted, jumping_clock
from writing_verbs import LIGHT, left_by, make_stored, strays


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Return a folder with what the verbs read."""
    folder = tmp_path_factory.mktemp("material")
    make_stored(folder)
    return folder


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """What a process wrote outlives it in any case."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


# Of the changes that a verb makes, as many are tried.
STEPS = 3


@pytest.mark.parametrize("name", LIGHT)
def test_a_verb_interrupted_at_any_write_is_run_again_to_the_same_result(name, material, tmp_path):
    verb, folder = LIGHT[name], tmp_path / "out"

    def start():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if verb.before is not None:
            verb.before(material, folder)
        return left_by(folder)

    def act():
        verb.act(material, folder)

    start()
    # What it loads and compiles is there when the process is forked.
    act()
    old = start()
    outcome, changes = interrupted(act, None, "kill", folder)
    assert outcome == "done"
    whole = left_by(folder)
    assert whole != old and changes > 1 and not strays(folder)
    steps = sorted({number * changes // STEPS for number in range(STEPS)})
    for how, step in itertools.product(("kill", "full"), steps):
        start()
        outcome, _ = interrupted(act, step, how, folder)
        left = left_by(folder)
        # What cannot be tidied up is no reason to refuse what is there.
        expected = "killed" if how == "kill" else "refused"
        assert outcome.startswith(expected) or (outcome == "done" and left == whole), step
        assert all(content in (old.get(path), whole.get(path)) for path, content in left.items())
        assert old.keys() <= left.keys() or left == whole, "something is lost"
        again, _ = interrupted(act, None, how, folder)
        assert again == "done" or (again.startswith("refused") and left_by(folder) == whole), step
        assert left_by(folder) == whole, step
        assert not strays(folder), step


def test_a_clock_that_jumps_changes_nothing(material, tmp_path):
    for number, name in enumerate(("data subset", "lm")):
        contents = []
        for faults in ((), (jumping_clock(number),)):
            folder = tmp_path / f"{number}" / "out"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            assert (
                Forked(lambda name=name, folder=folder: LIGHT[name].act(material, folder), *faults).wait()[0] == "done"
            )
            contents.append(left_by(folder))
        assert contents[0] == contents[1] != {}
