"""Containers and codecs that libsndfile cannot read: M4A, MP4, WebM, AMR and others, through PyAV.

PyAV (``pip install 'speechtl[media]'``) has FFmpeg's libraries in its wheel; it is imported when the first such file is
opened. The demuxer is named, so that FFmpeg never guesses one that opens other files or addresses, as play lists do.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any

import numpy as np

# Seconds before the wanted place at which decoding begins: codecs need some frames to settle.
_BEFORE = 1.0


class FfmpegFile:
    """One audio stream, sample by sample.

    What an encoder added at the beginning and the end is left out where the container says how much that is (MP4,
    Matroska, WebM, Ogg); raw AAC and AMR do not.

    Attributes:
        samplerate: Hz.
        channels: as they are stored.
        frames: None, since containers only know about how long they are.
        format: FFmpeg's name of it.

    Raises:
        ValueError: it cannot be decoded; with the reason.
    """

    def __init__(self, file: IO[bytes], form: str):
        self.format, self.frames = form, None
        self._file = file
        self._open()
        self._blocks = self._decode(0)
        self._waiting: np.ndarray | None = next(self._blocks, None)
        if self._waiting is None:
            self._container.close()
            raise ValueError("it holds no samples")
        # What the decoder gives: the container of HE-AAC may name half of it.
        self.samplerate, self.channels = self._resampler.rate, self._waiting.shape[1]

    def _open(self) -> None:
        try:
            import av
        except ImportError as error:
            raise ValueError(
                f"{self.format} needs PyAV: pip install 'speechtl[media]', or convert it to WAV or FLAC"
            ) from error
        av.logging.set_level(None)
        # OSError: a damaged size sends FFmpeg to a place that no file has.
        self._errors = (av.FFmpegError, ValueError, EOFError, OSError)
        self._file.seek(0)
        try:
            self._container: Any = av.open(self._file, mode="r", format=self.format)
        except self._errors as error:
            raise ValueError(_reason(error)) from error
        if not self._container.streams.audio:
            self._container.close()
            raise ValueError("it has no audio")
        self._stream: Any = self._container.streams.audio[0]
        # FFmpeg leaves out the padding of Apple Lossless in CAF twice.
        if self.format == "caf" and self._stream.codec_context.name == "alac":
            self._stream.codec_context.flags2 |= av.codec.context.Flags2.skip_manual
        self._resampler: Any = None
        self._usual = 0  # Duration of a packet.

    def __enter__(self) -> "FfmpegFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def seek(self, frame: int) -> None:
        """Go to a sample of every channel, counted from the beginning."""
        # A decoder that has been used gives slightly other samples than a new one.
        self._container.close()
        self._open()
        self._blocks, self._waiting = self._decode(frame), None

    def read(self, count: int = -1, dtype: str = "float32") -> np.ndarray:
        """Return the next samples, float32 ``(samples, channels)`` in [-1, 1]; fewer at the end, -1 for all."""
        pieces, total = [], 0
        while count < 0 or total < count:
            piece = self._waiting if self._waiting is not None else next(self._blocks, None)
            self._waiting = None
            if piece is None:
                break
            if count >= 0 and total + len(piece) > count:
                piece, self._waiting = piece[: count - total], piece[count - total :]
            pieces.append(piece)
            total += len(piece)
        return np.concatenate(pieces) if pieces else np.zeros((0, self.channels), np.float32)

    def _decode(self, first: int) -> Iterator[np.ndarray]:
        """Yield ``(samples, channels)`` from a sample on."""
        position = self._position(first)
        end = None
        try:
            for packet in self._container.demux(self._stream):
                end = self._end(packet) or end
                for frame in packet.decode():
                    samples = self._as_floats(frame)
                    if position is None:
                        position = round(float(frame.pts * frame.time_base) * frame.sample_rate)
                    stop = len(samples) if end is None else min(len(samples), end - position)
                    start = min(max(first - position, 0), len(samples))
                    position += len(samples)
                    if start < stop:
                        yield samples[start:stop]
        except self._errors as error:
            raise ValueError(_reason(error)) from error

    def _position(self, first: int) -> int | None:
        """Seek in the container; return the sample that decoding begins at, or None if the frames will say it."""
        stream = self._stream
        if not first or self.format != "mp4" or float(stream.time_base or 1) * self.samplerate > 1.0:
            # Where times are rounded (Matroska: to milliseconds), samples are counted from the beginning.
            return 0
        seconds = max(first / self.samplerate - _BEFORE, 0.0)
        if seconds:
            self._container.seek(int(seconds / float(stream.time_base)), stream=stream)
        return None if seconds else 0

    def _end(self, packet: Any) -> int | None:
        """Return the sample at which the recording ends, of the last packet of an MP4 file: it may be shorter."""
        stream = self._stream
        if self.format != "mp4" or not packet.duration or packet.pts is None:
            return None
        self._usual = self._usual or packet.duration
        scale = float(packet.time_base) * stream.codec_context.sample_rate
        if packet.duration < self._usual:
            return round((packet.pts + packet.duration) * scale)
        # Others say in an edit list where the last packet ends.
        if stream.duration and packet.pts + packet.duration > stream.duration:
            return round(stream.duration * scale)
        return None

    def _as_floats(self, frame: Any) -> np.ndarray:
        import av

        if self._resampler is None:
            self._resampler = av.AudioResampler(format="fltp", layout=frame.layout.name, rate=frame.sample_rate)
        samples = [one.to_ndarray() for one in self._resampler.resample(frame)]
        return np.concatenate(samples, axis=1).T if samples else np.zeros((0, 1), np.float32)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
