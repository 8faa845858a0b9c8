"""From samples to the content of an audio file."""

import io

import numpy as np
import soundfile

from speechtl.errors import DataError


def encode_audio(samples: np.ndarray, rate: int, container: str, comment: str = "") -> bytes:
    """Return the content of an audio file of 16 bits.

    libsndfile tells nobody when it could not write a part of a file (full disk); so files are written by Python.

    Args:
        samples: ``(samples,)`` or ``(samples, channels)``, floating-point in [-1, 1] or int16.
        rate: Hz.
        container: ``"WAV"`` or ``"FLAC"``.
        comment: is kept with the audio.

    Raises:
        DataError: the container cannot hold so many channels, or such a rate.
    """
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    content = io.BytesIO()
    try:
        with soundfile.SoundFile(content, "w", rate, channels, "PCM_16", format=container) as file:
            if comment:
                file.comment = comment
            file.write(samples)
    except soundfile.SoundFileError as error:
        raise DataError(f"cannot write {channels} channels at {rate} Hz as {container}: {error}") from error
    return content.getvalue()
