"""Tables of recordings and their transcripts, as people and other tools write them.

CSV, TSV and tables with ``|`` or ``;``: ours (file, text, speaker), Common Voice's, LJSpeech's, Piper's, Coqui's and
Hugging Face's; and NeMo's manifests, a JSON object per line.
"""

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from speechtl.audio.stream import AUDIO_SUFFIXES
from speechtl.errors import DataError

_FILE = ("file", "path", "audio", "wav", "filename", "file_name", "audio_file", "audio_filepath", "wav_filename")
_TEXT = ("text", "sentence", "transcript", "transcription", "normalized_text")
_SPEAKER = ("speaker", "speaker_id", "speaker_name", "client_id")
_NAMES = f"{', '.join(_FILE)}; {', '.join(_TEXT)}; {', '.join(_SPEAKER)}"
# Where corpora keep their audio beside the table.
_FOLDERS = ("", "wavs", "wav", "clips", "audio")
# In tables of the first two, a quote mark is a quote mark (Common Voice, LJSpeech).
_DELIMITERS = ("\t", "|", ";", ",")
_QUOTED = (";", ",")


@dataclasses.dataclass(frozen=True)
class TableRow:
    """A recording in a table.

    Attributes:
        line: the line in the file, from 1.
        name: the recording as the table calls it.
        file: where it is.
        text: its transcript, in one line; may be empty.
        speaker: its speaker; empty if the table does not say.
    """

    line: int
    name: str
    file: Path
    text: str
    speaker: str


@dataclasses.dataclass(frozen=True)
class _Cells:
    line: int
    cells: list[str]


@dataclasses.dataclass(frozen=True)
class _Columns:
    file: int
    text: int | None
    speaker: int | None


def read_recording_table(path: Path, content: str) -> tuple[list[TableRow], list[str]]:
    """Read a table of recordings.

    The delimiter is the one by which most rows name an audio file that exists. Without a header, columns are file, text
    and speaker, the last two of which may be missing; a header may name them in any order and among others.

    Args:
        path: the file; names in it are relative to its folder, or to ``wavs``, ``wav``, ``clips`` or ``audio`` in it.
        content: of the file.

    Returns:
        The recordings, and what is wrong with rows: those that name no audio file, or have other columns than expected.

    Raises:
        DataError: the file is no such table.
    """
    if content.lstrip().startswith("{"):
        return _manifest(path, content)
    first = content.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=lambda one: (_matches(path, content, one), first.count(one)))
    problems: list[str] = []
    rows = _split(path, content, delimiter, problems)
    if problems or not rows:
        return [], problems or [f"{path}: no rows; write an audio file and its text in each"]
    header = [cell.strip().lower() for cell in rows[0].cells]
    if any(name in _FILE for name in header) and _find(path, rows[0].cells[0]) is None:
        columns, origin, count = _named(path, header), f"its header, line {rows[0].line}", len(header)
        rows = rows[1:]
    else:
        if _find(path, rows[0].cells[0]) is None and any(_find(path, row.cells[0]) for row in rows[1:]):
            problems.append(
                f"{path}:{rows[0].line}: neither an audio file nor a header that is known "
                f"({', '.join(rows[0].cells)}); columns are called: {_NAMES}"
            )
        counts = [len(row.cells) for row in rows]
        count = max(set(counts), key=lambda one: (counts.count(one), -one))
        origin = "most lines" if len(set(counts)) > 1 else "all lines"
        columns = _unnamed(path, rows, count, delimiter, problems)
    quoted = " (a text with commas in it stands in double quotes)" if delimiter == "," else ""
    for row in rows:
        if len(row.cells) != count:
            problems.append(f"{path}:{row.line}: {len(row.cells)} columns, expected {count} as in {origin}{quoted}")
    found = [_row(path, row, columns, problems) for row in rows if len(row.cells) == count]
    return [row for row in found if row is not None], problems


def _matches(path: Path, content: str, delimiter: str) -> int:
    """Return how many of the first rows name a file that exists, or a header, in a table with this delimiter."""
    rows = [line.split(delimiter) for line in content.splitlines()[:50] if line.strip()]
    if not rows:
        return 0
    header = [cell.strip().strip('"').lower() for cell in rows[0]]
    place = next((place for place, name in enumerate(header) if name in _FILE), 0)
    # One column is no sign of a delimiter.
    split = [row for row in rows if len(row) > max(place, 1)]
    named = len(split) * (len(header) > 1 and header[place] in _FILE)
    return named + sum(_find(path, row[place].strip().strip('"')) is not None for row in split)


def _split(path: Path, content: str, delimiter: str, problems: list[str]) -> list[_Cells]:
    if delimiter not in _QUOTED:
        lines = enumerate(content.splitlines(), start=1)
        return [_Cells(number, line.split(delimiter)) for number, line in lines if line.strip(delimiter + " ")]
    spaced = f'{delimiter} "' in content
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True, skipinitialspace=spaced)
    rows, line = [], 1
    try:
        for cells in reader:
            inner = [part for cell in cells for part in cell.splitlines()[1:]]
            if any(_find(path, part.split(delimiter)[0]) for part in inner):
                problems.append(f"{path}:{line}: a quote mark opens here and takes the next lines with it; close it")
            if any(cell.strip() for cell in cells):
                rows.append(_Cells(line, cells))
            line = reader.line_num + 1
    except csv.Error:
        problems.append(
            f"{path}:{line}: quote marks that are not in pairs; put the whole text in double quotes and double those "
            "inside it, or take them out"
        )
    return rows


def _named(path: Path, header: Sequence[str]) -> _Columns:
    """Return where the columns of a header are."""

    def place(names: Iterable[str]) -> int | None:
        return next((header.index(name) for name in names if name in header), None)

    file, text = place(_FILE), place(_TEXT)
    if file is None or (text is None and len(header) > 1):
        lacking = "audio files" if file is None else "texts"
        raise DataError(
            f"{path}:1: a header without a column of {lacking} ({', '.join(header)}); it may have: {_NAMES}"
        )
    return _Columns(file, text, place(_SPEAKER))


def _unnamed(path: Path, rows: Sequence[_Cells], count: int, delimiter: str, problems: list[str]) -> _Columns:
    """Return which columns are which where no header says so; say where that cannot be."""
    full = [row for row in rows if len(row.cells) == count]
    if count > 3:
        problems.append(f"{path}: {count} columns and no header; write one, its columns are called: {_NAMES}")
    if count < 3:
        return _Columns(0, 1 if count > 1 else None, None)
    if delimiter == "|" and not any(Path(row.cells[0].strip()).suffix.lower() in AUDIO_SUFFIXES for row in full):
        # LJSpeech: id, text, text with numbers and abbreviations written out. Piper: id, speaker, text.
        same = any(row.cells[1] == row.cells[2] for row in full)
        return _Columns(0, 2, None if same or any(" " in row.cells[1].strip() for row in full) else 1)
    # A space in front of it: the text was cut at a comma.
    if any(" " in row.cells[2].rstrip() for row in full):
        problems.append(
            f"{path}: no header, so column 3 is the speaker, and '{full[0].cells[2].strip()}' looks like a text; "
            f"write a header, or put texts in double quotes; its columns are called: {_NAMES}"
        )
    return _Columns(0, 1, 2)


def _row(path: Path, row: _Cells, columns: _Columns, problems: list[str]) -> TableRow | None:
    name = row.cells[columns.file].strip()
    file = _find(path, name)
    if file is None:
        problems.append(f"{path}:{row.line}: no audio file '{name}' (paths are relative to {path.parent})")
        return None
    text = "" if columns.text is None else " ".join(row.cells[columns.text].split())
    speaker = "" if columns.speaker is None else row.cells[columns.speaker].strip()
    return TableRow(row.line, name, file, text, speaker)


def _manifest(path: Path, content: str) -> tuple[list[TableRow], list[str]]:
    rows, problems = [], list[str]()
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, Mapping):
            problems.append(f"{path}:{number}: not a JSON object; a manifest has one in each line")
            continue
        if entry.get("offset"):
            problems.append(
                f"{path}:{number}: a part of a file (offset); cut it, or write a data directory with segments"
            )
            continue
        cells = [next((str(entry[name]) for name in names if name in entry), "") for names in (_FILE, _TEXT, _SPEAKER)]
        row = _row(path, _Cells(number, cells), _Columns(0, 1, 2), problems)
        rows += [] if row is None else [row]
    return rows, problems


def _find(path: Path, name: str) -> Path | None:
    """Return the audio file that a table means; corpora leave out its suffix, or the folder that it is in."""
    name = name.strip()
    if not name or "\n" in name:
        return None
    suffixes = [""] if Path(name).suffix.lower() in AUDIO_SUFFIXES else ["", *sorted(AUDIO_SUFFIXES)]
    places = (path.parent / folder / (name + suffix) for suffix in suffixes for folder in _FOLDERS)
    return next((place for place in places if len(name) < 4000 and _is_file(place)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A line of text that is too long for a name.
        return False
