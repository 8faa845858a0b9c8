"""The index of a set of tar shards: which utterances they hold, where, how long they are and what is said.

With it, nothing needs to be read but the audio that is used. Its first line is about the set, every other one about an
utterance; all are JSON. Places are relative, so a set may be copied anywhere, or offered over HTTP or from S3.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from speechtl.audio.tar_part import TarPart
from speechtl.data.tables import key_fault
from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write, decode_lines, finish_replacing, read_bytes
from speechtl.remote_file import address, is_remote, read_remote

INDEX = "index.jsonl"
FORMAT = "speechtl shards, version 1"

# Of an utterance; what is empty is left out of the file.
_OPTIONAL = ("text", "language", "domain", "gender", "original")


@dataclasses.dataclass(frozen=True, slots=True)
class ShardEntry:
    """An utterance in a shard.

    Attributes:
        id: of the utterance.
        speaker: its speaker.
        shard: name of the tar file.
        suffix: of the audio file in it, such as ``".flac"``.
        offset: of the audio, in bytes.
        size: of the audio, in bytes.
        crc32: of the audio.
        seconds: its duration.
        text: the transcript; None if there is none.
        language: from ``utt2lang``, or None.
        domain: from ``utt2dom``, or None.
        gender: of the speaker, or None.
        original: utterance of which it is a perturbed copy, or None.
    """

    id: str
    speaker: str
    shard: str
    suffix: str
    offset: int
    size: int
    crc32: int
    seconds: float
    text: str | None = None
    language: str | None = None
    domain: str | None = None
    gender: str | None = None
    original: str | None = None

    def line(self) -> str:
        """Return its line of the index."""
        table = {name: getattr(self, name) for name in self.__slots__}
        kept = {key: value for key, value in table.items() if value is not None}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


@dataclasses.dataclass(frozen=True)
class ShardIndex:
    """The index of a set of shards.

    Attributes:
        place: the folder or address of the set.
        digest: of what it was made of.
        sizes: name of each tar file, in order -> its size in bytes.
        entries: the utterances, as they follow each other in the shards.
    """

    place: str
    digest: str
    sizes: dict[str, int]
    entries: Sequence[ShardEntry]

    @classmethod
    def load(cls, place: str | Path) -> "ShardIndex":
        """Read the index of a set of shards.

        Args:
            place: the folder, an address of it (``http://``, ``s3://``, ``gs://``), or either with the index's name.

        Raises:
            DataError: it cannot be read or is damaged; all faulty lines are named.
        """
        folder = address(place).removesuffix(f"/{INDEX}").rstrip("/")
        origin = f"{folder}/{INDEX}"
        if not is_remote(folder):
            finish_replacing(folder)
        content = read_remote(origin) if is_remote(folder) else read_bytes(origin)
        lines = decode_lines(content)
        digest, sizes = _head(next(lines, (1, "", "empty")), origin)
        entries, problems, seen = [], [], set[str]()
        for number, line, fault in lines:
            try:
                if fault:
                    raise ValueError(fault)
                entry = _entry(line, sizes)
                if entry.id in seen:
                    raise ValueError(f"utterance '{entry.id}' occurs twice")
            except (ValueError, TypeError, RecursionError, OverflowError) as error:
                problems.append(f"{origin}:{number}: {error}")
                continue
            seen.add(entry.id)
            entries.append(entry)
        if problems:
            heading = (
                f"{origin}: {len(problems)} problems; copy it again, or make the shards again (speechtl data shard)"
            )
            raise DataError(list_problems(heading, problems))
        return cls(folder, digest, sizes, entries)

    def save(self) -> None:
        """Write it.

        Raises:
            DataError: it cannot be written.
        """
        shards = [{"file": name, "size": size} for name, size in self.sizes.items()]
        head = {"format": FORMAT, "utterances": len(self.entries), "digest": self.digest, "shards": shards}
        with atomic_write(Path(self.place) / INDEX) as file:
            file.write(json.dumps(head, ensure_ascii=False) + "\n")
            file.writelines(entry.line() + "\n" for entry in self.entries)

    def place_of(self, entry: ShardEntry) -> TarPart:
        """Return where the audio of an utterance is."""
        return TarPart(f"{self.place}/{entry.shard}", entry.offset, entry.size, entry.crc32)

    def tables(self) -> dict[str, dict[str, Any]]:
        """Return the tables of a data directory, by the names of their attributes in `DataDir`."""
        named = {"text": "text", "utt2lang": "language", "utt2dom": "domain", "utt2uniq": "original"}
        tables: dict[str, dict[str, Any]] = {
            table: {one.id: value for one in self.entries if (value := getattr(one, field)) is not None}
            for table, field in named.items()
        }
        tables["utt2spk"] = {one.id: one.speaker for one in self.entries}
        tables["utt2dur"] = {one.id: one.seconds for one in self.entries}
        tables["wav_scp"] = {one.id: str(self.place_of(one)) for one in self.entries}
        tables["spk2gender"] = {one.speaker: one.gender for one in self.entries if one.gender is not None}
        return tables


def is_shard_set(place: str | Path) -> bool:
    """Tell whether a place is a set of shards: a folder with an index, or an address."""
    return is_remote(place) or Path(place).name == INDEX or (Path(place) / INDEX).is_file()


def _head(line: tuple[int, str, str], origin: str) -> tuple[str, dict[str, int]]:
    try:
        head = json.loads(line[1]) if not line[2] else None
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise ValueError(f'expected {{"format": "{FORMAT}", ...}}')
        sizes = {str(one["file"]): int(one["size"]) for one in head["shards"]}
        if any("/" in name or not name.endswith(".tar") for name in sizes):
            raise ValueError("a shard is not the name of a .tar file")
        return str(head["digest"]), sizes
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        advice = "write it with speechtl data shard"
        raise DataError(f"{origin}:1: not the index of a set of shards: {error}; {advice}") from error


def _entry(line: str, sizes: dict[str, int]) -> ShardEntry:
    """Read a line.

    Raises:
        ValueError, TypeError: with the reason.
    """
    entry = ShardEntry(**json.loads(line))
    for name in ("id", "speaker"):
        value = getattr(entry, name)
        fault = key_fault(value) if isinstance(value, str) and value else "is not a name"
        if fault:
            raise ValueError(f"{name} {value!r}: {fault}")
    if any(not isinstance(getattr(entry, name), str | None) for name in (*_OPTIONAL, "suffix")):
        raise ValueError(f"utterance '{entry.id}': expected text, language, domain and gender as strings")
    counts = entry.offset, entry.size, entry.crc32
    if any(type(count) is not int or count < 0 for count in counts) or entry.crc32 >= 1 << 32:
        raise ValueError(f"utterance '{entry.id}': expected offset, size and crc32 as whole numbers")
    if entry.shard not in sizes or entry.offset + entry.size > sizes[entry.shard]:
        raise ValueError(f"utterance '{entry.id}': reaches beyond the shard '{entry.shard}'")
    if not isinstance(entry.seconds, int | float) or not 0 <= entry.seconds < math.inf:
        raise ValueError(f"utterance '{entry.id}': expected seconds (got {entry.seconds!r})")
    return entry


def by_shard(entries: Iterable[ShardEntry]) -> Iterator[tuple[str, list[ShardEntry]]]:
    """Yield the name of each shard, and its utterances in order."""
    found: dict[str, list[ShardEntry]] = {}
    for entry in entries:
        found.setdefault(entry.shard, []).append(entry)
    yield from found.items()
