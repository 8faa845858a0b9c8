"""The results of a study on disk: a line for each draw and epoch, so that a study that was killed continues.

Beside them, ``study.json`` has what they are results of: what stands there is not computed again, so other settings
under the same name must not pass for it.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write
from speechtl.growing_file import GrowingFile, objects, whole_lines
from speechtl.lock import alone_in

KEYS = ("system", "speaker", "part", "count", "seed")


@dataclasses.dataclass(frozen=True)
class Origin:
    """What results are of.

    Attributes:
        options: by name, what is the same for all systems, as JSON has it.
        systems: name -> method and settings, with commas between them.
    """

    options: Mapping[str, Any]
    systems: Mapping[str, str]


class StudyResults:
    """Results that grow.

    Attributes:
        lines: of all draws that are there to their end.
        done: their keys: the values of `KEYS`.
    """

    def __init__(self, path: Path):
        """Read what is there.

        Raises:
            DataError: it is damaged, or cannot be written.
        """
        advice = "remove these lines, or the file, and run the study again"
        lines = objects(whole_lines(path), path, advice)
        # Studies that knew of no seeds were what seed 1 is.
        lines = [line | {"seed": line.get("seed", 1)} for line in lines]
        wrong = [number for number, line in enumerate(lines, 1) if not _is_whole(line)]
        if wrong:
            numbers = [f"{path}:{number}: not a result of a study" for number in wrong]
            raise DataError(list_problems(f"{path}: damaged; {advice}", numbers))
        # A killed study may have left draws without their last line.
        self.done = {tuple(line[key] for key in KEYS) for line in lines if line["last"]}
        self.lines: list[dict[str, Any]] = [line for line in lines if tuple(line[key] for key in KEYS) in self.done]
        self._file = GrowingFile(path, map(_text, self.lines))

    def add(self, key: tuple[Any, ...], result: dict[str, Any]) -> None:
        """Write one more line."""
        line = dict(zip(KEYS, key, strict=True)) | result
        self.lines.append(line)
        self._file.add(_text(line))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def study_results(out: Path, origin: Origin) -> Iterator[StudyResults]:
    """Open the results in a folder, which no other process may write into meanwhile.

    Raises:
        DataError: another process does, the folder cannot be written to, or results in it are damaged or of something
            else.
    """
    with alone_in(out):
        results = StudyResults(out / "results.jsonl")
        try:
            systems = _systems_with(out / "study.json", origin) if results.lines else origin.systems
            with atomic_write(out / "study.json") as file:
                json.dump({"options": origin.options, "systems": systems}, file, ensure_ascii=False, indent=1)
            yield results
        finally:
            results.close()


def _systems_with(path: Path, origin: Origin) -> dict[str, str]:
    """Return all systems, those of before first, after a look at whether what they are results of is the same."""
    if not path.is_file():  # A study that did not write it.
        return dict(origin.systems)
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        options, systems = dict(there["options"]), dict(there["systems"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{path}: damaged; remove it if its folder has results of this study") from None
    problems = [
        f"{name}: {_text(options[name])} there, {_text(value)} here; choose another folder"
        for name, value in origin.options.items()
        if name in options and options[name] != value
    ]
    problems += [
        f"{name} is {systems[name]} there, {given} here; give it another name (--system NAME=METHOD,key=value,...)"
        for name, given in origin.systems.items()
        if systems.get(name, given) != given
    ]
    if problems:
        raise DataError(list_problems(f"{path}: has results of something else", problems))
    return systems | dict(origin.systems)


def _is_whole(line: dict[str, Any]) -> bool:
    return "last" in line and all(isinstance(line.get(key), str | int) for key in KEYS)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
