"""Data directories to tar shards: audio and transcripts in the layout of WebDataset, with an index."""

import dataclasses
import hashlib
import itertools
import json
import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from speechtl.audio.utterance_file import utterance_file
from speechtl.data.datadir import DataDir, Utterance, names_in, require_vacant
from speechtl.data.shard_index import FORMAT, INDEX, ShardIndex
from speechtl.data.shard_writer import Sample, ShardWriter, sample_key
from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write, finish_replacing, read_bytes, replacing_together
from speechtl.lock import LOCK, alone_in
from speechtl.progress import progress_bar

# Until all of them are there, shards are in this folder within theirs, with a file that says of what they are made.
_UNFINISHED, _REQUEST = ".unfinished", "request.json"
_MEGABYTE = 1_000_000
# File systems have names of at most so many bytes; the longest suffix is that of the metadata.
_LONGEST_NAME = 255 - len(".json")
# Utterances that are encoded ahead, per thread.
_AHEAD = 4


@dataclasses.dataclass(frozen=True)
class ShardSummary:
    """What `shard` has done.

    Attributes:
        shards: number of tar files.
        utterances: number of utterances.
        seconds: of audio.
        size: of the tar files, in bytes.
        found: number of tar files that an interrupted run had finished.
    """

    shards: int
    utterances: int
    seconds: float
    size: int
    found: int


def shard(
    data: DataDir,
    folder: str | Path,
    *,
    megabytes: float = 128,
    seed: int = 1,
    jobs: int = 1,
    allow_pipes: bool = False,
    overwrite: bool = False,
) -> ShardSummary:
    """Write the audio and the tables of a data directory as tar shards with an index.

    Utterances are in random order, so that neighbours are of different speakers. The same data and options give the
    same bytes. Whole FLAC, Ogg and MP3 files are stored as they are, all other audio as FLAC, without loss where its
    samples are integers of at most 24 bits. An interrupted run is continued after the last shard that it finished.

    Args:
        data: the data directory, with audio.
        folder: the set of shards.
        megabytes: size of a shard; it is full with the utterance that reaches it.
        seed: of the order.
        jobs: number of threads that read and encode audio.
        allow_pipes: run the shell commands in ``wav.scp``.
        overwrite: replace shards of other data.

    Raises:
        DataError: ids that cannot be names (all are listed), audio that cannot be read, or the folder holds something
            else.
    """
    folder = Path(folder)
    order = np.random.default_rng(seed).permutation(len(data))
    ids = data.utterance_ids
    utterances = [data.utterance(ids[number]) for number in order]
    _check(data, utterances)
    digest = _digest(data, utterances, megabytes)
    finish_replacing(folder)
    staged = folder / _UNFINISHED
    made, begun = _digest_in(folder / INDEX), _digest_in(staged / _REQUEST)
    # Before that is written, nothing is.
    nothing = names_in(folder) <= {_UNFINISHED, LOCK} and not (staged / _REQUEST).exists()
    if made != digest and (begun != digest or (folder / INDEX).exists()) and not nothing:
        require_vacant(folder, overwrite=overwrite, sources=[data.path])
    with alone_in(folder):
        if made == digest and _is_whole(index := ShardIndex.load(folder)):
            shutil.rmtree(staged, ignore_errors=True)
            return _summary(index, len(index.sizes))
        if begun != digest:
            shutil.rmtree(staged, ignore_errors=True)
            with atomic_write(staged / _REQUEST) as file:
                json.dump({"digest": digest}, file)
        writer = ShardWriter(staged, data, megabytes * _MEGABYTE)
        with progress_bar("shards", len(utterances)) as advance:
            done = writer.resume(utterances)
            advance(done)
            for sample in _encoded(utterances[done:], jobs, allow_pipes):
                writer.add(sample)
                advance()
            writer.finish()
        # Old and new shards have the same names: readers see either the ones or the others.
        old = {path.name for path in folder.glob("shard-*.tar")}
        with replacing_together(folder, old) as new:
            index = ShardIndex(str(new), digest, writer.sizes, writer.entries)
            index.save()
            # The last ones first: after a kill here, what stays is still a beginning.
            try:
                for name in reversed(writer.sizes):
                    os.rename(staged / name, new / name)
            except OSError as error:
                advice = "free some space or choose another folder"
                raise DataError(f"{folder}: cannot write: {error.strerror or error}; {advice}") from error
        shutil.rmtree(staged, ignore_errors=True)
    return _summary(index, writer.found)


def _is_whole(index: ShardIndex) -> bool:
    paths = {Path(index.place) / name: size for name, size in index.sizes.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def _summary(index: ShardIndex, found: int) -> ShardSummary:
    seconds, size = sum(entry.seconds for entry in index.entries), sum(index.sizes.values())
    return ShardSummary(len(index.sizes), len(index.entries), seconds, size, found)


def _check(data: DataDir, utterances: Sequence[Utterance]) -> None:
    problems = []
    for one in utterances:
        size = len(sample_key(one.id).encode("utf-8", "surrogatepass"))
        if size > _LONGEST_NAME:
            problems.append(f"utterance '{one.id}': as a file name it has {size} bytes (at most {_LONGEST_NAME})")
        elif not one.audio:
            problems.append(f"utterance '{one.id}': has no audio; add its recording to wav.scp")
    if not utterances:
        problems.append("no utterances")
    if problems:
        raise DataError(list_problems(f"{data.path}: cannot be written as shards", problems))


def _digest(data: DataDir, utterances: Iterable[Utterance], megabytes: float) -> str:
    """Fingerprint everything that the shards depend on; audio by its size and the time of its last change."""
    found = hashlib.sha256(repr((FORMAT, megabytes)).encode())
    for one in utterances:
        try:
            status = os.stat(one.audio)
            changed = status.st_size, status.st_mtime_ns
        except OSError:
            # A command, or a part of a shard; or reading it will report the error.
            changed = 0, 0
        more = data.spk2gender.get(one.speaker), data.utt2uniq.get(one.id)
        found.update(repr((dataclasses.astuple(one), changed, more)).encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:32]


def _digest_in(path: Path) -> str | None:
    """Return the digest of what shards are made of, which the first line of a file holds; None if it does not."""
    if not path.is_file():
        return None
    try:
        return str(json.loads(read_bytes(path).partition(b"\n")[0])["digest"])
    except (ValueError, KeyError, TypeError, RecursionError):
        # Of another make; it is not overwritten without permission.
        return None


def _encoded(utterances: Iterable[Utterance], jobs: int, allow_pipes: bool) -> Iterator[Sample]:
    """Yield samples in order, encoded by some threads (libsndfile runs without Python's lock)."""
    if jobs == 1:
        yield from (_encode(one, allow_pipes) for one in utterances)
        return
    left, pending = iter(utterances), deque[Future[Sample]]()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for one in itertools.islice(left, jobs * _AHEAD):
                pending.append(pool.submit(_encode, one, allow_pipes))
            while pending:
                yield pending.popleft().result()
                for one in itertools.islice(left, 1):
                    pending.append(pool.submit(_encode, one, allow_pipes))
        finally:
            pool.shutdown(cancel_futures=True)


def _encode(one: Utterance, allow_pipes: bool) -> Sample:
    try:
        suffix, audio, seconds = utterance_file(
            one.audio, start=one.start, end=one.end, speed=one.speed, channel=one.channel, allow_pipes=allow_pipes
        )
    except DataError as error:
        advice = "mend it, or leave it out (speechtl data subset --exclude)"
        raise DataError(f"utterance '{one.id}': {error}; {advice}") from error
    return Sample(sample_key(one.id), suffix, audio, seconds, one)
