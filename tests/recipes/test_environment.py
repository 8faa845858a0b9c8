"""What recipes/shared/env.sh puts around a recipe."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment_after(tmp_path):
    """Return a function that gives the variables after env.sh, in an environment of its own or an activated one."""
    for name in ("python", "speechtl"):
        script = tmp_path / "venv" / "bin" / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f'#!/usr/bin/env bash\nexec {shlex.quote(sys.executable)} "$@"\n')
        script.chmod(0o755)

    def variables(**given):
        plain = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
        command = f"source {shlex.quote(str(ROOT / 'recipes' / 'shared' / 'env.sh'))} test && env -0"
        result = subprocess.run(
            ["bash", "-c", command], env=plain | given, capture_output=True, text=True, check=True, cwd=tmp_path
        )
        return dict(line.split("=", 1) for line in result.stdout.split("\0") if line)

    return variables


def test_an_environment_that_is_made_is_used_and_keeps_what_python_compiles(environment_after, tmp_path):
    venv = tmp_path / "venv"
    with (ROOT / "pyproject.toml").open("rb") as file:
        checksum = subprocess.run(["cksum"], stdin=file, capture_output=True, text=True, check=True).stdout
    # As it stands there when all has been installed, with an extra that only some machines ask for.
    (venv / "speechtl-stamp").write_text(f"{checksum}gpu\ntest\n")
    found = environment_after(SPEECHTL_VENV=str(venv), PYTHONDONTWRITEBYTECODE="1", PYTHONHOME="/nowhere")
    assert found["PATH"].startswith(f"{venv}/bin:")
    assert "PYTHONHOME" not in found
    assert "PYTHONDONTWRITEBYTECODE" not in found


def test_an_activated_environment_is_left_as_it_is(environment_after, tmp_path):
    found = environment_after(VIRTUAL_ENV=str(tmp_path / "venv"), PYTHONDONTWRITEBYTECODE="1")
    assert found["PATH"].startswith(f"{tmp_path}/venv/bin:")
    assert found["PYTHONDONTWRITEBYTECODE"] == "1"
