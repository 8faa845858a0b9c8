"""No two files of the recipes are alike: what two of them need stands once, in recipes/shared or recipes/corpora."""

import ast
import re
from itertools import combinations
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
FILES = [
    path
    for path in sorted(RECIPES.rglob("*"))
    if path.is_file() and not {"data", "exp", "__pycache__"}.intersection(path.relative_to(RECIPES).parts)
]
CODE = [path for path in FILES if path.suffix in (".py", ".sh")]
# What a new recipe starts from may be in it.
COMPARED = [path for path in CODE if "TEMPLATE" not in str(path)]
RUN = 12  # lines
# A line of punctuation or one word (`fi`, `import sys`, `)`) says little.
TRIVIAL = re.compile(r"\W*(\w+\W*)?|(import|from) .*|source .*|set -euo pipefail")


def runs(path):
    """Return every run of lines that say something, without their indentation."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if not TRIVIAL.fullmatch(line)]
    return {tuple(lines[start : start + RUN]): start for start in range(len(lines) - RUN + 1)}


def name_of(path):
    return str(path.relative_to(RECIPES))


def test_no_two_files_have_the_same_content():
    by_content = {}
    for path in FILES:
        by_content.setdefault(path.read_bytes(), []).append(name_of(path))
    twins = [names for names in by_content.values() if len(names) > 1]
    assert not twins


def test_no_two_scripts_share_a_run_of_lines():
    found = {path: runs(path) for path in COMPARED}
    twins = {}
    for (one, mine), (other, others) in combinations(found.items(), 2):
        common = mine.keys() & others.keys()
        if common:
            twins[name_of(one), name_of(other)] = min(common, key=mine.__getitem__)
    assert not twins


@pytest.mark.parametrize("path", [path for path in CODE if path.suffix == ".py"], ids=name_of)
def test_recipes_import_nothing_of_speechtl(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    assert not [name for name in names if name.split(".")[0] == "speechtl"]
