"""A Kaldi data directory in memory."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from speechtl.data.shard_index import ShardIndex, is_shard_set
from speechtl.data.structure import scan_structure
from speechtl.data.table_kinds import TABLES, Segment
from speechtl.data.tables import encode_table, raise_problems
from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write, finish_replacing, new_folder, read_bytes, replacing_together
from speechtl.staging import is_staged
from speechtl.uncollected import uncollected

__all__ = ["DataDir", "Segment", "Utterance"]


@dataclasses.dataclass(frozen=True)
class Utterance:
    """Everything the tables contain about one utterance.

    Attributes:
        id: key of ``utt2spk``.
        speaker: its speaker.
        recording: key of ``wav.scp``; equal to ``id`` if there are no segments.
        audio: the value of ``wav.scp``: a path (relative to the working directory) or a command that ends in ``|``;
            empty if the directory has features only.
        start: seconds of the stored audio, before any change of speed; None for its beginning.
        end: likewise; None for its end.
        speed: speed factor of the audio, tempo and pitch (Ko et al. 2015); 1 for no change.
        text: the transcript; None if the directory has none.
        language: from ``utt2lang``, or None.
        domain: from ``utt2dom``, or None.
        channel: of the audio, from 0, as ``reco2file_and_channel`` names it; None where it does not, or the directory
            has no such table.
    """

    id: str
    speaker: str
    recording: str
    audio: str
    start: float | None
    end: float | None
    speed: float
    text: str | None
    language: str | None
    domain: str | None
    channel: int | None = None


@dataclasses.dataclass
class DataDir:
    """The tables of a data directory; a table that does not exist is an empty dictionary.

    Attributes:
        path: where it was read from; only ``save`` writes.
        utt2spk: utterance -> speaker. Its keys are the utterances.
        wav_scp: recording -> path of the audio, or a command that ends in ``|``.
        segments: utterance -> segment of a recording. Empty: every recording is one utterance.
        text: utterance -> transcript.
        utt2lang: utterance -> language.
        utt2dom: utterance -> domain (channel, corpus).
        utt2uniq: utterance -> the original of which it is a perturbed copy.
        utt2dur: utterance -> seconds, after the change of speed.
        utt2num_frames: utterance -> frames of its features.
        feats_scp: utterance -> features, ``file.ark:offset``.
        vad_scp: utterance -> voice activity, likewise.
        reco2dur: recording -> seconds of the stored audio.
        reco2speed: recording -> speed factor; 1 if there is no entry. This table is specific to speechtl: it replaces
            the ``sox ... speed 0.9 |`` pipes of Kaldi, and needs no permission.
        reco2file_and_channel: recording -> file and channel (A, B or 1, 2), for NIST scoring; of audio with several
            channels, that one is read.
        spk2gender: speaker -> m or f.
        cmvn_scp: speaker -> cepstral mean and variance statistics.
    """

    path: Path
    utt2spk: dict[str, str] = dataclasses.field(default_factory=dict)
    wav_scp: dict[str, str] = dataclasses.field(default_factory=dict)
    segments: dict[str, Segment] = dataclasses.field(default_factory=dict)
    text: dict[str, str] = dataclasses.field(default_factory=dict)
    utt2lang: dict[str, str] = dataclasses.field(default_factory=dict)
    utt2dom: dict[str, str] = dataclasses.field(default_factory=dict)
    utt2uniq: dict[str, str] = dataclasses.field(default_factory=dict)
    utt2dur: dict[str, float] = dataclasses.field(default_factory=dict)
    utt2num_frames: dict[str, int] = dataclasses.field(default_factory=dict)
    feats_scp: dict[str, str] = dataclasses.field(default_factory=dict)
    vad_scp: dict[str, str] = dataclasses.field(default_factory=dict)
    reco2dur: dict[str, float] = dataclasses.field(default_factory=dict)
    reco2speed: dict[str, float] = dataclasses.field(default_factory=dict)
    reco2file_and_channel: dict[str, str] = dataclasses.field(default_factory=dict)
    spk2gender: dict[str, str] = dataclasses.field(default_factory=dict)
    cmvn_scp: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> "DataDir":
        """Read a data directory, or the index of a set of shards (`speechtl.data.shard_index`).

        The tables may be unsorted, and features may exist for some utterances only; ``spk2utt`` is not read, since
        ``utt2spk`` contains the same information. Audio is not opened.

        Raises:
            DataError: the tables cannot be read or are inconsistent; every problem is listed as ``file:line``.
        """
        if is_shard_set(path):
            index = ShardIndex.load(path)
            return cls(Path(index.place), **index.tables())
        structure = scan_structure(path)
        raise_problems(structure.path, [problem for problem in structure.problems if problem.fatal])
        tables = {attribute_of(name): values for name, values in structure.values.items()}
        return cls(structure.path, **tables)

    @property
    def spk2utt(self) -> dict[str, list[str]]:
        """Speaker -> its utterances, both sorted."""
        speakers: dict[str, list[str]] = {speaker: [] for speaker in sorted(set(self.utt2spk.values()))}
        for utterance in sorted(self.utt2spk):
            speakers[self.utt2spk[utterance]].append(utterance)
        return speakers

    @property
    def utterance_ids(self) -> list[str]:
        """All utterances, sorted in C order."""
        return sorted(self.utt2spk)

    def __len__(self) -> int:
        return len(self.utt2spk)

    def recording_of(self, utterance_id: str) -> str:
        """Return the recording that contains the utterance, a key of ``wav.scp``."""
        return self.segments[utterance_id].recording if self.segments else utterance_id

    def utterance(self, utterance_id: str) -> Utterance:
        """Collect the entries of one utterance from all tables.

        Raises:
            DataError: there is no such utterance.
        """
        if utterance_id not in self.utt2spk:
            raise DataError(f"{self.path}: no utterance '{utterance_id}'; see its utt2spk")
        segment = self.segments.get(utterance_id)
        recording = segment.recording if segment else utterance_id
        return Utterance(
            id=utterance_id,
            speaker=self.utt2spk[utterance_id],
            recording=recording,
            audio=self.wav_scp.get(recording, ""),
            start=segment.start if segment else None,
            end=segment.end if segment and segment.end != -1 else None,
            speed=self.reco2speed.get(recording, 1.0),
            text=self.text.get(utterance_id),
            language=self.utt2lang.get(utterance_id),
            domain=self.utt2dom.get(utterance_id),
            channel=channel_of(self.reco2file_and_channel.get(recording, "")),
        )

    @uncollected()
    def utterances(self) -> list[Utterance]:
        """Return all utterances, sorted by id."""
        return [self.utterance(utterance_id) for utterance_id in self.utterance_ids]

    def tables(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield ``(name, what its keys are, entries)`` of every table, including empty ones, except ``spk2utt``."""
        for name, kind in TABLES.items():
            yield name, kind.owner, getattr(self, attribute_of(name))

    def select(self, utterance_ids: Iterable[str]) -> "DataDir":
        """Return a directory of these utterances with their recordings and speakers only.

        Raises:
            DataError: unknown utterances; all are listed.
        """
        utterances = set(utterance_ids)
        unknown = sorted(utterances - self.utt2spk.keys())
        if unknown:
            problems = [f"no utterance '{utterance}'" for utterance in unknown]
            raise DataError(list_problems(f"{self.path}: {len(unknown)} unknown utterances; see its utt2spk", problems))
        keep = {
            "utterance": utterances,
            "recording": {self.recording_of(utterance) for utterance in utterances},
            "speaker": {self.utt2spk[utterance] for utterance in utterances},
        }
        tables = {
            attribute_of(name): {key: value for key, value in entries.items() if key in keep[owner]}
            for name, owner, entries in self.tables()
        }
        return DataDir(self.path, **tables)

    def save(self, path: str | Path) -> None:
        """Write the directory: all tables, sorted, and ``spk2utt``; tables that are now empty are removed.

        All tables change together, so that a full disk or a kill leaves either the old ones or the new ones. Files that
        are not tables are not touched.

        Raises:
            DataError: something cannot be written.
        """
        path = Path(path)
        # A new directory appears complete; an old one may contain other files.
        old = path.exists()
        with replacing_together(path, TABLES.keys() - self._names()) if old else new_folder(path) as folder:
            for name, content in self._contents(path):
                with atomic_write(folder / name, "wb") as file:
                    file.write(content)

    def is_at(self, path: str | Path) -> bool:
        """Tell whether the tables at ``path`` are just those that `save` would write there."""
        path = Path(path)
        there = {name for name in (*TABLES, "spk2utt") if (path / name).is_file()}
        return there == self._names() and all(
            read_bytes(path / name) == content for name, content in self._contents(path)
        )

    def _names(self) -> set[str]:
        """Return the names of the files that there are."""
        # utt2spk marks a data directory, even one without utterances.
        return {"spk2utt", "utt2spk", *(name for name, _, entries in self.tables() if entries)}

    def _contents(self, path: Path) -> Iterator[tuple[str, bytes]]:
        """Yield the name and content of each file; together they may be half a gigabyte."""
        spk2utt = {speaker: " ".join(utterances) for speaker, utterances in self.spk2utt.items()}
        yield "spk2utt", encode_table(path / "spk2utt", spk2utt)
        names = self._names()
        for name, _, entries in self.tables():
            if name in names:
                write = TABLES[name].format
                lines = entries if write is None else {key: write(value) for key, value in entries.items()}
                yield name, encode_table(path / name, lines)


def require_vacant(*destinations: str | Path, overwrite: bool = False, sources: Iterable[str | Path] = ()) -> None:
    """Refuse to overwrite anything.

    Args:
        destinations: directories about to be written; each must be absent or empty.
        overwrite: whether tables of an existing directory may be replaced.
        sources: directories about to be read; these are never overwritten, even with ``overwrite``.

    Raises:
        DataError: lists every destination that is refused.
    """
    problems = []
    taken = {Path(source).resolve() for source in sources}
    for destination in map(Path, destinations):
        if destination.resolve() in taken:
            problems.append(f"{destination}: is also read, or written twice; choose another destination")
        elif destination.exists() and not destination.is_dir():
            problems.append(f"{destination}: is not a directory; choose another destination")
        elif names_in(destination) and not overwrite:
            problems.append(f"{destination}: exists and is not empty; choose another destination, or add --overwrite")
        taken.add(destination.resolve())
    if problems:
        raise DataError("\n".join(problems))


def names_in(folder: Path) -> set[str]:
    """Return the names in a folder, none if there is no folder, without what killed processes left unfinished."""
    if not folder.is_dir():
        return set()
    finish_replacing(folder)
    return {path.name for path in folder.iterdir() if not is_staged(Path(path.name))}


@contextlib.contextmanager
def filled_at_once(folder: Path) -> Iterator[Path]:
    """Yield a folder to write; one that was missing or empty is there when all of it is written, or not at all.

    Raises:
        DataError: it cannot be written.
    """
    with contextlib.nullcontext(folder) if names_in(folder) else new_folder(folder) as place:
        yield place


def channel_of(file_and_channel: str) -> int | None:
    """Return the channel, from 0, that ``reco2file_and_channel`` names as A, B or 1, 2; None if it names none."""
    channel = file_and_channel.rpartition(" ")[2].upper() if " " in file_and_channel else ""
    if channel.isdecimal() and channel.isascii() and int(channel):
        return int(channel) - 1
    return ord(channel) - ord("A") if len(channel) == 1 and "A" <= channel <= "Z" else None


def attribute_of(table: str) -> str:
    """Return the attribute of DataDir for a table: ``wav_scp`` for ``wav.scp``."""
    return table.replace(".", "_")
