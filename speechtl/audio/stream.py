"""Read audio block by block from files of any length or from a stream; find the audio files in a folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
import soxr

from speechtl.audio.header import check_wav_length, guessed_samples
from speechtl.audio.waveform import FULL_SCALE, choose_channel, explain
from speechtl.errors import DataError

# File suffixes of audio. libsndfile cannot read the last ones: an error about each is better than ignoring them.
AUDIO_SUFFIXES = {
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".nist", ".aif", ".aiff", ".aifc", ".au", ".snd"),
    *(".caf", ".w64", ".rf64", ".voc", ".m4a", ".aac", ".mp4", ".wma", ".webm", ".amr"),
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
        found += [
            Path(place, name)
            for name in names
            if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith(".")
        ]
    if not found:
        known = " ".join(sorted(AUDIO_SUFFIXES))
        raise DataError(f"{folder}: no audio in this folder or below; files that end in one of {known} are looked for")
    return sorted(found)


def duration(audio: str | Path) -> float | None:
    """Return the duration in seconds from a file's header, or None if it is unknown."""
    try:
        info = soundfile.info(str(audio))
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return None
    return info.duration if 0 < info.frames < 2**31 - 1 else None


def stream_blocks(
    audio: str | Path | IO[bytes],
    sample_rate: int,
    *,
    channel: str | int = "mix",
    raw_rate: int | None = None,
    name: str | None = None,
) -> Iterator[np.ndarray]:
    """Read audio as one channel at a given sample rate, block by block.

    Args:
        audio: a path, or an open binary file or pipe, which is read to its end.
        sample_rate: Hz of the result; audio at another rate is resampled (soxr, high quality).
        channel: ``"mix"`` for the mean of all channels, ``"first"``, or the number of a channel from 0.
        raw_rate: ``audio`` has no header and holds 16-bit little-endian samples of one channel at this rate in Hz.
        name: name used in errors; by default the path.

    Yields:
        float32 ``(samples,)`` in the range of 16-bit integers, about ten seconds each.

    Raises:
        DataError: the audio is missing, empty, not audio or lacks the channel; or, raised after the last block, it is
            truncated; names the file.
    """
    if isinstance(audio, (str, Path)):
        name = name or str(audio)
        try:
            file = open(audio, "rb")  # noqa: SIM115
        except OSError as error:
            raise DataError(f"{name}: cannot read: {error.strerror}") from error
        with file:
            yield from _blocks(file, name, sample_rate, channel, raw_rate)
        return
    name = name or "the stream"
    # Readers of container formats seek, so a pipe is buffered in a seekable file.
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        shutil.copyfileobj(audio, spooled, 1 << 20)
        spooled.seek(0)
        yield from _blocks(spooled, name, sample_rate, channel, raw_rate)


def _blocks(
    file: IO[bytes], name: str, sample_rate: int, channel: str | int, raw_rate: int | None
) -> Iterator[np.ndarray]:
    if not file.seek(0, os.SEEK_END):
        raise DataError(f"{name}: empty (0 bytes)")
    file.seek(0)
    raw = {"samplerate": raw_rate, "channels": 1, "format": "RAW", "subtype": "PCM_16", "endian": "LITTLE"}
    read = 0
    try:
        with soundfile.SoundFile(file, **(raw if raw_rate else {})) as sound:
            rate, total, guessed = sound.samplerate, sound.frames, guessed_samples(sound)
            resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
            while len(samples := sound.read(round(rate * _BLOCK), dtype="float32")):
                read += len(samples)
                signal = choose_channel(samples, channel, name)
                if rate != sample_rate:
                    signal = resampler.resample_chunk(signal)
                yield signal * FULL_SCALE
            if rate != sample_rate and read:
                yield resampler.resample_chunk(np.zeros(0, np.float32), last=True) * FULL_SCALE
            # Checked at the end, so that the caller gets all audio there is.
            if sound.format in ("WAV", "WAVEX"):
                check_wav_length(sound.extra_info, name)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise DataError(f"{name}: {explain(file, error)}") from error
    if not read:
        raise DataError(f"{name}: holds no samples")
    if total < 2**31 - 1 and read < total - guessed:
        raise DataError(
            f"{name}: truncated or damaged (got {read / rate:.2f} s, expected {total / rate:.2f}); restore the file"
        )
