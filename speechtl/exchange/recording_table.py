"""Tables of recordings and their transcripts, as people and other tools write them.

CSV, TSV and tables with ``|`` or ``;``: ours (file, text, speaker and more), Common Voice's, LJSpeech's, Piper's,
Coqui's and Hugging Face's; and a JSON object per line: NeMo's manifests and Hugging Face's ``metadata.jsonl``.
"""

import csv
import dataclasses
import io
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechtl.audio.stream import AUDIO_SUFFIXES
from speechtl.errors import DataError
from speechtl.exchange.entry import Entry, Source, gender_of, without_suffix
from speechtl.exchange.named_audio import NamedAudio
from speechtl.uncollected import uncollected

# What columns, and keys of JSON objects, may be called.
COLUMNS = {
    "file": ("file", "path", "audio", "wav", "filename", "file_name", "audio_file", "audio_filepath", "wav_filename"),
    "text": ("text", "sentence", "transcript", "transcription", "normalized_text", "wrd"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "client_id", "spk_id"),
    "id": ("id", "utt_id", "utterance_id"),
    "language": ("language", "lang", "locale", "source_lang"),
    "domain": ("domain",),
    "gender": ("gender", "sex"),
    "recording": ("recording", "recording_id"),
    "start": ("start", "offset"),
    "end": ("end",),
    "duration": ("duration",),
    "channel": ("channel",),
}
_NAMES = "; ".join(", ".join(COLUMNS[field]) for field in ("file", "text", "speaker"))
# In tables of the first two, a quote mark is a quote mark (Common Voice, LJSpeech).
_DELIMITERS = ("\t", "|", ";", ",")
_QUOTED = (";", ",")


@dataclasses.dataclass(frozen=True)
class _Cells:
    line: int
    cells: Sequence[str]


@uncollected()
def read_recording_table(path: Path, content: str, below: Path = Path()) -> Source:
    """Read a table of recordings.

    The delimiter is the one by which most rows name an audio file that exists. Without a header, columns are file, text
    and speaker, the last two of which may be missing; a header may name them, and those of `COLUMNS`, in any order and
    among others. ``start`` and ``end`` (or ``duration``) are seconds and cut an utterance out of its file.

    Args:
        path: the file; names in it are relative to its folder, or to ``wavs``, ``wav``, ``clips`` or ``audio`` in it.
        content: of the file.
        below: where the file is in the folder that is read, which names of recordings then begin with.

    Returns:
        The recordings, and what is wrong with rows: those that name no audio file, or have other columns than expected.

    Raises:
        DataError: the file is no such table.
    """
    source = Source()
    if content.lstrip().startswith("{"):
        rows, columns = _objects(path, content, source.problems), {name: place for place, name in enumerate(COLUMNS)}
        source.entries = _entries(path, below, rows, columns, NamedAudio(path), source.problems)
        return source
    first, audio = content.partition("\n")[0], NamedAudio(path)
    delimiter = max(_DELIMITERS, key=lambda one: (_matches(audio, content, one), first.count(one)))
    rows = _split(path, content, delimiter, audio, source.problems)
    if source.problems or not rows:
        source.problems = source.problems or [f"{path}: no rows; write an audio file and its text in each"]
        return source
    header = [cell.strip().lower() for cell in rows[0].cells]
    if any(name in COLUMNS["file"] for name in header) and audio.find(rows[0].cells[0]) is None:
        columns, origin, count = _named(path, header), f"its header, line {rows[0].line}", len(header)
        rows = rows[1:]
    else:
        if audio.find(rows[0].cells[0]) is None and any(audio.find(row.cells[0]) for row in rows[1:]):
            source.problems.append(
                f"{path}:{rows[0].line}: neither an audio file nor a header that is known "
                f"({', '.join(rows[0].cells)}); columns are called: {_NAMES}"
            )
        counts = Counter(len(row.cells) for row in rows)
        count = max(counts, key=lambda one: (counts[one], -one))
        origin = "most lines" if len(counts) > 1 else "all lines"
        columns = _unnamed(path, rows, count, delimiter, source.problems)
    quoted = " (a text with commas in it stands in double quotes)" if delimiter == "," else ""
    for row in rows:
        if len(row.cells) != count:
            source.problems.append(
                f"{path}:{row.line}: {len(row.cells)} columns, expected {count} as in {origin}{quoted}"
            )
    fitting = [row for row in rows if len(row.cells) == count]
    source.entries = _entries(path, below, fitting, columns, audio, source.problems)
    return source


def _lines(content: str) -> list[str]:
    """Split at line ends only; ``str.splitlines`` would also cut at U+2028 and its like."""
    return [line.removesuffix("\r") for line in content.split("\n")]


def _matches(audio: NamedAudio, content: str, delimiter: str) -> int:
    """Return how many of the first rows name a file that exists, or a header, in a table with this delimiter."""
    lines = [line for line in _lines(content[:100_000])[:50] if line.strip()]
    if delimiter in _QUOTED:
        try:
            rows = [next(csv.reader([line], delimiter=delimiter), [""]) for line in lines]
        except csv.Error:
            return 0
    else:
        rows = [line.split(delimiter) for line in lines]
    if not rows:
        return 0
    header = [cell.strip().strip('"').lower() for cell in rows[0]]
    place = next((place for place, name in enumerate(header) if name in COLUMNS["file"]), 0)
    # One column is no sign of a delimiter.
    split = [row for row in rows if len(row) > max(place, 1)]
    named = len(split) * (len(header) > 1 and header[place] in COLUMNS["file"])
    return named + sum(audio.find(row[place].strip().strip('"')) is not None for row in split)


def _split(path: Path, content: str, delimiter: str, audio: NamedAudio, problems: list[str]) -> list[_Cells]:
    if delimiter not in _QUOTED:
        lines = enumerate(_lines(content), start=1)
        return [_Cells(number, line.split(delimiter)) for number, line in lines if line.strip(delimiter + " ")]
    spaced = f'{delimiter} "' in content
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True, skipinitialspace=spaced)
    rows, line = [], 1
    try:
        for cells in reader:
            inner = [part for cell in cells if "\n" in cell for part in cell.split("\n")[1:]]
            if any(audio.find(part.split(delimiter)[0]) for part in inner):
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


def _named(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Return where the columns of a header are."""
    columns = {}
    for field, names in COLUMNS.items():
        found = next((header.index(name) for name in names if name in header), None)
        if found is not None:
            columns[field] = found
    # A table without transcripts is one whose columns are all known; in any other, one of them may be the texts.
    unknown = len(set(header)) > len(columns)
    if "file" not in columns or ("text" not in columns and unknown):
        lacking = "audio files" if "file" not in columns else "texts"
        raise DataError(
            f"{path}:1: a header without a column of {lacking} ({', '.join(header)}); it may have: {_NAMES}"
        )
    return columns


def _unnamed(path: Path, rows: Sequence[_Cells], count: int, delimiter: str, problems: list[str]) -> dict[str, int]:
    """Return which columns are which where no header says so; say where that cannot be."""
    full = [row for row in rows if len(row.cells) == count]
    if count > 3:
        problems.append(f"{path}: {count} columns and no header; write one, its columns are called: {_NAMES}")
    if count < 3:
        return {"file": 0, "text": 1} if count > 1 else {"file": 0}
    if delimiter == "|" and not any(Path(row.cells[0].strip()).suffix.lower() in AUDIO_SUFFIXES for row in full):
        # LJSpeech: id, text, text with numbers and abbreviations written out. Piper: id, speaker, text.
        same = any(row.cells[1] == row.cells[2] for row in full)
        spaces = any(" " in row.cells[1].strip() for row in full)
        return {"file": 0, "text": 2} if same or spaces else {"file": 0, "speaker": 1, "text": 2}
    # A space in front of it: the text was cut at a comma.
    if any(" " in row.cells[2].rstrip() for row in full):
        problems.append(
            f"{path}: no header, so column 3 is the speaker, and '{full[0].cells[2].strip()}' looks like a text; "
            f"write a header, or put texts in double quotes; its columns are called: {_NAMES}"
        )
    return {"file": 0, "text": 1, "speaker": 2}


def _objects(path: Path, content: str, problems: list[str]) -> list[_Cells]:
    """Read a JSON object per line into cells in the order of `COLUMNS`; what an object does not have is no text."""
    rows = []
    for number, line in enumerate(_lines(content), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, Mapping):
            problems.append(f"{path}:{number}: not a JSON object; a manifest has one in each line")
            continue
        values = [next((entry[name] for name in names if name in entry), None) for names in COLUMNS.values()]
        rows.append(_Cells(number, ["\0" if value is None else str(value) for value in values]))
    return rows


def _entries(
    path: Path,
    below: Path,
    rows: Sequence[_Cells],
    columns: Mapping[str, int],
    audio: NamedAudio,
    problems: list[str],
) -> list[Entry]:
    """Make entries of rows; those with a problem are left out."""
    table = [
        (row.line, {field: row.cells[place].strip() for field, place in columns.items() if row.cells[place] != "\0"})
        for row in rows
    ]
    absolute = [fields["file"] for _, fields in table if os.path.isabs(fields.get("file", ""))]
    common = os.path.commonpath([os.path.dirname(name) for name in absolute]) if absolute else ""
    # A file of which others name parts is not meant as a whole where only a duration is given (NeMo).
    cut = {fields.get("file") for _, fields in table if fields.get("start") or fields.get("end")}
    entries, missing = [], f"(paths are relative to {path.parent})"
    # Where it is and what it is called; many utterances may be parts of one file.
    places: dict[str, tuple[str, str]] = {}
    for line, fields in table:
        name = fields.get("file", "")
        file = audio.find(name)
        if file is None:
            problems.append(f"{path}:{line}: no audio file '{name}' {missing}")
            continue
        try:
            start, end = _times(fields, name in cut)
            channel = int(fields["channel"]) if fields.get("channel") else None
        except ValueError as error:
            problems.append(f"{path}:{line}: {error}; correct the row")
            continue
        text = " ".join(fields["text"].split()) if "text" in fields else None
        if name not in places:
            relative = os.path.relpath(name, common) if os.path.isabs(name) else str(below / name)
            places[name] = str(file.absolute()), without_suffix(relative)
        entries.append(
            Entry(
                f"{path}:{line}",
                *places[name],
                fields.get("id", ""),
                text,
                fields.get("speaker", ""),
                fields.get("language", ""),
                fields.get("domain", ""),
                gender_of(fields.get("gender", "")),
                fields.get("recording", ""),
                start,
                end,
                channel,
            )
        )
    return entries


def _times(fields: Mapping[str, str], cut: bool) -> tuple[float | None, float | None]:
    """Return where an utterance starts and ends in its file; a duration alone says how long the file is."""
    if not cut:
        return None, None
    start = _seconds(fields.get("start") or "0")
    if fields.get("end"):
        end = _seconds(fields["end"])
    elif fields.get("duration"):
        end = start + _seconds(fields["duration"])
    else:
        return start, None
    if end <= start:
        raise ValueError(f"ends at {end:g} s, before it starts ({start:g} s)")
    return start, end


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"expected seconds, 0 or more (got '{text}')")
    return seconds
