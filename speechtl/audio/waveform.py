"""Read audio at once: sample rates, channels, segments and speeds."""

import io

import numpy as np
import soxr

from speechtl.audio.audio_file import AudioFile
from speechtl.audio.findings import Findings
from speechtl.audio.one_channel import OneChannel, require_numbers
from speechtl.audio.pipe import is_pipe
from speechtl.audio.tar_part import audio_source
from speechtl.errors import DataError

_SLACK = 0.5  # Seconds by which a segment may exceed the recording: annotators round (Kaldi allows the same).
FULL_SCALE = 32768.0  # Kaldi's features are defined on samples in the range of 16-bit integers.
# A recording at less than this share of the wanted sample rate is said to lack what lies above its own.
_NARROW = 0.95


def read_waveform(
    audio: str,
    sample_rate: int,
    *,
    channel: str | int = "mix",
    of_several: int | None = None,
    start: float | None = None,
    end: float | None = None,
    speed: float = 1.0,
    allow_pipes: bool = False,
    findings: Findings | None = None,
    content: bytes | None = None,
) -> np.ndarray:
    """Read audio as one channel at a given sample rate.

    Args:
        audio: a path, or a shell command that ends in ``|`` and writes an audio file to its standard output.
        sample_rate: Hz of the result; audio at another rate is resampled (soxr, high quality).
        channel: ``"mix"`` for the mean of all channels, ``"first"``, or the number of a channel from 0.
        of_several: takes the place of ``channel`` where the audio has several.
        start: start of the segment in seconds of the stored audio; None for the beginning.
        end: end of the segment in seconds of the stored audio; None for the end.
        speed: speed factor, which changes tempo and pitch like ``sox speed`` (Ko et al., "Audio
            augmentation for speech recognition", 2015).
        allow_pipes: whether commands may be run; if not, they are errors.
        findings: where to note what was repaired, and what is remarkable.
        content: of the audio file, if it has been read already.

    Returns:
        float32 ``(samples,)`` in the range of 16-bit integers.

    Raises:
        DataError: the audio is missing, empty, truncated, not audio, lacks the channel or segment, or holds samples
            that are not numbers; names the file.
    """
    findings = Findings() if findings is None else findings
    samples, stored_rate = read_channels(
        audio, start=start, end=end, allow_pipes=allow_pipes, findings=findings, content=content
    )
    wanted = channel if of_several is None or samples.ndim == 1 else of_several
    signal = OneChannel(wanted, _name_of(audio), findings)(samples)
    note_rate(stored_rate, sample_rate, _name_of(audio), findings)
    if stored_rate * speed != sample_rate and len(signal):
        # Speeding up by a factor is equivalent to a stored sample rate that is higher by that factor.
        signal = soxr.resample(signal, stored_rate * speed, sample_rate, quality="HQ")
    signal = np.ascontiguousarray(signal, np.float32)
    signal *= FULL_SCALE  # In place: allocating a new array would take as long as the product.
    return signal


def read_channels(
    audio: str,
    *,
    start: float | None = None,
    end: float | None = None,
    allow_pipes: bool = False,
    findings: Findings | None = None,
    content: bytes | None = None,
) -> tuple[np.ndarray, int]:
    """Read audio as it is stored; see `read_waveform` for the arguments and errors.

    Returns:
        float32 ``(samples, channels)``, or ``(samples,)`` of a single channel, in [-1, 1]; and the rate in Hz.
    """
    name = _name_of(audio)
    source = audio_source(audio, allow_pipes) if content is None else io.BytesIO(content)
    with AudioFile(source, name, findings=findings) as file:
        rate, total = file.sample_rate, file.frames
        first = 0 if start is None else round(start * rate)
        last = None if end is None else round(end * rate)
        if total is not None and (first or last is not None):
            _check_segment(file.name, start, end, total / rate)
        samples = file.read(first, last)
        if total is None and last is not None and len(samples) < last - first:
            _check_segment(file.name, start, end, (first + len(samples)) / rate)
    if not len(samples):
        raise DataError(f"{file.name}: holds no samples; restore the file or remove its utterances")
    require_numbers(samples, name)
    return samples, rate


def note_rate(stored: float, wanted: float, name: str, findings: Findings) -> None:
    """Note that a recording lacks the upper frequencies that a model or its features expect."""
    if stored < wanted * _NARROW:
        findings.add(
            f"audio at {stored:g} Hz has nothing above {stored / 2:g} Hz, and the features are of {wanted:g} Hz", name
        )


def _check_segment(name: str, start: float | None, end: float | None, seconds: float) -> None:
    if (start or 0.0) >= seconds or (end is not None and end > seconds + _SLACK):
        raise DataError(
            f"{name}: the stretch {start or 0:g} to {'its end' if end is None else f'{end:g}'} s reaches beyond the "
            f"audio (got {seconds:.2f} s); correct segments"
        )


def _name_of(audio: str) -> str:
    """Return how errors name the audio: a path, or a command in quotes."""
    return f"'{audio.rstrip()}'" if is_pipe(audio) else audio
