"""Read audio in any container that libsndfile supports: sample rates, channels, segments and speeds."""

import io
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
import soxr

from speechtl.audio.header import check_wav_length, guessed_samples
from speechtl.audio.pipe import is_pipe, run_pipe
from speechtl.errors import DataError

_SLACK = 0.5  # Seconds by which a segment may exceed the recording: annotators round (Kaldi allows the same).
FULL_SCALE = 32768.0  # Kaldi's features are defined on samples in the range of 16-bit integers.


def read_waveform(
    audio: str,
    sample_rate: int,
    *,
    channel: str | int = "mix",
    start: float | None = None,
    end: float | None = None,
    speed: float = 1.0,
    allow_pipes: bool = False,
) -> np.ndarray:
    """Read audio as one channel at a given sample rate.

    Args:
        audio: a path, or a shell command that ends in ``|`` and writes an audio file to its standard output.
        sample_rate: Hz of the result; audio at another rate is resampled (soxr, high quality).
        channel: ``"mix"`` for the mean of all channels, ``"first"``, or the number of a channel from 0.
        start: start of the segment in seconds of the stored audio; None for the beginning.
        end: end of the segment in seconds of the stored audio; None for the end.
        speed: speed factor, which changes tempo and pitch like ``sox speed`` (Ko et al., "Audio
            augmentation for speech recognition", 2015).
        allow_pipes: whether commands may be run; if not, they are errors.

    Returns:
        float32 ``(samples,)`` in the range of 16-bit integers.

    Raises:
        DataError: the audio is missing, empty, truncated, not audio, or lacks the channel or segment; names the file.
    """
    samples, stored_rate = read_channels(audio, start=start, end=end, allow_pipes=allow_pipes)
    signal = choose_channel(samples, channel, _name_of(audio))
    if stored_rate * speed != sample_rate and len(signal):
        # Speeding up by a factor is equivalent to a stored sample rate that is higher by that factor.
        signal = soxr.resample(signal, stored_rate * speed, sample_rate, quality="HQ")
    signal = np.ascontiguousarray(signal, np.float32)
    signal *= FULL_SCALE  # In place: allocating a new array would take as long as the product.
    return signal


def read_channels(
    audio: str, *, start: float | None = None, end: float | None = None, allow_pipes: bool = False
) -> tuple[np.ndarray, int]:
    """Read audio as it is stored; see `read_waveform` for the arguments and errors.

    Returns:
        float32 ``(samples, channels)``, or ``(samples,)`` of a single channel, in [-1, 1]; and the rate in Hz.
    """
    name = _name_of(audio)
    if is_pipe(audio):
        return _decode(io.BytesIO(run_pipe(audio, allow_pipes)), name, start, end, piped=True)
    try:
        empty = Path(audio).stat().st_size == 0
    except OSError as error:
        raise DataError(f"{audio}: cannot read: {error.strerror}; correct wav.scp") from error
    if empty:
        raise DataError(f"{name}: empty (0 bytes); restore the file or remove its utterances")
    return _decode(audio, name, start, end, piped=False)


def _name_of(audio: str) -> str:
    """Return how errors name the audio: a path, or a command in quotes."""
    return f"'{audio.rstrip()}'" if is_pipe(audio) else audio


def _decode(
    source: str | io.BytesIO, name: str, start: float | None, end: float | None, piped: bool
) -> tuple[np.ndarray, int]:
    """Decode a segment to float32 ``(samples, channels)`` or ``(samples,)`` in [-1, 1], and its rate in Hz."""
    try:
        with soundfile.SoundFile(source) as file:
            rate, total = file.samplerate, file.frames
            # The length in the header of a streamed file is only a guess.
            known = 0 < total < 2**31 - 1 and not piped
            first = 0 if start is None else round(start * rate)
            last = None if end is None else round(end * rate)
            if first or last is not None:
                if known and (first >= total or (last is not None and last > total + rate * _SLACK)):
                    raise DataError(
                        f"{name}: the stretch {start or 0:g} to {'its end' if end is None else f'{end:g}'} s reaches "
                        f"beyond the audio (got {total / rate:.2f} s); correct segments"
                    )
                if first:
                    file.seek(first)
            wanted = -1 if last is None else last - first
            samples = file.read(wanted, dtype="float32")
            expected = total - first if last is None else min(last, total) - first
            if known and len(samples) < expected - guessed_samples(file):
                raise DataError(
                    f"{name}: truncated or damaged (got {len(samples) / rate:.2f} s, expected {expected / rate:.2f}); "
                    "restore the file or remove its utterances"
                )
            if known and file.format in ("WAV", "WAVEX"):
                check_wav_length(file.extra_info, name)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise DataError(f"{name}: {explain(source, error)}") from error
    if not len(samples):
        raise DataError(f"{name}: holds no samples; restore the file or remove its utterances")
    return samples, rate


def explain(source: str | IO[bytes], error: Exception) -> str:
    """Explain why a file cannot be decoded."""
    reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
    if isinstance(source, str):
        try:
            with open(source, "rb") as file:
                header = file.read(1024)
        except OSError as failure:
            return f"cannot read: {failure.strerror}; correct wav.scp or the permissions"
    else:
        source.seek(0)
        header = source.read(1024)
    if header.startswith(b"NIST_1A") and b"shorten" in header:
        return "SPHERE file compressed with shorten, which libsndfile cannot read; convert it with sph2pipe -f wav"
    what = "truncated or damaged" if "lost sync" in reason else "not audio that libsndfile can read"
    return f"{what} ({reason}); restore the file or remove its utterances"


def choose_channel(samples: np.ndarray, channel: str | int, name: str) -> np.ndarray:
    """Reduce ``(samples,)`` or ``(samples, channels)`` to one channel ``(samples,)``."""
    if samples.ndim == 1:
        samples = samples[:, np.newaxis]
    count = samples.shape[1]
    if channel == "mix":
        return samples.mean(axis=1) if count > 1 else samples[:, 0]
    number = 0 if channel == "first" else int(channel)
    if number >= count:
        raise DataError(f"{name}: no channel {number} (got {count}, counted from 0); correct features.channel")
    return samples[:, number]
