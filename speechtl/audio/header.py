"""Duration and integrity of recordings: from their headers and last samples, or decoded once."""

import concurrent.futures
import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from speechtl.audio.audio_file import AudioFile
from speechtl.audio.digital_silence import find_digital_silence
from speechtl.audio.findings import Findings
from speechtl.audio.mains_hum import MainsHum
from speechtl.audio.one_channel import OneChannel
from speechtl.audio.tar_part import audio_source
from speechtl.audio.waveform import FULL_SCALE
from speechtl.errors import DataError
from speechtl.progress import progress_bar

_BLOCK = 10.0  # Seconds that are decoded at once.


@dataclasses.dataclass(frozen=True)
class AudioHeader:
    """The header of a recording.

    Attributes:
        frames: samples per channel.
        sample_rate: Hz.
        channels: 1 for mono.
        silence: share of it that is digital silence, 0 to 1; None unless the recording was decoded.
        findings: what is repaired whenever it is read, and what is remarkable about it: sentence -> detail.
    """

    frames: int
    sample_rate: int
    channels: int
    silence: float | None = None
    findings: dict[str, str] = dataclasses.field(default_factory=dict)

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
            DataError: the recording is missing, empty, truncated, not audio, holds samples that are not numbers (if it
                is decoded), or is a command that is not permitted or fails.
        """
        source = audio_source(audio, allow_pipes)
        if isinstance(source, str):
            _require_file(source)
        findings = Findings()
        with AudioFile(source, audio, findings=findings) as file:
            if file.frames == 0:
                raise DataError(f"{file.name}: no samples (empty recording, or cut short); replace it")
            frames, silence = file.frames, None
            if decode:
                frames, silence = _decode(file, findings)
            elif frames is None:
                frames = sum(map(len, file.blocks(round(file.sample_rate * _BLOCK))))
            else:
                file.check_end()
            found = {sentence: detail for sentence, of in findings.found.items() for detail in of.values()}
            return cls(frames, file.sample_rate, file.channels, silence, found)


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


def _require_file(audio: str) -> None:
    path = Path(audio)
    if ".ark:" in path.name and not path.exists():
        raise DataError(f"{audio}: audio inside an archive cannot be read; write single files")
    if path.is_dir():
        raise DataError(f"{audio}: is a directory (expected an audio file); correct the path")


def _decode(file: AudioFile, findings: Findings) -> tuple[int, float]:
    """Return the number of samples and the share of digital silence."""
    mono, hum = OneChannel("mix", file.name, findings), MainsHum(file.sample_rate)
    frames = silent = total = 0
    for block in file.blocks(round(file.sample_rate * _BLOCK)):
        frames += len(block)
        signal = mono(block)
        hum.add(signal)
        _, quiet, _ = find_digital_silence(signal * np.float32(FULL_SCALE), file.sample_rate)
        silent += int(quiet.sum())
        total += len(quiet)
    hum.note(file.name, findings)
    return frames, silent / max(total, 1)
