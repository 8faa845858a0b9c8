"""Manifests of lhotse, read and written without it: recordings, supervisions and cuts, ``.jsonl`` or ``.jsonl.gz``.

The format is that of lhotse's documentation ("Representing a corpus", "Cuts"), of any version that writes JSON lines.
"""

import contextlib
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechtl.audio.pipe import is_pipe
from speechtl.decompress import decompress
from speechtl.errors import DataError
from speechtl.exchange.entry import Entry, Source, gender_of
from speechtl.files import decode_lines, read_bytes

SUFFIXES = (".jsonl", ".jsonl.gz")
# Seconds by which a supervision may miss the ends of its recording and still be all of it: half a sample of 8 kHz.
_EXACT = 6e-5


def kind_of(path: Path) -> str:
    """Return ``"recordings"``, ``"supervisions"`` or ``"cuts"`` by the first line of a file; ``""`` for another one."""
    if not path.name.endswith(SUFFIXES):
        return ""
    try:
        _, first = next(_objects(path, limit=1), (0, {}))
    except DataError:
        return ""
    if "id" in first and "sources" in first:
        return "recordings"
    if "id" in first and "recording_id" in first:
        return "supervisions"
    return "cuts" if "id" in first and ("supervisions" in first or "tracks" in first) else ""


def read_lhotse(path: Path) -> Source:
    """Read manifests of lhotse.

    Args:
        path: a file of cuts; one of supervisions or of recordings, the other of which is looked for beside it by its
            name; or a folder with one file of cuts, or one of each of the others.

    Returns:
        An utterance for each supervision; those of recordings without supervisions have no text.

    Raises:
        DataError: there are no such files, more than one, or one that cannot be read.
    """
    files = _files(path)
    if "cuts" in files:
        return _Reader().cuts(files["cuts"])
    reader = _Reader()
    if "recordings" not in files:
        raise DataError(f"{path}: no manifest of its recordings beside it; give the folder or a manifest of cuts")
    reader.recordings(files["recordings"])
    return reader.supervisions(files["supervisions"]) if "supervisions" in files else reader.alone(files["recordings"])


def write_lhotse(
    folder: Path, recordings: Sequence[Mapping[str, Any]], supervisions: Sequence[Mapping[str, Any]]
) -> None:
    """Write ``recordings.jsonl.gz`` and ``supervisions.jsonl.gz`` into a folder; the same content gives the same bytes.

    Args:
        folder: it exists.
        recordings: what lhotse's ``Recording.to_dict`` gives.
        supervisions: what ``SupervisionSegment.to_dict`` gives.
    """
    for name, lines in (("recordings", recordings), ("supervisions", supervisions)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        kind = kind_of(path)
        found = {kind: path}
        for one, other in (("supervisions", "recordings"), ("recordings", "supervisions")):
            beside = path.with_name(path.name.replace(one, other))
            if kind == one and beside != path and beside.is_file():
                found[other] = beside
        return found
    found = {}
    for file in sorted(path.glob("[!.]*")):
        kind = kind_of(file)
        if kind and kind in found:
            raise DataError(f"{path}: several manifests of {kind} ({found[kind].name}, {file.name}); give one file")
        if kind:
            found[kind] = file
    return found


def _objects(path: Path, limit: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    content = read_bytes(path)
    if path.suffix == ".gz":
        content = decompress(content, path)
    for number, line, fault in decode_lines(content):
        if limit is not None and number > limit:
            return
        try:
            found = json.loads(line) if not fault and line.strip() else {}
        except (ValueError, RecursionError):
            found = None
        if fault or not isinstance(found, dict):
            raise DataError(f"{path}:{number}: {fault or 'not a JSON object; a manifest has one in each line'}")
        if found:
            yield number, found


class _Reader:
    def __init__(self) -> None:
        self.source = Source()
        self.known: dict[str, dict[str, Any]] = {}
        self.folder = Path()

    def recordings(self, path: Path) -> None:
        self.folder = path.parent
        for number, one in _objects(path):
            with _Placed(self.source, path, number):
                self.known[str(one["id"])] = one

    def supervisions(self, path: Path) -> Source:
        for number, one in _objects(path):
            with _Placed(self.source, path, number):
                recording = self.known.get(str(one["recording_id"]))
                if recording is None:
                    raise ValueError(f"recording '{one['recording_id']}' is not in the manifest of recordings")
                self.source.entries.append(self._entry(f"{path}:{number}", recording, one, 0.0))
        return self.source

    def alone(self, path: Path) -> Source:
        for name, one in self.known.items():
            with _Placed(self.source, path, 0):
                whole = {"id": name, "start": 0.0, "duration": one["duration"]}
                self.source.entries.append(self._entry(str(path), one, whole, 0.0))
        return self.source

    def cuts(self, path: Path) -> Source:
        self.folder = path.parent
        for number, one in _objects(path):
            with _Placed(self.source, path, number):
                if "recording" not in one:
                    what = one.get("type", "cut")
                    raise ValueError(f"'{one['id']}' is a {what} without a recording of its own; leave it out")
                inside = one.get("supervisions") or [{**one, "start": 0.0}]
                for supervision in inside:
                    offset = float(one["start"])
                    self.source.entries.append(self._entry(f"{path}:{number}", one["recording"], supervision, offset))
        return self.source

    def _entry(self, place: str, recording: Mapping[str, Any], supervision: Mapping[str, Any], offset: float) -> Entry:
        start = max(round(offset + float(supervision["start"]), 9), 0.0)
        end = round(start + float(supervision["duration"]), 9)
        if end <= start:
            raise ValueError(f"'{supervision['id']}' lasts {supervision['duration']} s")
        seconds, name = float(recording["duration"]), str(recording["id"])
        whole = start < _EXACT and abs(end - seconds) < _EXACT
        same = whole and name == str(supervision["id"])
        audio, channel = self._audio(recording, supervision.get("channel"))
        text = supervision.get("text")
        return Entry(
            place,
            audio,
            name,
            str(supervision["id"]),
            None if text is None else " ".join(str(text).split()),
            str(supervision.get("speaker") or ""),
            str(supervision.get("language") or ""),
            str((supervision.get("custom") or {}).get("domain") or ""),
            gender_of(str(supervision.get("gender") or "")),
            name,
            None if same else start,
            None if same else seconds if whole else end,
            channel,
        )

    def _audio(self, recording: Mapping[str, Any], wanted: Any) -> tuple[str, int | None]:
        """Return the audio of a supervision, and its channel there if that has several."""
        name, sources = recording["id"], recording["sources"]
        if recording.get("transforms"):
            raise ValueError(f"recording '{name}' is changed when it is read (transforms); store its audio first")
        if len(sources) > 1 and isinstance(wanted, int):
            sources = [one for one in sources if wanted in one["channels"]]
        if len(sources) != 1:
            raise ValueError(f"recording '{name}' is in several files, and the supervision does not say which channel")
        (one,) = sources
        if one["type"] == "command":
            audio = f"{one['source']} |"
        elif one["type"] == "file":
            audio = self._path(str(one["source"]))
        else:
            raise ValueError(f"recording '{name}' is of type '{one['type']}'; store its audio in a file")
        several = len(one["channels"]) > 1 and isinstance(wanted, int)
        return audio, one["channels"].index(wanted) if several else None

    def _path(self, name: str) -> str:
        # lhotse takes paths as relative to where it runs; manifests that are handed on, to where they are.
        for path in (self.folder / name, Path(name)):
            # What is no name of a file, being too long, raises an error.
            with contextlib.suppress(OSError):
                if path.is_file():
                    return str(path.absolute())
        raise ValueError(f"no audio file '{name}'; correct the path, or run this where it is relative to")


class _Placed:
    """Turn what is wrong with a line into a problem with its place."""

    def __init__(self, source: Source, path: Path, line: int):
        self.source, self.place = source, f"{path}:{line}" if line else str(path)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, KeyError):
            self.source.problems.append(f"{self.place}: lacks {error}, which manifests of lhotse have")
        elif isinstance(error, ValueError | TypeError):
            self.source.problems.append(f"{self.place}: {error}")
        return isinstance(error, KeyError | ValueError | TypeError)


def recording_line(name: str, audio: str, rate: int, samples: int, channels: Sequence[int]) -> dict[str, Any]:
    """Return what lhotse's manifest says of a recording."""
    kind = "command" if is_pipe(audio) else "file"
    source = audio.rstrip().removesuffix("|").rstrip() if is_pipe(audio) else audio
    return {
        "id": name,
        "sources": [{"type": kind, "channels": list(channels), "source": source}],
        "sampling_rate": rate,
        "num_samples": samples,
        "duration": samples / rate,
        "channel_ids": list(channels),
    }
