"""What the documentation says is so: configs parse, links lead somewhere, names exist, the site builds."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import command_tree

from speechtl.config import parse, tomllib
from speechtl.experiment.config import ExperimentConfig, load_config

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
LECTURE = ROOT / "recipes" / "quickstart" / "conf" / "lecture"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("recipes/**/*.md"), ROOT / "lexicons/README.md"])
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(?:#[^)\s]*)?\)")


def name_of(path):
    return str(path.relative_to(ROOT))


def toml_blocks():
    """Yield every TOML block of the pages, fenced, or indented and beginning with a table."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [match["text"] for match in FENCE.finditer(text) if match["kind"] == "toml"]
        indented = re.findall(r"(?:^    [^\n]*\n|^\n(?=    ))+", FENCE.sub("", text), re.MULTILINE)
        blocks += [block for block in indented if re.match(r"\s*\[\[?[\w.]+\]", block)]
        for number, block in enumerate(blocks, 1):
            yield pytest.param("\n".join(line.strip() for line in block.splitlines()), id=f"{name_of(page)}-{number}")


@pytest.mark.parametrize("block", toml_blocks())
def test_every_config_on_a_page_is_one(block):
    table = tomllib.loads(block)
    table.setdefault("data", [{"train": "data/train"}])
    parse(ExperimentConfig, table, "page")


@pytest.mark.parametrize("path", sorted(LECTURE.glob("*.toml")), ids=lambda path: path.stem)
def test_the_configs_of_the_lecture_are_right(path):
    load_config(path)


@pytest.mark.parametrize("path", sorted(LECTURE.glob("*.toml")), ids=lambda path: path.stem)
def test_the_lecture_prints_its_configs_as_they_are(path):
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    body = "".join(line for line in lines if not line.startswith("#")).strip()
    page = (DOCS / "lecture.md").read_text(encoding="utf-8")
    printed = [match["text"].strip() for match in FENCE.finditer(page) if match["kind"] == "toml"]
    assert body in printed, f"docs/lecture.md does not print {name_of(path)}"
    assert f"conf/lecture/{path.name}" in page


def test_the_commands_of_the_lecture_name_files_that_exist():
    page = (DOCS / "lecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"conf/lecture/\w+\.toml", page))
    assert named
    named |= set(re.findall(r"^python (\S+\.py)", page, re.MULTILINE))
    assert not [name for name in named if not (LECTURE.parent.parent / name).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [match["target"] for match in LINK.finditer(text)]
    local = [target for target in targets if not re.match(r"\w+:", target)]
    assert not [target for target in local if not (page.parent / target).exists()]


def commands():
    """Yield every call of speechtl on the pages: code blocks and inline code, lines that are continued joined."""
    for page in [*DOCS.glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("recipes/**/*.md"), *ROOT.glob("lexicons/*.md")]:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        blocks = [match["text"] for match in FENCE.finditer(text) if match["kind"] in ("", "sh")]
        lines = [*"\n".join(blocks).splitlines(), *re.findall(r"^ {4}.*$", FENCE.sub("", text), re.MULTILINE)]
        found = [line.strip() for line in lines if line.strip().startswith("speechtl ")]
        found += re.findall(r"`(speechtl [a-z][^`]*)`", text)
        for command in found:
            yield pytest.param(command, id=f"{name_of(page)}:{command[:60]}")


@pytest.mark.parametrize("command", commands())
def test_commands_have_the_options_that_pages_give_them(command):
    words = shlex.split(command.replace("\n", " "), comments=True)[1:]
    place = command_tree()
    while words and hasattr(place, "commands"):
        assert words[0].rstrip(",") in place.commands, f"no verb {words[0]}"
        place = place.commands[words.pop(0).rstrip(",")]
    known = {option for parameter in place.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    assert not [option for option in given if option not in known | {"--help"}]


def table_rows(page, heading):
    """Yield the rows of the first table below a heading, as lists of cells."""
    for line in page.split(heading, 1)[1].split("\n|---", 1)[1].splitlines()[1:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def packages():
    found = [path for path in (ROOT / "speechtl").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    return {path.stem for path in found} - {"__init__"}


def test_the_architecture_lists_the_packages():
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    listed = [name for row in table_rows(page, "| package") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(listed) == sorted(packages())


def test_the_picture_of_the_architecture_is_true():
    import runpy

    arrows = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))["MAY_IMPORT"]
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    floors = next(match["text"] for match in FENCE.finditer(page) if match["kind"] == "text").splitlines()
    height = {name: -number for number, floor in enumerate(floors) for name in floor.split()}
    assert set(height) == packages()
    ground = {name for name in height if height[name] == min(height.values())}
    wrong = {
        (name, target)
        for name, targets in arrows.items()
        for target in targets
        if height[target] >= height[name] and not {name, target} <= ground
    }
    assert not wrong


GLOSSARY = [
    pytest.param(name, id=name.replace(" ", "_"))
    for row in re.findall(r"^\|.*\|$", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    for name in re.findall(r"`([^`]+)`", row.strip("|").split("|")[-1])
]


@pytest.fixture(scope="module")
def sources():
    folders = [path for folder in ("speechtl", "recipes") for path in sorted((ROOT / folder).rglob("*.py"))]
    configs = sorted((ROOT / "recipes").glob("*/conf/**/*.toml"))
    return "\n".join(path.read_text(encoding="utf-8") for path in [*folders, *configs])


@pytest.mark.parametrize("name", GLOSSARY)
def test_the_names_of_the_glossary_are_in_the_code(name, sources):
    if name.startswith("speechtl "):
        verb = name.split()[1]
        assert (ROOT / "speechtl" / "cli" / f"{verb}.py").is_file() or f'"{verb}"' in sources
    elif "/" in name:
        assert (ROOT / "speechtl" / name).exists() or (ROOT / name).exists()
    else:
        assert re.search(rf"(?<!\w){re.escape(name.split('.')[-1].split(' = ')[-1])}(?!\w)", sources), name


@pytest.mark.parametrize("page", [*sorted(DOCS.glob("*.md")), ROOT / "CONTRIBUTING.md"], ids=lambda path: path.stem)
def test_pages_name_files_that_exist(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|recipes|lexicons|docs|speechtl)/[\w./*-]+)`", text)
    # NAME stands for what is added; TEMPLATE is a folder.
    named = [name for name in named if "*" not in name and not re.search(r"(NAME|VERB|CORPUS|LANGUAGE)(\b|_)", name)]
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_site_builds_without_warnings(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr
    for name in packages():
        assert "doc doc-object" in (tmp_path / "site" / "reference" / name / "index.html").read_text(encoding="utf-8")
    assert (tmp_path / "site" / "recipes" / "an4" / "index.html").is_file()
