"""An utterance as the content of an audio file of its own: the file that it is, or FLAC."""

from pathlib import Path

import numpy as np

from speechtl.audio.encode import encode_audio
from speechtl.audio.header import AudioHeader
from speechtl.audio.one_channel import INTEGERS
from speechtl.audio.pipe import is_pipe
from speechtl.audio.tar_part import TarPart
from speechtl.audio.waveform import FULL_SCALE, read_channels, read_waveform
from speechtl.errors import DataError
from speechtl.files import read_bytes

# Compressed already, and read by everyone.
_KEPT = {".flac", ".ogg", ".opus", ".mp3"}
# What FLAC can hold.
_MOST_CHANNELS = 8


def utterance_file(
    audio: str,
    *,
    start: float | None = None,
    end: float | None = None,
    speed: float = 1.0,
    channel: int | None = None,
    allow_pipes: bool = False,
) -> tuple[str, bytes, float]:
    """Return an utterance as a file of its own: whole FLAC, Ogg and MP3 files as they are, all other audio as FLAC.

    Samples that are integers of 16 or 24 bits stay as they are, and so do the channels; other samples are rounded to 16
    bits. Audio of another speed is one channel.

    Args:
        audio: a value of ``wav.scp``.
        start: seconds at which it begins; None for the beginning.
        end: seconds at which it ends; None for the end.
        speed: speed factor.
        channel: the one to keep, from 0; None for all.
        allow_pipes: whether commands may be run.

    Returns:
        The suffix, the bytes and the seconds.

    Raises:
        DataError: it cannot be read; names the file.
    """
    part = TarPart.parse(audio)
    if start is None and end is None and speed == 1 and channel is None and not is_pipe(audio) and part is None:
        suffix = Path(audio).suffix.lower()
        if suffix in _KEPT:
            header = AudioHeader.read(audio)
            return suffix, read_bytes(audio), header.seconds
    if speed != 1:
        rate = AudioHeader.read(audio, allow_pipes=allow_pipes).sample_rate
        samples = read_waveform(
            audio, rate, of_several=channel, start=start, end=end, speed=speed, allow_pipes=allow_pipes
        )
        samples = samples / FULL_SCALE
    else:
        samples, rate = read_channels(audio, start=start, end=end, allow_pipes=allow_pipes)
        if channel is not None and samples.ndim == 2:
            if channel >= samples.shape[1]:
                raise DataError(f"{audio}: no channel {channel} (there are {samples.shape[1]}); correct the table")
            samples = samples[:, channel]
    if samples.ndim == 2 and samples.shape[1] > _MOST_CHANNELS:
        raise DataError(f"{audio}: {samples.shape[1]} channels (FLAC holds {_MOST_CHANNELS}); choose one of them")
    return ".flac", _flac(samples, rate), len(samples) / rate


def _flac(samples: np.ndarray, rate: int) -> bytes:
    peak = float(np.abs(samples).max(initial=0))
    if peak > 1:
        # Louder than full scale is possible in floating-point files alone; it is made quieter rather than clipped.
        samples = samples / np.float32(FULL_SCALE if peak > INTEGERS else peak)
    bits = 16
    scaled = samples * np.float64(1 << 15)
    if (scaled != np.round(scaled)).any():
        finer = samples * np.float64(1 << 23)
        if (finer == np.round(finer)).all():
            bits, scaled = 24, finer
    most = 1 << (bits - 1)
    whole = np.clip(np.round(scaled), -most, most - 1).astype(np.int32) << (32 - bits)
    return encode_audio(whole, rate, "FLAC", bits=bits)
