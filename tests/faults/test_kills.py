"""Verbs that are killed, or find the disk full, at any of their writes: nothing is lost, nothing half-written is read.

Only verbs that need no TensorFlow, which cannot be forked; killed trainings are in ``tests/training``.
"""

import shutil

import numpy as np
import pytest
from command_line import run
from datadir_strategies import write_recordings
from interruptions import interrupted

from speechtl.features.archives import write_ark_scp
from speechtl.lang.phone_inventory import PhoneInventory

LEXICON = "abba a b b a\nback b a k\n"
TEXTS = {"anna-1": "abba", "anna-2": "back abba", "bert-1": "back"}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Return a folder with a data directory, a lexicon, a text and stored posteriors of an experiment; only read."""
    folder = tmp_path_factory.mktemp("material")
    data = write_recordings(folder / "d", dict.fromkeys(TEXTS, 0.2))
    data.save(data.path)
    (folder / "d" / "text").write_text("".join(f"{key} {text}\n" for key, text in TEXTS.items()))
    (folder / "lexicon.txt").write_text(LEXICON)
    inventory = PhoneInventory(["a", "b", "k"])
    inventory.save(folder / "exp" / "phones" / "en.txt")
    (folder / "exp" / "config.toml").write_text(
        '[[data]]\nlanguage = "en"\ntrain = ["x"]\n[features]\nframe_shift_ms = 10.0\n'
        "[model.encoder]\nsubsampling = {factor = 3}\n"
    )
    with write_ark_scp(folder / "posteriors.ark", folder / "posteriors.scp") as write:
        for key in TEXTS:
            write(key, np.log(np.full((20, 4), 0.25, np.float32)))
    return folder


def broken_copy(source, out):
    """Copy a data directory, with a text that `fix` repairs."""
    shutil.copytree(source, out)
    (out / "text").write_text("anna-2 back abba\nanna-1 abba\n")


# Of the changes that a verb makes, as many are tried.
STEPS = 6

# By name: what is there before, given the material and the folder of results; and the verb.
VERBS = {
    "subset": (None, lambda m, out: run("data subset", m / "d", out / "x", utterances=2)),
    "split": (
        None,
        # One of the two may be there.
        lambda m, out: run("data split", m / "d", out / "x", out / "y", "--overwrite", by="utterance", fraction=0.5),
    ),
    "combine": (None, lambda m, out: run("data combine", out / "x", m / "d")),
    "perturb-speed": (None, lambda m, out: run("data perturb-speed", m / "d", out / "x")),
    "fix": (lambda m, out: broken_copy(m / "d", out / "x"), lambda m, out: run("data fix", out / "x")),
    "lexicon add": (
        lambda m, out: shutil.copy(m / "lexicon.txt", out / "l.txt"),
        lambda m, out: run("lexicon add", out / "l.txt", "kab=k a b", out=out / "l.txt"),
    ),
    "lexicon convert": (
        None,
        lambda m, out: run("lexicon convert", m / "lexicon.txt", out / "new" / "l.txt", notation="ipa"),
    ),
    "lm": (None, lambda m, out: run("lm", m / "d", out=out / "lm.arpa", order=2)),
    "decode": (
        None,
        lambda m, out: run(
            "decode",
            *(m / "exp", m / "d", out / "x"),
            posteriors=m / "posteriors.scp",
            lexicon=m / "lexicon.txt",
            save_posteriors=out / "kept",
        ),
    ),
}


def files(folder):
    """Return the content of all files but hidden ones, which no reader looks at."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {path: path.relative_to(folder) for path in paths}
    return {
        str(name): path.read_bytes()
        for path, name in names.items()
        if not any(part.startswith(".") for part in name.parts)
    }


@pytest.mark.parametrize("how", ["kill", "full"])
@pytest.mark.parametrize("name", VERBS)
def test_a_verb_interrupted_at_any_write_is_run_again_to_the_same_result(name, how, material, tmp_path):
    before, verb = VERBS[name]
    folder = tmp_path / "out"

    def start():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if before is not None:
            before(material, folder)
        return files(folder)

    def act():
        verb(material, folder)

    start()
    # What it loads and compiles is there when the process is forked.
    act()
    old = start()
    outcome, changes = interrupted(act, None, how, folder)
    assert outcome == "done"
    whole = files(folder)
    assert whole != old and changes > 1
    for step in sorted({number * changes // STEPS for number in range(STEPS)}):
        start()
        outcome, _ = interrupted(act, step, how, folder)
        left = files(folder)
        # What cannot be tidied up on a full disk is no reason to refuse what is there.
        assert outcome == {"kill": "killed", "full": "refused"}[how] or (outcome == "done" and left == whole), step
        # Each file is as it was or as it will be; the archive of features grows, but no table has it yet.
        assert all(content in (old.get(path), whole.get(path)) for path, content in left.items() if path[-4:] != ".ark")
        assert old.keys() <= left.keys(), "something is lost"
        again, _ = interrupted(act, None, how, folder)
        assert again == "done" or (again == "refused" and left == whole), step
        assert files(folder) == whole, step
