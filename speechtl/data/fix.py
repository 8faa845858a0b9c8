"""Repair a data directory: drop unusable entries, sort the tables, rebuild spk2utt."""

import dataclasses
from pathlib import Path
from typing import Any

from speechtl.data.datadir import DataDir, attribute_of
from speechtl.data.structure import scan_structure
from speechtl.data.table_kinds import TABLES, Segment
from speechtl.data.tables import Problem, raise_problems
from speechtl.data.validate import validate, validate_structure
from speechtl.data.validation_report import Report
from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write, read_bytes, replacing_together

# Kaldi's extract-segments also accepts segments that exceed their recording by up to this many seconds.
_REPAIRED_OVERSHOOT = 0.5
# Problems of lines that are not needed: rewriting the table drops them.
_LOST_LINES = {"blank-line", "encoding", "bad-id", "duplicate", "stray"}
# Problems that rewriting the table solves without any loss.
_REWRITTEN = {"order", "line-end", "spk2utt", "empty-table", "idle"}
# Tables that nothing depends on: a wrong entry is dropped without its utterances.
_OPTIONAL = {"spk2gender", "reco2file_and_channel"}


@dataclasses.dataclass(frozen=True)
class Repair:
    """What `fix` did, or would do.

    Attributes:
        actions: one line each, in the order of the report: what was done, to what, and why (``file:line``).
        before: number of utterances before the repair.
        after: number of utterances kept.
        remaining: problems that cannot be repaired automatically.
    """

    actions: tuple[str, ...]
    before: int
    after: int
    remaining: tuple[Problem, ...]


def fix(
    path: str | Path,
    *,
    check_audio: bool = True,
    decode: bool = False,
    allow_pipes: bool = False,
    dry_run: bool = False,
) -> Repair:
    """Repair a data directory in place; the old tables are kept in its folder ``.backup``.

    An utterance is dropped if a table that it needs (text, segments, language, domain, features, audio) has no usable
    entry for it; of two conflicting entries of one key, neither is used. A segment that exceeds its recording
    by at most 0.5 s is truncated. Commands in ``wav.scp`` are kept.

    Args:
        path: the directory.
        check_audio: whether to open every recording.
        decode: whether to decode every recording completely.
        allow_pipes: whether commands may be run to check them.
        dry_run: determine what would be done, but write nothing.

    Raises:
        DataError: it is not a directory, cannot be written, or no utterance would be left; it is then unchanged.
    """
    path = Path(path)
    structure = scan_structure(path)
    report = validate_structure(
        structure, require_text=False, check_audio=check_audio, decode=decode, allow_pipes=allow_pipes
    )
    beyond_help = [problem for problem in report.problems if problem.kind == "unreadable" or _unmakeable(problem)]
    if beyond_help:
        raise_problems(path, beyond_help)
    plan = _Plan(structure.values)
    for problem in report.problems:
        plan.add(problem, report)
    if plan.actions:
        repaired = plan.apply(path)
        if not repaired.utt2spk:
            raise DataError(list_problems(f"{path}: no utterance would be left; nothing was changed", plan.actions))
        if not dry_run:
            _back_up(path)
            repaired.save(path)
    if dry_run or not plan.actions:
        remaining = [problem for problem in report.problems if problem not in plan.handled]
    else:
        remaining = list(validate(path, require_text=False, check_audio=False, allow_pipes=True).problems)
    after = report.utterances if not plan.actions else len(repaired)
    return Repair(tuple(plan.actions), report.utterances, after, tuple(remaining))


def _unmakeable(problem: Problem) -> bool:
    source = "spk2utt" if problem.path.name == "utt2spk" else ""
    return problem.kind == "missing-table" and not (source and (problem.path.parent / source).exists())


class _Plan:
    """The entries to drop from the tables, collected problem by problem."""

    def __init__(self, values: dict[str, dict[str, Any]]) -> None:
        self.values = values
        self.actions: list[str] = []
        self.handled: set[Problem] = set()
        self.utterances: set[str] = set()
        self.recordings: set[str] = set()
        self.tables: set[str] = set()
        self.cut: dict[str, float] = {}
        self.archives_left: dict[str, bool] = {}

    def add(self, problem: Problem, report: Report) -> None:
        action = self._action(problem, problem.path.name, report)
        if action:
            self.actions.append(f"{action}: {problem}")
            self.handled.add(problem)

    def _action(self, problem: Problem, table: str, report: Report) -> str:
        if problem.kind == "missing-table":
            return "rebuilt"
        if problem.kind in _REWRITTEN:
            return "rewritten"
        if problem.kind in _LOST_LINES:
            return "line dropped"
        # An entry that another table lacks is reported at its line, under the name of the table that lacks it.
        lacking = problem.kind.removeprefix("no-")
        table = lacking if lacking in TABLES and lacking != "wav.scp" else table.replace("spk2utt", "utt2spk")
        if problem.kind == "beyond":
            return self._beyond(problem, report)
        if (problem.warning and problem.kind != "duration") or problem.kind == "pipe" or table not in TABLES:
            return ""
        if TABLES[table].computed:
            # Its utterances are kept.
            self.tables.add(table)
            return f"table {table} dropped; it can be recomputed"
        if table in _OPTIONAL:
            self.values[table].pop(problem.key, None)
            return f"entry '{problem.key}' dropped"
        if problem.kind == "no-archive" and not self._archives_left(table, report):
            self.tables.add(table)
            return f"table {table} dropped, since all of its archives are missing"
        if TABLES[table].owner == "recording":
            self.recordings.add(problem.key)
            return f"recording '{problem.key}' dropped, with its utterances"
        self.utterances.add(problem.key)
        return f"utterance '{problem.key}' dropped"

    def _beyond(self, problem: Problem, report: Report) -> str:
        segment: Segment = self.values["segments"][problem.key]
        stored = self.values.get("reco2dur", {})
        header = report.headers.get(segment.recording)
        length = header.seconds if header else stored[segment.recording]
        if segment.start < length and segment.end <= length + _REPAIRED_OVERSHOOT:
            self.cut[problem.key] = length
            return f"segment '{problem.key}' truncated to end at {length:.3f} s"
        self.utterances.add(problem.key)
        return f"utterance '{problem.key}' dropped"

    def _archives_left(self, table: str, report: Report) -> bool:
        if table not in self.archives_left:
            gone = {problem.key for problem in report.problems if problem.kind == "no-archive"}
            self.archives_left[table] = bool(self.values[table].keys() - gone)
        return self.archives_left[table]

    def apply(self, path: Path) -> DataDir:
        tables = {attribute_of(name): entries for name, entries in self.values.items() if name not in self.tables}
        data = DataDir(path, **tables)
        for utterance, end in self.cut.items():
            data.segments[utterance] = dataclasses.replace(data.segments[utterance], end=end)
        usable = [
            utterance
            for utterance in data.utterance_ids
            if utterance not in self.utterances
            and (not data.segments or utterance in data.segments)
            and data.recording_of(utterance) not in self.recordings
        ]
        return data.select(usable)


def _back_up(path: Path) -> None:
    tables = {name: path / name for name in (*TABLES, "spk2utt")}
    there = {name: read_bytes(table) for name, table in tables.items() if table.exists()}
    with replacing_together(path / ".backup", tables.keys() - there.keys()) as folder:
        for name, content in there.items():
            with atomic_write(folder / name, "wb") as file:
                file.write(content)
