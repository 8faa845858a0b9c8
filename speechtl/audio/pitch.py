"""Pitch and formants of recorded speech, moved without changing its duration.

Two things distinguish voices: how fast the vocal folds vibrate (pitch) and how long the vocal tract is (formants, the
peaks of the spectral envelope). Training on copies with other pitches and formants makes a model less dependent on the
voices that it was trained on:

- `shift_pitch` moves both together, as a tape played faster would, and keeps the tempo. It is
  ``librosa.effects.pitch_shift``: a phase vocoder changes the tempo, resampling changes it back.
- `warp_formants` moves the formants alone and leaves the pitch: vocal tract length perturbation (VTLP; Jaitly & Hinton,
  "Vocal tract length perturbation (VTLP) improves speech recognition", 2013; Cui, Goel & Kingsbury, "Data augmentation
  for deep neural network acoustic modeling", 2015). They warp the centres of the mel filters; here the same warping
  moves the spectral envelope of the audio, so that all kinds of features see it. librosa has no such effect, but its
  parts: the short-time Fourier transform, its inverse, and linear prediction.

librosa is imported when the first recording is processed.
"""

import numpy as np

_WINDOW = 0.064  # Seconds of a window of the transform: some periods of a low voice.
_BOUNDARY = 4800.0  # Hz up to which frequencies are scaled; above, they are mapped linearly up to the highest one.
_MOST = 3.0  # Natural logarithm of the greatest change of amplitude by a warping.


def shift_pitch(samples: np.ndarray, rate: int, semitones: float) -> np.ndarray:
    """Move pitch and formants together; the duration stays.

    Args:
        samples: ``(..., samples)`` in [-1, 1].
        rate: Hz.
        semitones: 12 double every frequency, -12 halve it.

    Returns:
        float32 of the same shape.
    """
    import librosa

    size = _window_size(samples.shape[-1], rate)
    return librosa.effects.pitch_shift(samples, sr=rate, n_steps=semitones, n_fft=size).astype(np.float32)


def warp_formants(samples: np.ndarray, rate: int, factor: float) -> np.ndarray:
    """Move the formants and leave the pitch and the duration, by a warped spectral envelope.

    The envelope of every window is that of linear prediction of order ``2 + rate / 1000``. The amplitude at each
    frequency is multiplied by warped over unwarped envelope, and the phase is kept.

    Args:
        samples: ``(..., samples)`` in [-1, 1].
        rate: Hz.
        factor: above 1 for higher formants, as of a shorter vocal tract; VTLP draws from 0.9 to 1.1.

    Returns:
        float32 of the same shape.
    """
    import librosa

    size = _window_size(samples.shape[-1], rate)
    spectrum = librosa.stft(samples, n_fft=size)
    envelope = _log_envelope(samples, size, min(2 + round(rate / 1000), size // 4))
    frequencies = librosa.fft_frequencies(sr=rate, n_fft=size)
    moved = warp_frequencies(frequencies, rate, factor)
    warped = np.apply_along_axis(lambda column: np.interp(frequencies, moved, column), -2, envelope)
    gain = np.exp(np.clip(warped - envelope, -_MOST, _MOST))
    return librosa.istft(spectrum * gain, n_fft=size, length=samples.shape[-1]).astype(np.float32)


def warp_frequencies(frequencies: np.ndarray, rate: int, factor: float) -> np.ndarray:
    """Return where VTLP moves frequencies, in Hz: multiplied by ``factor``, and linearly to the highest one above.

    With S the rate, F the boundary and α the factor (Jaitly & Hinton 2013)::

        G(f) = α f                                                          if f <= F min(α, 1) / α
               S/2 - (S/2 - F min(α, 1)) / (S/2 - F min(α, 1) / α) (S/2 - f)    otherwise
    """
    highest = rate / 2
    above = min(_BOUNDARY, 0.6 * highest) * min(factor, 1.0)
    slope = (highest - above) / (highest - above / factor)
    return np.where(frequencies <= above / factor, factor * frequencies, highest - slope * (highest - frequencies))


def _log_envelope(samples: np.ndarray, size: int, order: int) -> np.ndarray:
    """Return the log amplitude of linear prediction filters, ``(..., bins, frames)``, in the frames of librosa.stft."""
    import librosa

    padded = np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(size // 2, size // 2)])
    frames = librosa.util.frame(padded, frame_length=size, hop_length=size // 4)
    windowed = frames * np.hanning(size)[:, np.newaxis]
    filters = librosa.lpc(windowed, order=order, axis=-2)
    return -np.log(np.maximum(np.abs(np.fft.rfft(filters, size, axis=-2)), 1e-6))


def _window_size(samples: int, rate: int) -> int:
    """Return the power of two that is next above the window, and no more than there are samples."""
    return min(1 << (round(_WINDOW * rate) - 1).bit_length(), max(8, 1 << (max(samples, 1).bit_length() - 1)))
