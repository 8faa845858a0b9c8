"""Writes tar shards, one after the other, in the layout of WebDataset."""

import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from speechtl.data.datadir import DataDir, Utterance
from speechtl.data.shard_index import ShardEntry
from speechtl.errors import DataError
from speechtl.files import atomic_write, file_name, original_name


class Sample(NamedTuple):
    """An utterance as it is stored: key, suffix of the audio, its bytes, seconds, and the utterance."""

    key: str
    suffix: str
    audio: bytes
    seconds: float
    utterance: Utterance


def sample_key(utterance_id: str) -> str:
    """Return the name of an utterance in a shard: no other has it, and `original_name` gives the id back.

    WebDataset takes what follows the first full stop of a name for a suffix, so full stops are written as in URLs, too.
    """
    return file_name(utterance_id).replace(".", "%2E")


class ShardWriter:
    """Writes one shard after the other.

    Attributes:
        sizes: of the finished shards, by name.
        entries: their utterances.
        found: number of shards that were there.
    """

    def __init__(self, folder: Path, data: DataDir, limit: float):
        self.folder, self.data, self.limit = folder, data, limit
        self.sizes: dict[str, int] = {}
        self.entries: list[ShardEntry] = []
        self.found = 0
        self._open: list[Sample] = []
        self._size = 0

    def resume(self, utterances: Sequence[Utterance]) -> int:
        """Take over the shards that are there; return how many utterances they have.

        Raises:
            DataError: a shard is damaged.
        """
        while (self.folder / self._name()).is_file():
            name = self._name()
            entries = list(self._read(name))
            following = utterances[len(self.entries) : len(self.entries) + len(entries)]
            if not entries or [one.id for one in following] != [entry.id for entry in entries]:
                raise DataError(
                    f"{self.folder / name}: not a shard of these utterances; delete it, or choose --overwrite"
                )
            self._enter(name, entries)
            self.found += 1
        return len(self.entries)

    def add(self, sample: Sample) -> None:
        """Add an utterance; a shard that is full is written."""
        self._open.append(sample)
        self._size += len(sample.audio)
        if self._size >= self.limit:
            self.finish()

    def finish(self) -> None:
        """Write what there is."""
        if not self._open:
            return
        name, entries = self._name(), []
        with atomic_write(self.folder / name, "wb") as file, _tar(fileobj=file, mode="w") as tar:
            for sample in self._open:
                offset = _append(tar, sample.key + sample.suffix, sample.audio)
                entries.append(self._entry(name, sample, offset))
                if sample.utterance.text is not None:
                    _append(tar, f"{sample.key}.txt", sample.utterance.text.encode())
                about = {"id": sample.utterance.id, "speaker": sample.utterance.speaker, "duration": sample.seconds}
                more = ((key, getattr(entries[-1], key)) for key in ("language", "domain", "gender", "original"))
                about |= {key: value for key, value in more if value is not None}
                _append(tar, f"{sample.key}.json", json.dumps(about, ensure_ascii=False).encode())
        self._enter(name, entries)
        self._open, self._size = [], 0

    def _name(self) -> str:
        return f"shard-{len(self.sizes):06d}.tar"

    def _enter(self, name: str, entries: Iterable[ShardEntry]) -> None:
        self.sizes[name] = (self.folder / name).stat().st_size
        self.entries += entries

    def _entry(self, name: str, sample: Sample, offset: int) -> ShardEntry:
        one = sample.utterance
        return ShardEntry(
            one.id,
            one.speaker,
            name,
            sample.suffix,
            offset,
            len(sample.audio),
            zlib.crc32(sample.audio),
            sample.seconds,
            one.text,
            one.language,
            one.domain,
            self.data.spk2gender.get(one.speaker),
            self.data.utt2uniq.get(one.id),
        )

    def _read(self, name: str) -> Iterator[ShardEntry]:
        """Yield the entries of a finished shard."""
        audio: tuple[tarfile.TarInfo, bytes] | None = None
        try:
            with _tar(name=self.folder / name, mode="r:") as tar:
                for member in tar:
                    content = tar.extractfile(member).read()  # type: ignore[union-attr]
                    if member.name.endswith(".json") and audio is not None:
                        info, stored = audio
                        one = self.data.utterance(original_name(member.name.removesuffix(".json")))
                        seconds = float(json.loads(content)["duration"])
                        key, suffix = os.path.splitext(info.name)
                        yield self._entry(name, Sample(key, suffix, stored, seconds, one), info.offset_data)
                    elif not member.name.endswith(".txt"):
                        audio = member, content
        except (OSError, tarfile.TarError, ValueError, KeyError, AttributeError) as error:
            raise DataError(f"{self.folder / name}: damaged ({error}); delete it, and it is written again") from error


def _tar(**options: Any) -> tarfile.TarFile:
    return tarfile.open(format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape", **options)


def _append(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a file without time and owner; return where its content begins."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
    return int(tar.offset) - -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
