"""Audio as it comes: from a microphone, or from a program that writes samples into a pipe."""

import queue
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from speechtl.audio.waveform import FULL_SCALE
from speechtl.errors import DataError

# Seconds of audio in a block of a microphone, and bytes that are read from a pipe at most.
_BLOCK, _BYTES = 0.05, 1 << 16


def listen_to_microphone() -> tuple[int, Iterator[np.ndarray]]:
    """Open the microphone that the system takes by default.

    Returns:
        Its sample rate in Hz, and blocks ``(samples,)`` float32 in [-1, 1] without end.

    Raises:
        DataError: the extra ``live`` or its library is not installed, or there is no microphone that can be opened.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise DataError(
            f"listening to a microphone needs sounddevice and PortAudio ({error}); install 'speechtl[live]' and, on "
            "Linux, the system's package libportaudio2, or send raw samples through a pipe: - --live --raw-rate 16000"
        ) from error
    blocks: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()

    def take(block: np.ndarray, frames: int, time: Any, status: Any) -> None:
        # The library's own array is filled again when this returns.
        blocks.put(block[:, 0].copy())

    try:
        rate = int(sounddevice.query_devices(kind="input")["default_samplerate"])
        stream = sounddevice.InputStream(
            samplerate=rate, blocksize=int(rate * _BLOCK), channels=1, dtype="float32", callback=take
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise DataError(
            f"no microphone can be opened ({error}); connect one, or send raw samples through a pipe: "
            "- --live --raw-rate 16000"
        ) from error

    def listen() -> Iterator[np.ndarray]:
        with stream:
            while True:
                yield blocks.get()

    return rate, listen()


def listen_to_pipe(pipe: IO[bytes]) -> Iterator[np.ndarray]:
    """Yield blocks ``(samples,)`` float32 in [-1, 1] of raw 16-bit little-endian samples as soon as they come.

    Args:
        pipe: of one channel, without a header; one that may give less than is asked for is read as it gives.
    """
    read = getattr(pipe, "read1", pipe.read)
    rest = b""
    while data := read(_BYTES):
        data = rest + data
        whole = len(data) // 2 * 2
        rest = data[whole:]
        yield np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(FULL_SCALE)
