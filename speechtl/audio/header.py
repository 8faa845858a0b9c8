"""Duration and integrity of recordings, from their headers and last samples."""

import concurrent.futures
import dataclasses
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from speechtl.audio.pipe import is_pipe, run_pipe
from speechtl.errors import DataError
from speechtl.progress import progress_bar

# Streaming writers do not know the length in advance; they leave at least this number in a WAV header.
_STREAMED_BYTES = 0x7FFF0000
# The number of samples that marks a FLAC stream of unknown length.
_UNKNOWN_FRAMES = 1 << 40
_BLOCK_FRAMES = 1 << 18
_MP3_FRAME = 1152  # samples


@dataclasses.dataclass(frozen=True)
class AudioHeader:
    """The header of a recording.

    Attributes:
        frames: samples per channel.
        sample_rate: Hz.
        channels: 1 for mono.
        silent: whether every sample is zero; None unless the recording was decoded.
    """

    frames: int
    sample_rate: int
    channels: int
    silent: bool | None = None

    @property
    def seconds(self) -> float:
        """Duration of the recording in seconds."""
        return self.frames / self.sample_rate

    @classmethod
    def read(cls, audio: str, *, decode: bool = False, allow_pipes: bool = False) -> "AudioHeader":
        """Open a recording and read its last sample, which fails for a truncated compressed file.

        Args:
            audio: a value of ``wav.scp``.
            decode: read the whole recording, not only its header and last sample.
            allow_pipes: whether a command (it ends in ``|``) may be run.

        Raises:
            DataError: the recording is missing, empty, truncated or not audio, or a command that is not
                permitted or fails.
        """
        import soundfile

        source: Any = io.BytesIO(run_pipe(audio, allow_pipes)) if is_pipe(audio) else _existing_file(audio)
        try:
            with soundfile.SoundFile(source) as file:
                _refuse_short_file(audio, file)
                if file.frames == 0:
                    raise DataError(f"{audio}: no samples (empty recording, or cut short); replace it")
                if file.frames >= _UNKNOWN_FRAMES:
                    # libsndfile opens such a file, but cannot read it.
                    raise DataError(f"{audio}: its header does not say how long it is (a stream); encode it again")
                if decode:
                    return cls(file.frames, file.samplerate, file.channels, _decode(audio, file))
                _read_last_sample(audio, file)
                return cls(file.frames, file.samplerate, file.channels)
        except soundfile.LibsndfileError as error:
            if os.path.basename(audio).partition(".ark:")[1]:
                raise DataError(f"{audio}: audio inside an archive cannot be read; write single files") from error
            reason = str(error.error_string).rstrip(".")
            raise DataError(f"{audio}: not readable as audio ({reason}); replace it") from error


def read_headers(
    recordings: Iterable[tuple[str, str]], *, decode: bool = False, allow_pipes: bool = False
) -> tuple[dict[str, AudioHeader], dict[str, str]]:
    """Read many headers in parallel.

    Args:
        recordings: ``(id, value of wav.scp)``; audio shared by several ids is opened once.
        decode: see AudioHeader.read.
        allow_pipes: likewise.

    Returns:
        id -> header, and id -> error message of the recordings that cannot be used.
    """
    recordings = list(recordings)
    sources = sorted({audio for _, audio in recordings})
    results: dict[str, AudioHeader | str] = {}

    def read(audio: str) -> AudioHeader | str:
        try:
            return AudioHeader.read(audio, decode=decode, allow_pipes=allow_pipes)
        except DataError as error:
            return str(error)

    with (
        progress_bar("audio", len(sources)) as advance,
        concurrent.futures.ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
    ):
        for audio, result in zip(sources, pool.map(read, sources)):
            results[audio] = result
            advance()
    headers: dict[str, AudioHeader] = {}
    faults: dict[str, str] = {}
    for recording, audio in recordings:
        result = results[audio]
        if isinstance(result, AudioHeader):
            headers[recording] = result
        else:
            faults[recording] = result
    return headers, faults


def check_wav_length(log: str, name: str) -> None:
    """Find a truncated WAV file, which libsndfile repairs silently except for its log.

    Args:
        log: libsndfile's log of the file (``extra_info``).
        name: what the error calls the file.

    Raises:
        DataError: the header promises more bytes than the file has.
    """
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if found and int(found[2]) < int(found[1]) < _STREAMED_BYTES:
        raise DataError(
            f"{name}: truncated (got {found[2]} bytes of audio, expected {found[1]}); restore the file or remove its "
            "utterances"
        )


def guessed_samples(file: Any) -> int:
    """Return how many samples of an open recording's length may be a guess: one frame of an MP3, else none.

    libsndfile estimates the length of an MP3 without a Xing header, as those of Common Voice are, from the size of the
    file, and takes the ID3 tag before the first frame for sound.
    """
    return _MP3_FRAME if file.format == "MP3" else 0


def _existing_file(audio: str) -> str:
    path = Path(audio)
    try:
        size = path.stat().st_size
    except OSError as error:
        if ".ark:" in path.name:
            raise DataError(f"{audio}: audio inside an archive cannot be read; write single files") from error
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot read: {error.strerror}"
        raise DataError(f"{audio}: {reason}; check the path (relative to {Path.cwd()})") from error
    if path.is_dir():
        raise DataError(f"{audio}: is a directory (expected an audio file); correct the path")
    if size == 0:
        raise DataError(f"{audio}: empty file (0 bytes); replace it")
    if not os.access(path, os.R_OK):
        raise DataError(f"{audio}: cannot read: Permission denied; check the permissions")
    return audio


def _refuse_short_file(audio: str, file: Any) -> None:
    """Compare the length in an uncompressed file's header with the file; libsndfile ignores a difference silently."""
    if file.format in ("WAV", "WAVEX"):
        check_wav_length(file.extra_info, audio)
    elif file.format == "NIST" and not is_pipe(audio):
        with open(audio, "rb") as header:
            count = re.search(rb"^sample_count -i (\d+)", header.read(1024), re.MULTILINE)
        if count and file.frames < int(count[1]):
            raise DataError(f"{audio}: truncated ({file.frames} of {int(count[1])} samples are there); replace it")


def _read_last_sample(audio: str, file: Any) -> None:
    import soundfile

    try:
        file.seek(max(0, file.frames - 1 - guessed_samples(file)))
        complete = len(file.read(1, dtype="int16")) == 1
    except soundfile.LibsndfileError:
        complete = False
    if not complete:
        promise = f"the header promises {file.frames / file.samplerate:.2f} s"
        raise DataError(f"{audio}: truncated ({promise}, the end cannot be read); replace it")


def _decode(audio: str, file: Any) -> bool:
    import soundfile

    total = 0
    silent = True
    try:
        while len(block := file.read(_BLOCK_FRAMES, dtype="float32")):
            total += len(block)
            silent = silent and not block.any()
            if (block != block).any():
                raise DataError(f"{audio}: holds samples that are not numbers (NaN); replace it")
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).rstrip(".")
        raise DataError(f"{audio}: damaged after {total / file.samplerate:.2f} s ({reason}); replace it") from error
    if total < file.frames - guessed_samples(file):
        raise DataError(f"{audio}: truncated ({total} of {file.frames} samples are there); replace it")
    return silent
