"""The results of a study on disk: a line for each draw and epoch, so that a study that was killed continues."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speechtl.errors import DataError, list_problems
from speechtl.growing_file import GrowingFile, objects, whole_lines
from speechtl.lock import alone_in

KEYS = ("system", "speaker", "part", "count", "seed")


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
def study_results(out: Path) -> Iterator[StudyResults]:
    """Open the results in a folder, which no other process may write into meanwhile.

    Raises:
        DataError: another process does, the folder cannot be written to, or results in it are damaged.
    """
    with alone_in(out):
        results = StudyResults(out / "results.jsonl")
        try:
            yield results
        finally:
            results.close()


def _is_whole(line: dict[str, Any]) -> bool:
    return "last" in line and all(isinstance(line.get(key), str | int) for key in KEYS)


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False)
