"""Is a recording of a sentence good enough to learn from? Its level, its noise, and whether it is clipped."""

import dataclasses

import numpy as np

from speechtl.audio.voice_activity import frame_levels
from speechtl.audio.waveform import FULL_SCALE

# Frames this much (dB) above the quietest tenth of a recording are speech.
_ABOVE_NOISE = 9.0
# Samples at full scale: this share of them is audible as distortion.
_CLIPPED = 0.001
_QUIETEST, _NOISIEST, _SHORTEST = -40.0, 15.0, 0.4


@dataclasses.dataclass(frozen=True)
class RecordingCheck:
    """What can be measured of a recording.

    Attributes:
        seconds: its duration.
        speech: seconds of it that are above the noise.
        level: of the speech, dB relative to full scale (a sine of full scale has -3).
        clipped: share of the samples that are at full scale.
        snr: speech to noise, dB, of the pre-emphasised signal; None where nothing stands out.
        problems: what is wrong and what helps, one sentence each; none if it is good.
    """

    seconds: float
    speech: float
    level: float
    clipped: float
    snr: float | None
    problems: tuple[str, ...]


def check_recording(samples: np.ndarray, rate: int) -> RecordingCheck:
    """Measure a recording.

    Args:
        samples: ``(samples,)`` in the range of 16-bit integers; at least one.
        rate: Hz.
    """
    step = rate // 100
    levels = frame_levels(samples, rate)
    floor = float(np.percentile(levels, 10))
    active = levels > floor + _ABOVE_NOISE
    clipped = float(np.mean(np.abs(samples) >= 0.995 * FULL_SCALE))
    speech = float(active.sum() / 100)
    level, snr = -120.0, None
    if active.any():
        heard = samples[: len(active) * step][np.repeat(active, step)[: len(samples)]]
        level = float(10 * np.log10(max(np.mean(np.square(heard / FULL_SCALE, dtype=np.float64)), 1e-12)))
        quiet = np.mean(10 ** (levels[levels <= np.percentile(levels, 20)] / 10))
        loud = np.mean(10 ** (levels[active] / 10))
        snr = float(10 * np.log10(max(loud - quiet, 1e-3) / quiet))
    problems = []
    if speech < _SHORTEST:
        problems.append("Hardly anything was said: is this the right microphone?")
    else:
        if clipped > _CLIPPED:
            problems.append("It is clipped: move back from the microphone, or turn it down.")
        if level < _QUIETEST:
            problems.append("It is very quiet: come closer to the microphone, or turn it up.")
        if snr is not None and snr < _NOISIEST:
            problems.append("There is much noise: close the window, or come closer to the microphone.")
    return RecordingCheck(len(samples) / rate, speech, level, clipped, snr, tuple(problems))
