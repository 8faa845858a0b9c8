"""The same speech as it may reach a program: at other levels and rates, in other containers, on other channels."""

import functools
from typing import NamedTuple

import numpy as np
import soundfile
import soxr


class Change(NamedTuple):
    """A way of writing a recording.

    Attributes:
        write: called with a path without suffix, the samples ``(samples,)`` in [-1, 1] and their rate in Hz; returns
            the path of what it wrote.
        lossy: what is written is another signal, if not to the ear.
        said: what speechtl has to say of such a recording; "" for nothing.
    """

    write: object
    lossy: bool = False
    said: str = ""


def _file(path, samples, rate, suffix="wav", **options):
    path = path.with_name(f"{path.name}.{suffix}")
    soundfile.write(path, samples, rate, **({"subtype": "FLOAT"} if suffix == "wav" else {}) | options)
    return path


def _samples(change, lossy=False, said="", **options):
    """Return a change of the samples, or of samples and rate."""

    def write(path, samples, rate):
        changed = change(samples, rate)
        return _file(path, *(changed if isinstance(changed, tuple) else (changed, rate)), **options)

    return Change(write, lossy, said)


def _stored(lossy=False, **options):
    return Change(lambda path, samples, rate: _file(path, samples, rate, **options), lossy)


def _encoded(container, codec, rate):
    def write(path, samples, own_rate):
        from encoded_audio import RATE, encode

        path = path.with_name(f"{path.name}.{container}")
        encode(path, container, codec, rate, signal=soxr.resample(samples, own_rate, RATE).astype(np.float32))
        return path

    return Change(write, lossy=True)


def _at(rate, samples, own_rate):
    return soxr.resample(samples, own_rate, rate, quality="VHQ"), rate


def _there_and_back(rate, samples, own_rate):
    return soxr.resample(soxr.resample(samples, own_rate, rate), rate, own_rate)


def _between(silence, samples, rate):
    """Put a second of silence before and after."""
    noise = np.random.default_rng(0).normal(0, 1, (2, rate)) * silence
    return np.concatenate([noise[0], samples, noise[1]])


def _sides(*factors):
    return lambda samples, rate: np.stack([factor * samples for factor in factors], axis=1)


CHANGES = {
    **{
        f"level x{factor:g}": _samples(lambda samples, rate, factor=factor: factor * samples)
        for factor in (0.01, 0.03, 0.1, 0.3, 3, 10, 30, 100)
    },
    "level x0.1, 16 bits": _samples(lambda samples, rate: 0.1 * samples, subtype="PCM_16"),
    "level x0.01, 16 bits": _samples(lambda samples, rate: 0.01 * samples, lossy=True, subtype="PCM_16"),
    "as integers": _samples(lambda samples, rate: 32768 * samples, said="taken for 16-bit integers"),
    "polarity": _samples(lambda samples, rate: -samples),
    "offset 0.1": _samples(lambda samples, rate: samples + 0.1, said="constant offset was taken out"),
    "offset -0.5": _samples(lambda samples, rate: samples - 0.5, said="constant offset was taken out"),
    "zeros around": _samples(functools.partial(_between, 0.0), said="digital silence, filled"),
    "noise around": _samples(functools.partial(_between, 1e-4)),
    "44.1 kHz": _samples(functools.partial(_at, 44100)),
    "48 kHz, 16 bits": _samples(functools.partial(_at, 48000), subtype="PCM_16"),
    "32 kHz": _samples(functools.partial(_at, 32000)),
    "over 44.1 kHz and back": _samples(functools.partial(_there_and_back, 44100)),
    "over 22.05 kHz and back": _samples(functools.partial(_there_and_back, 22050)),
    "8 kHz": _samples(functools.partial(_at, 8000), lossy=True, said="has nothing above 4000 Hz"),
    "11.025 kHz": _samples(functools.partial(_at, 11025), lossy=True, said="has nothing above 5512.5 Hz"),
    "WAV, 16 bits": _stored(subtype="PCM_16"),
    "WAV, 24 bits": _stored(subtype="PCM_24"),
    "WAV, mu-law": _stored(lossy=True, subtype="ULAW"),
    "FLAC": _stored(suffix="flac"),
    "AIFF": _stored(suffix="aiff"),
    "MP3": _stored(lossy=True, suffix="mp3"),
    "Vorbis": _stored(lossy=True, suffix="ogg"),
    "Opus": _stored(lossy=True, suffix="opus", format="OGG", subtype="OPUS"),
    "M4A": _encoded("ipod", "aac", 44100),
    "WebM": _encoded("webm", "libopus", 48000),
    "two channels": _samples(_sides(1, 1)),
    "one of two channels": _samples(_sides(1, 0)),
    "two channels in antiphase": _samples(_sides(1, -1), said="cancel each other"),
    "six channels": _samples(_sides(1, 0.5, 0.2, 1, 0.1, 0.7)),
}
