"""From samples to the content of an audio file."""

import io

import numpy as np
import soundfile

from speechtl.errors import DataError


def encode_audio(samples: np.ndarray, rate: int, container: str, comment: str = "", bits: int = 16) -> bytes:
    """Return the content of an audio file.

    libsndfile tells nobody when it could not write a part of a file (full disk); so files are written by Python.

    Args:
        samples: ``(samples,)`` or ``(samples, channels)``: floating-point in [-1, 1], or integers that fill int16 or
            int32.
        rate: Hz.
        container: ``"WAV"`` or ``"FLAC"``.
        comment: is kept with the audio.
        bits: of a sample in the file, 16 or 24.

    Raises:
        DataError: the container cannot hold so many channels, or such a rate.
    """
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    content = io.BytesIO()
    try:
        with soundfile.SoundFile(content, "w", rate, channels, f"PCM_{bits}", format=container) as file:
            if comment:
                file.comment = comment
            file.write(samples)
    except soundfile.SoundFileError as error:
        what = f"{channels} channels at {rate} Hz as {container}"
        raise DataError(f"cannot write {what}: {error}; resample it, or take fewer") from error
    return content.getvalue()
