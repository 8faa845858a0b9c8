"""The structure of a data directory: its tables, and their consistency."""

import dataclasses
import operator
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from speechtl.data.line_numbers import LineNumbers
from speechtl.data.table_kinds import OPTIONAL, TABLES, TableKind
from speechtl.data.tables import Problem, Table, scan_table
from speechtl.errors import DataError
from speechtl.files import finish_replacing
from speechtl.uncollected import uncollected


@dataclasses.dataclass
class Structure:
    """The tables of a directory, and all their problems.

    Attributes:
        path: the directory.
        tables: name -> table, of those that exist, except ``spk2utt``.
        values: name -> key -> parsed value.
        problems: all errors that prevent the directory from being loaded, and lines out of order (kind ``"order"``).
    """

    path: Path
    tables: dict[str, Table]
    values: dict[str, dict[str, Any]]
    problems: list[Problem]

    @property
    def utterances(self) -> LineNumbers:
        """Utterance -> line of ``utt2spk``."""
        return self.tables["utt2spk"].lines if "utt2spk" in self.tables else LineNumbers()

    @property
    def segmented(self) -> bool:
        """Whether utterances are segments of recordings; an empty ``segments`` is an error and does not count."""
        table = self.tables.get("segments")
        return table is not None and not _is_empty(table)

    def keys(self, owner: str) -> set[str]:
        """All utterances, recordings or speakers of the directory."""
        if owner == "utterance":
            return set(self.utterances)
        if owner == "speaker":
            return set(self.values.get("utt2spk", {}).values())
        if "wav.scp" in self.tables:
            return set(self.tables["wav.scp"].lines)
        if self.segmented:
            return {segment.recording for segment in self.values["segments"].values()}
        return set(self.utterances)


@uncollected()
def scan_structure(path: str | Path) -> Structure:
    """Read every table of a data directory and collect all inconsistencies.

    Raises:
        DataError: ``path`` is not a directory.
    """
    path = Path(path)
    if path.is_file():
        raise DataError(f"{path}: a file, where a data directory is expected; {_import(path, 'a table or manifest')}")
    if not path.is_dir():
        raise DataError(f"{path}: no such data directory; check the path")
    finish_replacing(path)
    structure = Structure(path, {}, {}, [])
    for name, kind in TABLES.items():
        if (path / name).exists():
            _scan_one(structure, name, kind)
    structure.problems += _missing_tables(structure)
    if not (path / "utt2spk").exists() and (path / "spk2utt").exists():
        # A table is missing, but the other problems can be found all the same.
        _parse(structure, "utt2spk", _inverted_spk2utt(path / "spk2utt"))
    if "utt2spk" in structure.tables:
        structure.problems += _audio_links(structure)
        for name, table in structure.tables.items():
            structure.problems += _disagreement(structure, name, table)
    structure.problems = in_order(structure.problems)
    return structure


def in_order(problems: Collection[Problem]) -> list[Problem]:
    """Sort problems by file, in the order of TABLES, and line."""
    rank = {name: number for number, name in enumerate(TABLES)}
    # Paths are slow to compare and to look up; most problems of a table have the same one.
    by_path: dict[int, list[Problem]] = {}
    by_place: dict[tuple[int, str], list[Problem]] = {}
    for problem in problems:
        path = problem.path
        if id(path) not in by_path:
            by_path[id(path)] = by_place.setdefault((rank.get(path.name, len(rank)), str(path)), [])
        by_path[id(path)].append(problem)
    return [one for place in sorted(by_place) for one in sorted(by_place[place], key=operator.attrgetter("line"))]


def absent_entries(structure: Structure, name: str) -> list[Problem]:
    """Return a problem for each utterance, recording or speaker that lacks an entry in table ``name``."""
    owner = TABLES[name].owner
    table = structure.tables[name]
    if _is_empty(table):
        return []
    source = structure.tables["wav.scp" if owner == "recording" else "utt2spk"]
    if owner != "speaker" and table.lines.same_keys(source.lines):
        return []
    lines: Iterable[tuple[str, int]] = source.lines.pairs()
    if owner == "speaker":
        speakers, first = structure.values["utt2spk"], dict[str, int]()
        for utterance, line in source.lines.pairs():
            if utterance in speakers:
                first.setdefault(speakers[utterance], line)
        lines = first.items()
    # A malformed line has already been reported.
    seen = {*table.lines, *(problem.key for problem in table.problems)}
    remedy = f"remove {name} (fix does) and recompute it" if TABLES[name].computed else f"remove the {owner} (fix does)"
    advice = f"add it to {table.path}, or {remedy}" if name not in OPTIONAL else f"add it to {table.path}"
    return [
        Problem(source.path, line, f"{owner} '{key}' is not in {name}; {advice}", f"no-{name}", name in OPTIONAL, key)
        for key, line in lines
        if key not in seen
    ]


def _is_empty(table: Table) -> bool:
    return any(problem.kind == "empty-table" for problem in table.problems)


def _scan_one(structure: Structure, name: str, kind: TableKind) -> None:
    path = structure.path / name
    try:
        table = scan_table(path, value_required=not kind.may_be_empty)
    except DataError as error:
        message = str(error).removeprefix(f"{path}: ")
        structure.problems.append(Problem(path, 0, message, "unreadable"))
        return
    if not table.lines and not table.problems:
        table.problems.append(Problem(path, 0, "the file is empty; fill or remove it", "empty-table"))
    _parse(structure, name, table)


def _parse(structure: Structure, name: str, table: Table) -> None:
    structure.tables[name] = table
    # In place of the text that they were read from, of which there may be hundreds of megabytes.
    table.entries = structure.values[name] = _values(table, TABLES[name])
    structure.problems += table.problems


def _values(table: Table, kind: TableKind) -> dict[str, Any]:
    """Return the values of a table, and note those that are wrong."""
    if kind.parse is str and (kind.may_be_empty or all(table.entries.values())):
        return table.entries
    values: dict[str, Any] = {}
    before, parsed = "", None
    for key, value in table.entries.items():
        # Neighbours often have the same value, a speaker say, which is then kept once.
        if value == before and value:
            values[key] = parsed
        elif value or kind.may_be_empty:
            try:
                values[key] = parsed = kind.parse(value)
                before = value
            except ValueError as error:
                message = f"'{key}': {error}; correct or remove the line"
                table.problems.append(Problem(table.path, table.lines[key], message, "bad-value", key=key))
    return values


def _inverted_spk2utt(path: Path) -> Table:
    """Read ``spk2utt`` and invert it."""
    source = scan_table(path)
    table = Table(path, problems=[problem for problem in source.problems if problem.kind != "order"])
    for speaker, utterances in source.entries.items():
        line = source.lines[speaker]
        for utterance in utterances.split():
            if utterance in table.entries:
                message = f"utterance '{utterance}' belongs to two speakers; keep one"
                table.problems.append(Problem(path, line, message, "conflict", key=utterance))
            else:
                table.entries[utterance] = speaker
                table.lines.add(utterance, line)
    return table


def _import(path: Path, what: str) -> str:
    return f"of {what}, speechtl data import {path} NEW makes one"


def _missing_tables(structure: Structure) -> Iterable[Problem]:
    path = structure.path
    if not any((path / name).exists() for name in ("utt2spk", "spk2utt", "wav.scp", "feats.scp")):
        message = f"not a data directory (no wav.scp); {_import(path, 'audio and texts')}"
        yield Problem(path, 0, message, "missing-table")
        return
    if not (path / "utt2spk").exists():
        advice = (
            "create it from spk2utt (fix does)" if (path / "spk2utt").exists() else "write 'utterance speaker' lines"
        )
        yield Problem(path / "utt2spk", 0, f"missing; {advice}", "missing-table")
    if not (path / "wav.scp").exists() and not (path / "feats.scp").exists():
        yield Problem(path / "wav.scp", 0, "missing; write 'recording path' lines", "missing-table")


def _audio_links(structure: Structure) -> Iterable[Problem]:
    """Check that every utterance has a recording."""
    if "wav.scp" not in structure.tables:
        return
    recordings = structure.keys("recording") | {problem.key for problem in structure.tables["wav.scp"].problems}
    if structure.segmented:
        table = structure.tables["segments"]
        for key, segment in structure.values["segments"].items():
            if segment.recording not in recordings:
                message = f"'{key}': recording '{segment.recording}' is not in wav.scp; add it or remove the segment"
                yield Problem(table.path, table.lines[key], message, "no-wav.scp", key=key)
        return
    path = structure.path / "utt2spk"
    for key, line in structure.utterances.pairs():
        if key not in recordings:
            message = f"utterance '{key}' is not in wav.scp (and there are no segments); add it or remove the utterance"
            yield Problem(path, line, message, "no-wav.scp", key=key)


def _disagreement(structure: Structure, name: str, table: Table) -> Iterable[Problem]:
    kind = TABLES[name]
    # With segments, a recording without any segment is merely unused.
    unused = name == "wav.scp" and structure.segmented
    owner = "utterance" if name == "wav.scp" and not unused else kind.owner
    source = "utt2spk" if kind.owner != "recording" or name == "wav.scp" else "wav.scp"
    if not unused and not (owner == "utterance" and table.lines.same_keys(structure.utterances)):
        known = structure.keys(owner) | {problem.key for problem in structure.tables["utt2spk"].problems}
        for key, line in table.lines.pairs():
            if key not in known:
                message = f"'{key}' is not in {source}; add it there or remove this line"
                yield Problem(table.path, line, message, "stray", key=key)
    if kind.complete:
        yield from absent_entries(structure, name)
