"""Audio in the body of a request: received into memory or a nameless file, and decoded."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import numpy as np
from anyio import CapacityLimiter, to_thread

from speechtl.audio.encode import encode_audio
from speechtl.audio.stream import stream_blocks
from speechtl.audio.waveform import FULL_SCALE
from speechtl.files import atomic_write
from speechtl.serve.limits import refused

_IN_MEMORY = 1 << 22


async def receive_audio(pieces: AsyncIterator[bytes], rate: int, longest: float, turn: CapacityLimiter) -> np.ndarray:
    """Receive and decode audio of any container.

    Args:
        pieces: the body.
        rate: Hz, of the result.
        longest: seconds; however small the file, no more than that is decoded.
        turn: how many decode at once.

    Returns:
        float32 ``(samples,)`` in [-1, 1].

    Raises:
        DataError: it is empty, no audio, or damaged.
        HTTPException: 413: it is too long.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        async for piece in pieces:
            if piece:
                await to_thread.run_sync(file.write, piece)
        file.seek(0)
        return await to_thread.run_sync(decode_audio, file, rate, longest, limiter=turn)


def decode_audio(file: IO[bytes], rate: int, longest: float) -> np.ndarray:
    """Decode an open file; see `receive_audio`."""
    blocks, count = [], 0
    for block in stream_blocks(file, rate, name="the recording"):
        blocks.append(block / np.float32(FULL_SCALE))
        count += len(block)
        if count > longest * rate:
            raise refused(
                413, f"the recording is longer than {longest / 60:g} minutes, the most that this server takes"
            )
    return np.concatenate(blocks)


def write_audio(path: Path, samples: np.ndarray, rate: int) -> None:
    """Write samples ``(samples,)`` in [-1, 1] as a WAV file of 16 bits."""
    with atomic_write(path, "wb") as file:
        file.write(encode_audio(np.clip(samples, -1, 1), rate, "WAV"))
