"""Read audio block by block from files of any length or from a stream; find the audio files in a folder."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import soxr

from speechtl.audio.audio_file import AudioFile
from speechtl.audio.findings import Findings
from speechtl.audio.one_channel import OneChannel
from speechtl.audio.waveform import FULL_SCALE, note_rate
from speechtl.errors import DataError, printable

# File suffixes of audio; what is in a file is told by its content.
AUDIO_SUFFIXES = {
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".nist", ".aif", ".aiff", ".aifc", ".au", ".snd"),
    *(".caf", ".w64", ".rf64", ".voc", ".m4a", ".m4b", ".aac", ".mp4", ".mov", ".3gp", ".wma", ".webm", ".mka", ".mkv"),
    *(".amr", ".spx"),
}
_BLOCK = 10.0  # Seconds of audio in a block.
_IN_MEMORY = 1 << 24  # Bytes of a stream that are kept in memory before a temporary file takes over.


def find_audio(folder: str | Path) -> list[Path]:
    """Return the audio files in a folder and its subfolders, in C order, without hidden ones.

    Raises:
        DataError: no audio file is found, or a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot read: {error.strerror}; correct its permissions") from error

    found = []
    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if has_audio_suffix(name) and not name.startswith(".")]
    if not found:
        known = " ".join(sorted(AUDIO_SUFFIXES))
        raise DataError(f"{folder}: no audio in this folder or below; files that end in one of {known} are looked for")
    return sorted(found)


def has_audio_suffix(name: str | Path) -> bool:
    """Tell whether a file is called as audio is, whatever is in it."""
    return Path(name).suffix.lower() in AUDIO_SUFFIXES


def duration(audio: str | Path) -> float | None:
    """Return the duration in seconds from a file's header, or None if it is unknown."""
    try:
        with AudioFile(audio) as file:
            return file.frames / file.sample_rate if file.frames else None
    except DataError:
        return None


def stream_blocks(
    audio: str | Path | IO[bytes],
    sample_rate: int,
    *,
    channel: str | int = "mix",
    raw_rate: int | None = None,
    name: str | None = None,
    findings: Findings | None = None,
) -> Iterator[np.ndarray]:
    """Read audio as one channel at a given sample rate, block by block.

    Args:
        audio: a path, or an open binary file or pipe, which is read to its end.
        sample_rate: Hz of the result; audio at another rate is resampled (soxr, high quality).
        channel: ``"mix"`` for the mean of all channels, ``"first"``, or the number of a channel from 0.
        raw_rate: ``audio`` has no header and holds 16-bit little-endian samples of one channel at this rate in Hz.
        name: name used in errors; by default the path.
        findings: where to note what was repaired, and what is remarkable.

    Yields:
        float32 ``(samples,)`` in the range of 16-bit integers, about ten seconds each.

    Raises:
        DataError: the audio is missing, empty, not audio, lacks the channel, or holds samples that are not numbers; or,
            raised after the last block, it is truncated; names the file.
    """
    findings = Findings() if findings is None else findings
    if isinstance(audio, (str, Path)):
        yield from _blocks(audio, name or str(audio), sample_rate, channel, raw_rate, findings)
        return
    # Readers of container formats seek, so a pipe is buffered in a seekable file.
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        shutil.copyfileobj(audio, spooled, 1 << 20)
        yield from _blocks(spooled, name or "the stream", sample_rate, channel, raw_rate, findings)


def _blocks(
    source: str | Path | IO[bytes],
    name: str,
    sample_rate: int,
    channel: str | int,
    raw_rate: int | None,
    findings: Findings,
) -> Iterator[np.ndarray]:
    with AudioFile(source, name, raw_rate=raw_rate, findings=findings) as file:
        rate = file.sample_rate
        note_rate(rate, sample_rate, name, findings)
        yield from resampled(file.blocks(round(rate * _BLOCK)), rate, sample_rate, OneChannel(channel, name, findings))


def resampled(
    blocks: Iterable[np.ndarray], rate: int, sample_rate: int, one_channel: OneChannel
) -> Iterator[np.ndarray]:
    """Yield audio as one channel at a given sample rate.

    Args:
        blocks: of one recording, ``(samples,)`` or ``(samples, channels)`` in [-1, 1].
        rate: Hz, theirs.
        sample_rate: Hz, wanted.
        one_channel: of this recording.

    Yields:
        float32 ``(samples,)`` in the range of 16-bit integers.

    Raises:
        DataError: there are no samples, or they are unusable.
    """
    resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
    read = 0
    for block in blocks:
        read += len(block)
        signal = one_channel(block)
        if rate != sample_rate:
            signal = resampler.resample_chunk(signal)
        yield signal * FULL_SCALE
    if rate != sample_rate and read:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True) * FULL_SCALE
    if not read:
        raise DataError(f"{printable(one_channel.name)}: holds no samples")
