"""What the tests of the recipes share: running their scripts, and small corpora."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def _run(command):
    # The environment of this Python, so that env.sh has nothing to set up.
    environment = {**os.environ, "VIRTUAL_ENV": str(Path(sys.executable).parent.parent)}
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, encoding="utf-8", env=environment, check=False
    )


@pytest.fixture(scope="session")
def run_python():
    """Return a function that runs a Python script and returns the finished process."""
    return lambda *arguments: _run([sys.executable, *arguments])


@pytest.fixture(scope="session")
def run_bash():
    """Return a function that runs a shell script, with speechtl in its environment."""
    return lambda *arguments: _run(["bash", *arguments])


@pytest.fixture(scope="session")
def write_audio():
    """Return a function that writes so many seconds of noise."""

    def write(path, seconds=0.1, rate=16000):
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, int(seconds * rate)), rate)

    return write


@pytest.fixture(scope="session")
def prepare_corpus(run_python):
    """Return a function that runs the preparation of a corpus with all tables; it returns the finished process."""

    def prepare(name, corpus, out, *options):
        script = RECIPES / "corpora" / f"{name}.py"
        arguments = ("--corpus", corpus, "--out", out, "--tables", "spk2gender,utt2lang,utt2dom")
        return run_python(script, *arguments, *options)

    return prepare


@pytest.fixture
def copy_recipe(tmp_path):
    """Return a function that copies a recipe, without data and models, and what it needs; it returns the copy."""

    def copy(recipe):
        ignored = shutil.ignore_patterns("data", "exp", "__pycache__")
        for name in (recipe, "corpora", "shared"):
            shutil.copytree(RECIPES / name, tmp_path / "recipes" / name, ignore=ignored)
        return tmp_path / "recipes" / recipe

    return copy


@pytest.fixture
def commands_of(tmp_path, run_bash):
    """Return a function that runs a copied recipe with a speechtl that does nothing, and returns its command lines.

    The commands can then be run in this process, which has loaded TensorFlow already.
    """

    def run(recipe, *arguments):
        stub = tmp_path / "bin" / "speechtl"
        stub.parent.mkdir()
        stub.write_text(f"#!/usr/bin/env bash\nprintf '%q ' \"$@\" >>{tmp_path}/commands\necho >>{tmp_path}/commands\n")
        python = stub.with_name("python")
        python.write_text(f'#!/usr/bin/env bash\nexec {shlex.quote(sys.executable)} "$@"\n')
        for script in (stub, python):
            script.chmod(0o755)
        (recipe.parent / "shared" / "env.sh").write_text(f'export PATH="{stub.parent}:$PATH"\n')
        result = run_bash(recipe / "run.sh", *arguments)
        assert result.returncode == 0, result.stderr
        return [shlex.split(line) for line in (tmp_path / "commands").read_text().splitlines()]

    return run
