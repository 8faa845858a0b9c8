"""Copies of all utterances with other pitches and formants."""

import contextlib
import dataclasses
import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import soundfile

from speechtl.audio.encode import encode_audio
from speechtl.audio.pipe import is_pipe
from speechtl.audio.pitch import shift_pitch, warp_formants
from speechtl.audio.waveform import read_channels
from speechtl.data.datadir import DataDir, Segment, Utterance, names_in, require_vacant
from speechtl.data.perturb import perturb_speed
from speechtl.errors import DataError, list_problems
from speechtl.files import atomic_write, file_name
from speechtl.progress import progress_bar

AUDIO = "audio"  # Folder of the copies' audio in the new data directory.


@dataclasses.dataclass(frozen=True)
class Change:
    """One way to change a voice.

    Attributes:
        kind: ``"ps"`` for pitch and formants, in semitones; ``"fw"`` for formants alone, by a factor.
        amount: semitones or factor.
    """

    kind: str
    amount: float

    @property
    def prefix(self) -> str:
        """What ids of copies begin with, as Kaldi's ``sp0.9-`` of other speeds: ``ps-2-``, ``fw1.1-``."""
        return f"{self.kind}{self.amount:g}-"

    def apply(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """Change ``(..., samples)``; see `speechtl.audio.pitch`."""
        return (shift_pitch if self.kind == "ps" else warp_formants)(samples, rate, self.amount)


@dataclasses.dataclass(frozen=True)
class _Task:
    """One utterance, and the copies to make: change, file, and fingerprint of all that the file depends on."""

    utterance: Utterance
    copies: tuple[tuple[Change, Path, str], ...]


def perturb_pitch(
    source: DataDir,
    destination: Path,
    semitones: Sequence[float] = (-2.0, 0.0, 2.0),
    formants: Sequence[float] = (),
    *,
    jobs: int = 1,
    allow_pipes: bool = False,
    overwrite: bool = False,
) -> DataDir:
    """Write a data directory of copies of all utterances with other pitches and formants.

    A copy has the id ``ps-2-UTTERANCE`` and the speaker ``ps-2-SPEAKER``; its transcript, language, domain and duration
    are those of the original, which ``utt2uniq`` names. Its audio, ``destination/audio/ID.flac`` (16 bits), has the
    stored audio's rate and channels and holds the utterance alone, also where ``segments`` cut the original from a long
    recording. Features are dropped: the copies sound different.

    A run that was stopped continues: each file is written whole, and says in its comment what it was made from.

    Args:
        source: the data directory to copy; left as it is.
        destination: the data directory to write. Its tables come last.
        semitones: shifts of pitch and formants together; 0 keeps the originals, under their own names.
        formants: factors of formants alone, with the pitch kept (VTLP).
        jobs: processes.
        allow_pipes: run the shell commands in ``wav.scp``.
        overwrite: replace the tables of a directory that exists.

    Raises:
        DataError: amounts that are out of range or given twice, a destination that is not vacant, a copy whose id is
            taken, or recordings that cannot be read (all are listed; what could be read is done).
    """
    changes = _changes(semitones, formants)
    _require_room(source, destination, overwrite=overwrite)
    result = perturb_speed(source, [1.0]) if 0.0 in semitones else DataDir(source.path)
    ids = {change.prefix + utterance for change in changes for utterance in source.utt2spk}
    if taken := sorted(ids & source.utt2spk.keys()):
        raise DataError(f"{source.path}: '{taken[0]}' is there already; perturb the directory as it was before")
    tasks = [_plan(utterance, changes, destination / AUDIO) for utterance in source.utterances()]
    seconds = _make_all(source, tasks, jobs, allow_pipes)
    for task in tasks:
        for change, path, _ in task.copies:
            _enter(source, task.utterance, change, path, seconds[path], result)
    for change in changes:
        result.spk2gender.update({change.prefix + speaker: sex for speaker, sex in source.spk2gender.items()})
    result.save(destination)
    return result


def _changes(semitones: Sequence[float], formants: Sequence[float]) -> list[Change]:
    shown = ", ".join(f"{amount:g}" for amount in semitones)
    if any(not abs(amount) <= 12 for amount in semitones) or len(set(semitones)) < len(semitones):
        raise DataError(f"semitones must be different numbers from -12 to 12 (got {shown})")
    shown = ", ".join(f"{amount:g}" for amount in formants)
    if any(not 0.5 <= factor <= 2 or factor == 1 for factor in formants) or len(set(formants)) < len(formants):
        raise DataError(f"formant factors must be different numbers from 0.5 to 2, and not 1 (got {shown})")
    changes = [Change("ps", amount) for amount in semitones if amount] + [Change("fw", factor) for factor in formants]
    if not changes:
        raise DataError("nothing to change; give semitones other than 0, or formant factors")
    return changes


def _require_room(source: DataDir, destination: Path, *, overwrite: bool) -> None:
    """Refuse to write over something, but not over what an unfinished run left: audio and no tables yet."""
    unfinished = names_in(destination) == {AUDIO}
    require_vacant(destination, overwrite=overwrite or unfinished, sources=[source.path])


def _plan(utterance: Utterance, changes: Sequence[Change], folder: Path) -> _Task:
    size, changed = 0, 0
    if not is_pipe(utterance.audio):
        with contextlib.suppress(OSError):  # Reading it will say what is wrong with it.
            status = os.stat(utterance.audio)
            size, changed = status.st_size, status.st_mtime_ns
    origin = (utterance.audio, utterance.start, utterance.end, size, changed)
    copies = []
    for change in changes:
        name = file_name(change.prefix + utterance.id)
        fingerprint = hashlib.sha256(repr((*origin, change)).encode("utf-8", "surrogateescape")).hexdigest()
        copies.append((change, folder / f"{name}.flac", fingerprint))
    return _Task(utterance, tuple(copies))


def _make_all(source: DataDir, tasks: Sequence[_Task], jobs: int, allow_pipes: bool) -> dict[Path, float]:
    """Write the audio of all copies; return the seconds of each file."""
    seconds: dict[Path, float] = {}
    problems: list[str] = []
    with progress_bar("perturbing", len(tasks)) as advance, contextlib.ExitStack() as stack:
        made: Iterator[dict[Path, float] | str]
        if jobs == 1:
            made = (_make(task, allow_pipes) for task in tasks)
        else:
            pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
            stack.callback(pool.shutdown, cancel_futures=True)
            made = pool.map(_make, tasks, [allow_pipes] * len(tasks), chunksize=max(1, min(16, len(tasks) // jobs)))
        try:
            for task, result in zip(tasks, made):
                if isinstance(result, str):
                    problems.append(f"utterance '{task.utterance.id}': {result}")
                else:
                    seconds.update(result)
                advance()
        except BrokenProcessPool as error:
            raise DataError(
                "a process died (was it killed for want of memory?); run the command again to continue, with fewer "
                "processes (--nj) if need be"
            ) from error
    if problems:
        heading = f"{source.path}: {len(problems)} utterances cannot be read; remove or repair them (speechtl data fix)"
        raise DataError(list_problems(heading, problems))
    return seconds


def _make(task: _Task, allow_pipes: bool) -> dict[Path, float] | str:
    """Write the copies of an utterance that are not there; return the seconds of each, or why there are none."""
    seconds = {path: length for _, path, fingerprint in task.copies if (length := _finished(path, fingerprint))}
    if len(seconds) == len(task.copies):
        return seconds
    utterance = task.utterance
    if not utterance.audio:
        return f"recording '{utterance.recording}' has no audio; add it to wav.scp"
    try:
        samples, rate = read_channels(
            utterance.audio, start=utterance.start, end=utterance.end, allow_pipes=allow_pipes
        )
        for change, path, fingerprint in task.copies:
            if path not in seconds:
                _write(path, change.apply(samples.T, rate).T, rate, fingerprint)
                seconds[path] = len(samples) / rate
    except DataError as error:
        return str(error)
    return seconds


def _write(path: Path, samples: np.ndarray, rate: int, fingerprint: str) -> None:
    """Write FLAC; what would be clipped is made quieter."""
    samples = samples / max(1.0, float(np.abs(samples).max()))
    try:
        content = encode_audio(samples, rate, "FLAC", fingerprint)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    with atomic_write(path, "wb") as file:
        file.write(content)


def _finished(path: Path, fingerprint: str) -> float:
    """Return the seconds of a file that was made from just this; 0 if there is none."""
    if not path.exists():
        return 0.0
    try:
        with soundfile.SoundFile(path) as file:
            return file.frames / file.samplerate if file.comment == fingerprint else 0.0
    except soundfile.SoundFileError:
        return 0.0


def _enter(source: DataDir, original: Utterance, change: Change, path: Path, seconds: float, result: DataDir) -> None:
    """Add the tables' entries of one copy."""
    copy = change.prefix + original.id
    result.utt2spk[copy] = change.prefix + original.speaker
    result.wav_scp[copy] = str(path)
    result.utt2uniq[copy] = source.utt2uniq.get(original.id, original.id)
    if source.segments:
        result.segments[copy] = Segment(copy, 0.0, seconds)
    if original.speed != 1:
        result.reco2speed[copy] = original.speed
    if original.channel is not None:
        result.reco2file_and_channel[copy] = f"{copy} {original.channel + 1}"
    if original.recording in source.reco2dur:
        result.reco2dur[copy] = seconds
    for attribute in ("text", "utt2lang", "utt2dom", "utt2dur"):
        entries = getattr(source, attribute)
        if original.id in entries:
            getattr(result, attribute)[copy] = entries[original.id]
