"""Print what pyproject.toml requires, one requirement a line; env.sh hands it to pip. Standard library only.

    python recipes/shared/requirements.py [--small-tensorflow] [--missing] [EXTRA...]

pip cannot replace a requirement of a package by another one, and the full TensorFlow wheel is three times as big as
the one without GPU support. So the requirements are installed from this list and speechtl itself without its own.
"""

import argparse
import importlib.metadata
import re
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; every pip carries this one
    from pip._vendor import tomli as tomllib

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def required(extras: list[str]) -> list[str]:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    known = project["optional-dependencies"]
    unknown = [extra for extra in extras if extra not in known]
    if unknown:
        raise SystemExit(f"error: no extra {', '.join(unknown)} in {PYPROJECT}; there are {', '.join(sorted(known))}")
    return project["dependencies"] + [requirement for extra in extras for requirement in known[extra]]


def without_gpu(requirement: str) -> str:
    return re.sub(r"^tensorflow(?=\s*[<>=!~;]|$)", "tensorflow-cpu", requirement)


def is_installed(requirement: str) -> bool:
    try:
        importlib.metadata.version(re.match(r"[\w.-]+", requirement)[0])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the requirements of pyproject.toml.")
    parser.add_argument("--small-tensorflow", action="store_true", help="tensorflow-cpu in place of tensorflow")
    parser.add_argument("--missing", action="store_true", help="of the extras alone, what this Python does not have")
    parser.add_argument("extras", nargs="*")
    arguments = parser.parse_args()
    requirements = required(arguments.extras)
    if arguments.missing:
        requirements = [line for line in requirements[len(required([])) :] if not is_installed(line)]
    if arguments.small_tensorflow and not is_installed("tensorflow"):
        requirements = [without_gpu(line) for line in requirements]
    print("\n".join(requirements))


if __name__ == "__main__":
    main()
