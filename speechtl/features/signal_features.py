"""All kinds of features in NumPy, equal to those of `speechtl.features.fbank` within float32 rounding.

Recognition computes features of seconds of speech at a time; TensorFlow would take longer to load than that.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from speechtl.audio.waveform import FULL_SCALE
from speechtl.features import filters
from speechtl.features.config import FeatureConfig

# Frames that are computed together: their spectra stay in the processor's cache.
_PIECE = 512


def compute_many(waveforms: Sequence[np.ndarray], config: FeatureConfig) -> list[np.ndarray]:
    """Compute the features that ``config.kind`` names.

    Args:
        waveforms: float32 ``(samples,)`` each at ``config.sample_rate``, in the 16-bit integer range.
        config: the features to compute.

    Returns:
        float32 ``(frames, bins)`` for each signal; ``config.num_frames(samples)`` frames, which is 0 for a signal
        shorter than one frame.
    """
    return [compute(waveform, config) for waveform in waveforms]


def compute(waveform: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Compute the features of one signal; see `compute_many`."""
    count = config.num_frames(len(waveform))
    if not count:
        return np.zeros((0, config.dimension), np.float32)
    kinds = {"whisper": _whisper, "waveform": _waveform}
    return kinds.get(config.kind, _filter_bank)(waveform.astype(np.float32, copy=False), count, config)


def _filter_bank(waveform: np.ndarray, count: int, config: FeatureConfig) -> np.ndarray:
    """Return filter bank energies or cepstra, step by step as `speechtl.features.fbank` says."""
    if not config.snip_edges:
        waveform = filters.mirror(waveform, count, config)
    frames = _frames(waveform, count, config.frame_length, config.frame_shift)
    extract = _extractor(config)
    rng = np.random.default_rng(20111211)
    features = np.empty((count, config.dimension), np.float32)
    for start in range(0, count, _PIECE):
        piece = frames[start : start + _PIECE]
        if config.dither:
            piece = piece + np.float32(config.dither) * rng.standard_normal(piece.shape, np.float32)
        features[start : start + _PIECE] = extract(piece)
    return features


@functools.lru_cache(maxsize=32)
def _extractor(config: FeatureConfig) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from frames ``(frames, samples)`` to features ``(frames, bins)``."""
    window, mel, cosines = filters.window(config), filters.mel_filters(config), filters.lifted_cosines(config)
    length, floor = filters.padded_length(config), np.float32(filters.FLOOR)
    preemphasis = np.float32(config.preemphasis)

    def extract(frames: np.ndarray) -> np.ndarray:
        frames = frames - frames.mean(axis=1, keepdims=True)
        energy = np.log(np.maximum(np.square(frames).sum(axis=1), floor)) if config.use_energy else None
        # The first sample of a frame has no predecessor: Kaldi uses the sample itself.
        emphasised = np.empty_like(frames)
        emphasised[:, 1:] = frames[:, 1:] - preemphasis * frames[:, :-1]
        emphasised[:, 0] = frames[:, 0] - preemphasis * frames[:, 0]
        result = np.log(np.maximum(_power(emphasised * window, length) @ mel, floor))
        if config.kind == "mfcc":
            result = result @ cosines
            if energy is not None:
                result[:, 0] = energy
        elif energy is not None:
            result = np.concatenate([energy[:, np.newaxis], result], axis=1)
        return result

    return extract


def _whisper(waveform: np.ndarray, count: int, config: FeatureConfig) -> np.ndarray:
    """Return the log mel spectrogram of Whisper, see `speechtl.features.whisper_mel`."""
    length, half = filters.WHISPER_WINDOW, filters.WHISPER_WINDOW // 2
    signal = np.concatenate([waveform / np.float32(FULL_SCALE), np.zeros(length, np.float32)])
    signal = np.concatenate([signal[half:0:-1], signal])
    frames = _frames(signal, count, length, filters.WHISPER_SHIFT)
    window, mel = filters.whisper_window(length), _slaney(config.sample_rate, length, config.num_mel_bins)
    logs = np.empty((count, config.num_mel_bins), np.float32)
    for start in range(0, count, _PIECE):
        power = _power(frames[start : start + _PIECE] * window, length)
        logs[start : start + _PIECE] = np.log10(np.maximum(power @ mel, np.float32(filters.WHISPER_FLOOR)))
    return (np.maximum(logs, logs.max() - np.float32(filters.WHISPER_RANGE)) + 4) / 4


def _waveform(waveform: np.ndarray, count: int, config: FeatureConfig) -> np.ndarray:
    """Return frames of the samples themselves, see `speechtl.features.waveform_frames`."""
    signal = waveform / np.float32(FULL_SCALE)
    if config.unit_variance:
        signal = signal - signal.mean()
        signal = signal / np.sqrt(np.square(signal).mean() + np.float32(filters.VARIANCE_FLOOR))
    return np.ascontiguousarray(_frames(signal, count, config.frame_length, config.frame_shift))


def _frames(signal: np.ndarray, count: int, length: int, shift: int) -> np.ndarray:
    """Return a view of overlapping frames ``(count, length)``."""
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::shift][:count]


def _power(frames: np.ndarray, length: int) -> np.ndarray:
    """Return power spectra ``(frames, length // 2 + 1)``, float32."""
    spectrum = np.fft.rfft(frames, length)
    return (np.square(spectrum.real) + np.square(spectrum.imag)).astype(np.float32)


_slaney = functools.lru_cache(maxsize=4)(filters.slaney_filters)
