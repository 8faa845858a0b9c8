"""The notebooks run from the first cell to the last, on a part of the quickstart's speech."""

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture
def run(small_repository, monkeypatch):
    """Return a function that runs a notebook and gives what each of its cells printed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MPLBACKEND", "agg")

    def outputs(name):
        path = small_repository / "docs" / "notebooks" / name
        book = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": path.parent}}
        nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=resources).execute(
            env=dict(os.environ)
        )
        cells = [cell for cell in book.cells if cell.cell_type == "code"]
        return ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]

    return outputs


def test_every_notebook_is_run_below():
    text = Path(__file__).read_text(encoding="utf-8")
    assert NOTEBOOKS
    assert not [path.name for path in NOTEBOOKS if f'run("{path.name}")' not in text]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_valid_and_without_traces_of_a_machine(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert set(book.metadata) <= {"kernelspec", "language_info"}
    assert not [cell for cell in book.cells if cell.cell_type == "code" and "/home/" in str(cell.outputs)]


def test_words_are_found_once_they_are_added(run):
    lines = "\n".join(run("1_transcribe.ipynb")).splitlines()
    said = {line.removeprefix("said: ") for line in lines if line.startswith("said: ")}
    before, after = (set(line.split()[1:]) for line in lines if line.startswith("found:"))
    reference = set(said.pop().split())
    assert not said
    assert not before & reference
    assert after & reference


def test_adaptation_lowers_the_error_rate(run):
    before, after = map(float, re.search(r"([\d.]+) -> ([\d.]+) % of the words", run("2_adapt.ipynb")[-1]).groups())
    assert after < before


def test_transfer_compares_four_systems(run):
    printed = run("3_transfer.ipynb")
    assert sum("phone errors on German dev" in line for line in printed[-2].splitlines()) == 4
