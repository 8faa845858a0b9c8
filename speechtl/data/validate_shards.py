"""Validate a set of shards: index and tar files, read from beginning to end as any other reader of tar files would."""

import tarfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from speechtl.audio.header import AudioHeader, read_headers
from speechtl.data.shard_index import ShardEntry, ShardIndex, by_shard
from speechtl.data.shard_writer import sample_key
from speechtl.data.tables import Problem
from speechtl.data.validation_report import Report
from speechtl.errors import DataError
from speechtl.progress import progress_bar
from speechtl.remote_file import fetch, is_remote
from speechtl.staging import scratch_folder

_ADVICE = "copy the shard again, or make it again (speechtl data shard)"
_DURATION_TOLERANCE = 0.05


def validate_shards(
    place: str | Path, *, require_text: bool = True, check_audio: bool = True, decode: bool = False
) -> Report:
    """Validate a set of shards.

    Args:
        place: its folder or address.
        require_text: whether a missing transcript is an error.
        check_audio: whether to read every shard, and to compare it with the index.
        decode: whether to decode all audio as well.

    Returns:
        The report; its problems are not raised.

    Raises:
        DataError: the index cannot be read or is damaged.
    """
    index = ShardIndex.load(place)
    problems = []
    if require_text:
        silent = [entry.id for entry in index.entries if entry.text is None]
        problems += [_problem(index, f"'{name}': no transcript; add it, or pass --no-text", name) for name in silent]
    headers: dict[str, AudioHeader] = {}
    if check_audio:
        entries = dict(by_shard(index.entries))
        with progress_bar("shards", len(index.sizes)) as advance:
            for name in index.sizes:
                found = _check(index, name, entries.get(name, []))
                problems += found
                if decode and not found:
                    headers |= _decode(index, entries.get(name, []), problems)
                advance()
    speakers = len({entry.speaker for entry in index.entries})
    count = len(index.entries)
    return Report(Path(index.place), tuple(problems), count, speakers, count, headers)


def _problem(index: ShardIndex, message: str, key: str = "", shard: str = "") -> Problem:
    return Problem(Path(index.place) / (shard or "index.jsonl"), 0, message, "shard", key=key)


def _check(index: ShardIndex, name: str, entries: Sequence[ShardEntry]) -> list[Problem]:
    """Read one shard."""
    file = f"{index.place}/{name}"
    try:
        if not is_remote(index.place):
            return [_problem(index, message, key, name) for key, message in _faults(Path(file), index, name, entries)]
        with scratch_folder() as folder:
            copy = folder / name
            fetch(file, copy)
            return [_problem(index, message, key, name) for key, message in _faults(copy, index, name, entries)]
    except DataError as error:
        return [_problem(index, str(error).removeprefix(f"{file}: "), shard=name)]


def _faults(path: Path, index: ShardIndex, name: str, entries: Sequence[ShardEntry]) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a shard: the utterance, or ``""``, and a message."""
    left = {sample_key(entry.id) + entry.suffix: entry for entry in entries}
    try:
        size = path.stat().st_size
        if size != index.sizes[name]:
            yield "", f"has {size} bytes (expected {index.sizes[name]}); {_ADVICE}"
        with tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape") as tar:
            for member in tar:
                entry = left.get(member.name)
                if entry is None:
                    continue
                # Reading fails where the shard ends too early; then it is among those that are left.
                stored = tar.extractfile(member)
                content = b"" if stored is None else stored.read()
                del left[member.name]
                if (member.offset_data, member.size) != (entry.offset, entry.size):
                    yield entry.id, f"'{entry.id}': is not where the index says; {_ADVICE}"
                elif zlib.crc32(content) != entry.crc32:
                    yield entry.id, f"'{entry.id}': damaged (its checksum is wrong); {_ADVICE}"
    except OSError as error:
        yield "", f"cannot read: {error.strerror or error}; {_ADVICE}"
        return
    except tarfile.TarError as error:
        yield "", f"not a whole tar file ({error}); {_ADVICE}"
    for entry in left.values():
        yield entry.id, f"'{entry.id}': is not in the shard, or not all of it; {_ADVICE}"


def _decode(index: ShardIndex, entries: Sequence[ShardEntry], problems: list[Problem]) -> dict[str, AudioHeader]:
    places = {entry.id: (entry, str(index.place_of(entry))) for entry in entries}
    headers, faults = read_headers([(key, place) for key, (_, place) in places.items()], decode=True)
    problems += [_problem(index, f"'{key}': {fault}", key, places[key][0].shard) for key, fault in faults.items()]
    for key, header in headers.items():
        entry = places[key][0]
        if abs(header.seconds - entry.seconds) > _DURATION_TOLERANCE:
            message = f"'{key}': {header.seconds:.3f} s of audio (the index says {entry.seconds:.3f}); {_ADVICE}"
            problems.append(_problem(index, message, key, entry.shard))
    return headers
