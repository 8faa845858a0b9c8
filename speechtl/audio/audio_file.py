"""Audio in any container, opened by content: the one place where files are read.

libsndfile reads what it can, PyAV the rest. Lengths in headers are checked against the file, and repaired where
samples would be lost.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile

from speechtl.audio.containers import explain, ffmpeg_format, is_mp3, parts_of, parts_of_path, read_head, second_choice
from speechtl.audio.ffmpeg_file import FfmpegFile
from speechtl.audio.findings import Findings
from speechtl.audio.muted import muted
from speechtl.audio.wav_layout import WavLayout, Window, wav_layout
from speechtl.errors import DataError, printable

# The number of samples that marks a stream of unknown length: of WAV, and of FLAC.
_UNKNOWN_FRAMES = 2**31 - 1
# Samples a second. What a damaged header claims beyond would take memory in proportion, or be resampled to as much.
_LOWEST_RATE, _HIGHEST_RATE = 1000, 2_000_000
# Samples. libsndfile estimates the length of an MP3 without a Xing header, as those of Common Voice are, from the size
# of the file, and takes the ID3 tag before the first frame for sound.
_MP3_FRAME = 1152
UNFINISHED = "the length in the header is too short; read to the end of the file"
JOINED = "several files joined into one; all are read"


class AudioFile:
    """An open recording.

    Attributes:
        name: what errors call it.
        sample_rate: Hz.
        channels: 1 for mono.
        frames: samples per channel; None where only reading tells (what PyAV reads, and streams).
        findings: what was repaired.

    Args:
        source: a path, or an open seekable binary file.
        name: what errors call it; by default the path.
        raw_rate: there is no header; 16-bit little-endian samples of one channel at this rate in Hz.
        findings: where to note what was repaired.

    Raises:
        DataError: missing, empty, or not audio; names the file.
    """

    def __init__(
        self,
        source: str | Path | IO[bytes],
        name: str | None = None,
        *,
        raw_rate: int | None = None,
        findings: Findings | None = None,
    ):
        self.name = printable(name or str(source))
        self._name = name or str(source)
        self.findings = Findings() if findings is None else findings
        self._stack = contextlib.ExitStack()
        self._layouts: list[WavLayout | None] = []
        self._quiet = False
        try:
            self._parts = self._open(source, raw_rate)
            first = self._parts[0]
            self.sample_rate, self.channels, self.format = first.samplerate, first.channels, first.format
            if not _LOWEST_RATE <= self.sample_rate <= _HIGHEST_RATE:
                raise DataError(
                    f"{self.name}: {self.sample_rate} samples a second, which no recording of speech has; its header "
                    "is damaged, export it again"
                )
            if len(self._parts) > 1:
                self._check_parts()
        except BaseException:
            self._stack.close()
            raise
        known = all(part.frames is not None and part.frames < _UNKNOWN_FRAMES for part in self._parts)
        self.frames = sum(part.frames for part in self._parts) if known else None
        self._guessed = _MP3_FRAME if self.format == "MP3" else 0

    def __enter__(self) -> "AudioFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def blocks(self, size: int, first: int = 0, last: int | None = None) -> Iterator[np.ndarray]:
        """Yield the samples, float32 ``(samples, channels)``, or ``(samples,)`` of a single channel, in [-1, 1].

        Args:
            size: of a block, at most.
            first: of the wanted samples.
            last: the sample after the last one; None for the end.

        Raises:
            DataError: raised after the last block: it is truncated or damaged.
        """
        got, wanted = 0, None if last is None else last - first
        skip = first
        with self._explained():
            for part in self._parts:
                if len(self._parts) > 1 and skip >= part.frames:
                    skip -= part.frames
                    continue
                self._go_to(part, skip)
                skip = 0
                while wanted is None or got < wanted:
                    with muted(self._quiet):
                        block = part.read(size if wanted is None else min(size, wanted - got), dtype="float32")
                    if not len(block):
                        break
                    got += len(block)
                    yield block[:, 0] if block.ndim == 2 and block.shape[1] == 1 else block
        self._check_length(first, last, got)

    def read(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Return the samples at once; see `blocks`."""
        size = last - first if last is not None else self.frames - first if self.frames is not None else 1 << 20
        pieces = list(self.blocks(max(size, 1), first, last))
        empty = np.zeros((0, self.channels) if self.channels > 1 else 0, np.float32)
        return pieces[0] if len(pieces) == 1 else np.concatenate([empty, *pieces])

    def check_end(self) -> None:
        """Read the last sample.

        Raises:
            DataError: it is not there.
        """
        self._check_header()
        if self.frames:
            promise = f"{self.name}: truncated (the header promises {self.frames / self.sample_rate:.2f} s, the end "
            part = self._parts[-1]
            try:
                with muted(self._quiet):
                    part.seek(max(0, part.frames - 1 - self._guessed))
                    complete = len(part.read(1)) == 1
            except soundfile.SoundFileError as error:
                raise DataError(f"{promise}cannot be read); replace it") from error
            if not complete:
                raise DataError(f"{promise}cannot be read); replace it")

    def _go_to(self, part: Any, sample: int) -> None:
        if sample or not isinstance(part, soundfile.SoundFile) or part.tell():
            with muted(self._quiet):
                if self.format != "MP3":
                    part.seek(sample)
                    return
                part.seek(0)
                while sample > 0 and len(block := part.read(min(sample, 1 << 20), dtype="float32")):
                    sample -= len(block)

    def _open(self, source: str | Path | IO[bytes], raw_rate: int | None) -> list[Any]:
        if isinstance(source, (str, Path)):
            source = str(source)
            try:
                file: IO[bytes] = self._stack.enter_context(open(source, "rb"))  # noqa: SIM115
            except OSError as error:
                raise DataError(
                    f"{self.name}: cannot read: {error.strerror}; correct the path (relative to {Path.cwd()}) or the "
                    "permissions"
                ) from error
        else:
            file = source
        end = file.seek(0, os.SEEK_END)
        if not end:
            raise DataError(f"{self.name}: empty (0 bytes); restore the file or remove its utterances")
        file.seek(0)
        if raw_rate:
            raw = {"samplerate": raw_rate, "channels": 1, "format": "RAW", "subtype": "PCM_16", "endian": "LITTLE"}
            return [self._stack.enter_context(soundfile.SoundFile(file, **raw))]
        head, body = read_head(file)
        form = ffmpeg_format(head, body)
        if form is not None:
            return [self._with_ffmpeg(file, form, None)]
        self._quiet = is_mp3(head, body)
        if head[:4] in (b"RIFF", b"RIFX"):
            return self._open_wav(source, file, end)
        starts = parts_of_path(source) if isinstance(source, str) else tuple(parts_of(file, head, body, end))
        if len(starts) == 1:
            return [self._open_part(source, file, 0, end)]
        ends = [*starts[1:], end]
        return [self._open_part(None, file, start, stop) for start, stop in zip(starts, ends)]

    def _open_wav(self, source: str | IO[bytes], file: IO[bytes], end: int) -> list[Any]:
        parts, start = [], 0
        while start < end:
            layout = wav_layout(file, start, end)
            if layout is None:
                if not start:
                    parts.append(self._open_part(source, file, 0, end))
                break
            self._layouts.append(layout)
            if layout.unfinished:
                seconds = [f"{size / max(layout.per_second, 1):.2f} s" for size in (layout.declared, layout.present)]
                self.findings.add(UNFINISHED, self._name, f"{seconds[0]} in the header, {seconds[1]} are there")
                parts.append(self._open_sound(layout.opened(file, start), file))
            elif start or layout.end < end:
                parts.append(self._open_sound(layout.opened(file, start), file))
            else:
                parts.append(self._open_part(source, file, 0, end))
            start = layout.end
        return parts

    def _open_part(self, source: str | IO[bytes] | None, file: IO[bytes], start: int, end: int) -> Any:
        if source is None:
            return self._open_sound(Window(file, start, end), file)
        # By its bytes: names need not be UTF-8.
        return self._open_sound(os.fsencode(source) if isinstance(source, str) else source, file)

    def _open_sound(self, source: Any, file: IO[bytes]) -> Any:
        if not isinstance(source, bytes):
            source.seek(0)
        try:
            with muted(self._quiet):
                sound = self._stack.enter_context((_Mp3 if self._quiet else soundfile.SoundFile)(source))
        except (soundfile.SoundFileError, RuntimeError) as error:
            return self._with_ffmpeg(file if isinstance(source, bytes) else source, None, error)
        if sound.subtype == "GSM610" or (sound.format == "FLAC" and sound.frames >= 1 << 40):
            # libsndfile opens GSM, and FLAC of unknown length, but cannot seek in the one and read the other.
            return self._with_ffmpeg(file if isinstance(source, bytes) else source, None, None)
        return sound

    def _with_ffmpeg(self, file: IO[bytes], form: str | None, refused: Exception | None) -> Any:
        file.seek(0)
        head = file.read(1024)
        form = form or second_choice(head)
        if form is not None:
            try:
                return self._stack.enter_context(FfmpegFile(file, form))
            except ValueError as error:
                refused = refused or error
        raise DataError(f"{self.name}: {explain(head, refused)}") from refused

    def _check_parts(self) -> None:
        kinds = {(part.samplerate, part.channels) for part in self._parts}
        if len(kinds) > 1:
            shown = ", ".join(f"{rate} Hz x {channels}" for rate, channels in sorted(kinds))
            raise DataError(f"{self.name}: files of different formats joined into one ({shown}); take them apart")
        if any(part.frames is None for part in self._parts):
            raise DataError(f"{self.name}: several files joined into one; take them apart")
        self.findings.add(JOINED, self._name, f"{len(self._parts)} files")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
            raise DataError(f"{self.name}: {explain(b'', error)}") from error

    def _check_header(self) -> None:
        for layout in self._layouts:
            if layout is not None and layout.truncated:
                raise DataError(
                    f"{self.name}: truncated (got {layout.present} bytes of audio, expected {layout.declared}); "
                    "restore the file or remove its utterances"
                )
        if self.format == "NIST":
            self._check_nist()

    def _check_nist(self) -> None:
        file = next((part.name for part in self._parts if isinstance(part, soundfile.SoundFile)), None)
        if isinstance(file, bytes):
            with open(file, "rb") as opened:
                count = re.search(rb"^sample_count -i (\d+)", opened.read(1024), re.MULTILINE)
            if count and self.frames is not None and self.frames < int(count[1]):
                raise DataError(
                    f"{self.name}: truncated ({self.frames} of {int(count[1])} samples are there); replace it"
                )

    def _check_length(self, first: int, last: int | None, got: int) -> None:
        if self.frames is not None:
            expected = max((self.frames if last is None else min(last, self.frames)) - first, 0)
            if got < expected - self._guessed:
                rate = self.sample_rate
                raise DataError(
                    f"{self.name}: truncated or damaged (got {got / rate:.2f} s, expected {expected / rate:.2f}); "
                    "restore the file or remove its utterances"
                )
        if last is None:
            self._check_header()


class _Mp3(soundfile.SoundFile):
    """An MP3 that is read from its beginning: after seeking, libsndfile (1.2.2) gives samples of another place."""

    def seekable(self) -> bool:
        """Say no: otherwise every block that is read is followed by seeking to its end."""
        return False
