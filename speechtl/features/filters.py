"""Windows, mel filters and cosines of filter banks and cepstra, as matrices."""

from typing import Any

import numpy as np

from speechtl.features.config import FeatureConfig
from speechtl.features.dct import cosine_transform

FLOOR = float(np.finfo(np.float32).eps)  # Kaldi's floor of an energy before the logarithm.
# Whisper's frames, in samples; its floor of the power before the logarithm; and how far below the maximum of an
# utterance, in units of log10, the logarithm goes.
WHISPER_WINDOW, WHISPER_SHIFT = 400, 160
WHISPER_FLOOR, WHISPER_RANGE = 1e-10, 8.0
VARIANCE_FLOOR = 1e-7  # Added to the variance of a waveform, as in transformers.


def padded_length(config: FeatureConfig) -> int:
    """Return the length of the Fourier transform: a power of two."""
    return 1 << (config.frame_length - 1).bit_length()


def margins(samples: Any, count: Any, config: FeatureConfig) -> tuple[int, Any]:
    """Return how many samples frames need before and after the signal if ``snip_edges`` is off.

    Args:
        samples: of the signal, an integer or a tensor.
        count: of frames, likewise.
        config: without ``snip_edges``.
    """
    left = config.frame_length // 2 - config.frame_shift // 2
    return left, (count - 1) * config.frame_shift + config.frame_length - left - samples


def mirror(waveform: np.ndarray, count: int, config: FeatureConfig) -> np.ndarray:
    """Extend a signal ``(samples,)`` on both sides by its mirror image, as far as ``count`` centred frames need."""
    left, right = margins(len(waveform), count, config)
    padded = np.pad(waveform, (max(left, 0), max(right, 0)), mode="symmetric")
    return padded[max(-left, 0) :]


def window(config: FeatureConfig) -> np.ndarray:
    """Return the window ``(frame_length,)``."""
    angle = 2 * np.pi * np.arange(config.frame_length) / (config.frame_length - 1)
    hann = 0.5 - 0.5 * np.cos(angle)
    chosen = {
        "hanning": hann,
        "povey": hann**0.85,
        "hamming": 0.54 - 0.46 * np.cos(angle),
        "blackman": 0.42 - 0.5 * np.cos(angle) + 0.08 * np.cos(2 * angle),
        "sine": np.sin(angle / 2),
        "rectangular": np.ones(config.frame_length),
    }[config.window]
    return chosen.astype(np.float32)


def mel_filters(config: FeatureConfig) -> np.ndarray:
    """Return the triangular filters ``(spectrum bins, num_mel_bins)``, equally wide on the mel scale.

    As in Kaldi, the bin at the Nyquist frequency belongs to no filter.
    """
    length = padded_length(config)

    def mel(frequency: float | np.ndarray) -> np.ndarray:
        return 1127.0 * np.log1p(np.asarray(frequency) / 700.0)

    edges = np.linspace(mel(config.low_freq), mel(config.upper_edge), config.num_mel_bins + 2)
    bins = mel(np.arange(length // 2) * config.sample_rate / length)[:, np.newaxis]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return np.pad(filters, ((0, 1), (0, 0))).astype(np.float32)


def lifted_cosines(config: FeatureConfig) -> np.ndarray:
    """Return the orthonormal DCT-II with liftering ``(num_mel_bins, num_ceps)``."""
    cosines = cosine_transform(config.num_mel_bins, config.num_ceps)
    if config.cepstral_lifter:
        order = np.arange(config.num_ceps)
        cosines *= 1.0 + 0.5 * config.cepstral_lifter * np.sin(np.pi * order / config.cepstral_lifter)
    return cosines.astype(np.float32)


def whisper_window(length: int) -> np.ndarray:
    """Return Whisper's window ``(length,)``: Hann's, without the last sample of its period."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def slaney_filters(sample_rate: int, length: int, bins: int) -> np.ndarray:
    """Return triangular filters ``(length // 2 + 1, bins)`` on the mel scale of Slaney's Auditory Toolbox (1998).

    The scale is linear below 1000 Hz and logarithmic above; every filter has the area 1 Hz^-1 times its width, as in
    ``librosa.filters.mel``.
    """

    def hertz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < 15, 200 / 3 * mel, 1000 * 6.4 ** ((np.maximum(mel, 15) - 15) / 27))

    highest = 15 + 27 * np.log(sample_rate / 2 / 1000) / np.log(6.4)
    edges = hertz(np.linspace(0, highest, bins + 2))
    frequencies = (np.arange(length // 2 + 1) * sample_rate / length)[:, np.newaxis]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return (np.maximum(0.0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])).astype(np.float32)
