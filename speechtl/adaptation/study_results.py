"""The results of a study on disk: a line for each draw and epoch, so that a study that was killed continues."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speechtl.growing_file import GrowingFile, whole_lines
from speechtl.lock import alone_in

KEYS = ("system", "speaker", "part", "count", "seed")


class StudyResults:
    """Results that grow.

    Attributes:
        lines: of all draws that are there to their end.
        done: their keys: the values of `KEYS`.
    """

    def __init__(self, path: Path):
        # Studies that knew of no seeds were what seed 1 is.
        lines = [line | {"seed": line.get("seed", 1)} for line in map(json.loads, whole_lines(path))]
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
        DataError: another process does, or the folder cannot be written to.
    """
    with alone_in(out):
        results = StudyResults(out / "results.jsonl")
        try:
            yield results
        finally:
            results.close()


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False)
