"""The shell scripts of the recipes: their command lines, and the environment that they set up."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import command_tree

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "recipes"
SCRIPTS = sorted([*RECIPES.rglob("*.sh"), ROOT / "tests/run.sh"])
# The scripts that a user calls; the others are sourced.
CALLED = [script for script in SCRIPTS if script.parent.parent == RECIPES and script.read_text().startswith("#!")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shell_scripts_parse(script):
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_shell_scripts_are_clean():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    result = subprocess.run(["shellcheck", *SCRIPTS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("script", CALLED, ids=lambda path: str(path.relative_to(RECIPES)))
def test_an_unknown_option_and_one_without_a_value_print_the_usage(script, run_bash):
    for arguments, message in {
        ("--nosuch", "1"): "error: no option --nosuch",
        ("--nj",): "error: --nj needs a",
    }.items():
        result = run_bash(script, *arguments)
        assert result.returncode == 1
        assert result.stderr.startswith(message)
        assert f"recipes/{script.parent.name}/{script.name}" in result.stderr
        assert "set -euo" not in result.stderr


def commands_of(script):
    """Return the words of each call of speechtl up to the first that a shell would take for itself."""
    text = script.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not line.strip().startswith("#")]
    return [words.split() for line in lines for words in re.findall(r"\bspeechtl ([^|>;&]*)", line)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_verbs_and_options_that_scripts_call_exist(script):
    for words in commands_of(script):
        command, rest = command_tree(), list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        assert not getattr(command, "commands", {}), f"speechtl {' '.join(words)}"
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [word for word in rest if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known]
        assert not unknown, f"speechtl {' '.join(words)}"


def test_help_is_the_header_and_no_error(run_bash):
    result = run_bash(RECIPES / "an4/run.sh", "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("AN4: from the corpus to a scored word error rate.")
    assert result.stdout.rstrip().endswith("training resumes.")


def test_options_set_variables_and_paths_become_absolute(tmp_path, run_bash):
    script = tmp_path / "recipes/mine/run.sh"
    script.parent.mkdir(parents=True)
    (tmp_path / "recipes/shared").mkdir()
    shutil.copy(RECIPES / "shared/parse_options.sh", tmp_path / "recipes/shared")
    script.write_text(
        """#!/usr/bin/env bash
# Mine.
#
#   run.sh --corpus DIR [--stop-stage N] [--words "a b"]
set -eu
# not part of the --header
corpus= stop_stage=3 words=x
source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
echo "$corpus|$stop_stage|$words|$(basename "$PWD")|$#"
"""
    )
    assert run_bash(script, "--corpus", "/x/an4", "--words", "c d").stdout == "/x/an4|3|c d|mine|0\n"
    assert run_bash(script, "--corpus", "here", "--stop-stage", "1").stdout == f"{Path.cwd()}/here|1|x|mine|0\n"
    assert run_bash(script, "--corpus", "").stdout == "|3|x|mine|0\n"
    for option in ("--header", "--stop", "--or", "corpus"):
        assert run_bash(script, option, "1").returncode == 1


@pytest.mark.parametrize(
    ("recipe", "options", "clone"),
    [
        ("an4", (), "cmusphinx/an4"),
        ("festvox_ru", (), "Debian package festvox-ru"),
        ("isolated_words", ("--words", "dspspeech20"), "zhongyuchen/DSPSpeech-20"),
        ("isolated_words", ("--words", "arabic_commands"), "abdulkaderghandoura/arabic-speech-commands-dataset"),
    ],
)
def test_a_recipe_says_how_to_get_its_corpus(recipe, options, clone, tmp_path, run_bash):
    for corpus in ((), ("--corpus", tmp_path / "nosuch")):
        result = run_bash(RECIPES / recipe / "run.sh", *corpus, *options, "--stop-stage", "0")
        assert result.returncode == 1
        assert re.fullmatch(rf"error: .*{re.escape(clone)}.*\n", result.stderr), result.stderr


def test_the_words_must_be_named(run_bash):
    result = run_bash(RECIPES / "isolated_words/run.sh", "--words", "nosuch")
    assert result.returncode == 1
    assert result.stderr == "error: --words nosuch: give --words dspspeech20 or --words arabic_commands\n"


def test_the_small_tensorflow_replaces_the_big_one_and_nothing_else():
    requirements = runpy.run_path(str(RECIPES / "shared/requirements.py"))
    before = requirements["required"](["test"])
    after = [requirements["without_gpu"](line) for line in before]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed
    for old, new in changed:
        assert re.match(r"tensorflow[<>=]", old)
        assert new == old.replace("tensorflow", "tensorflow-cpu", 1)
    assert any(line.startswith("tensorflow-io==") for line in after)
    assert any(line.startswith("pytest") for line in after)


def test_an_unknown_extra_is_one_line(run_python):
    result = run_python(RECIPES / "shared/requirements.py", "nosuch")
    assert result.returncode == 1
    assert re.fullmatch(r"error: no extra nosuch in \S+pyproject.toml; there are .*synthesis.*test.*\n", result.stderr)
