"""The log mel spectrogram that Whisper models read (Radford et al. 2023), in TensorFlow.

Frames of 400 samples every 160, frame k centred on sample 160 k: the signal is mirrored at its start and continued by
zeros, as if it were the beginning of Whisper's window of 30 seconds. Power spectrum, Slaney's mel filters, log10 with a
dynamic range of 80 dB below the loudest value of the utterance, then ``(x + 4) / 4``.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from speechtl.features.config import FeatureConfig

_WINDOW, _SHIFT = 400, 160
# Of the power, before the logarithm; and of the logarithm, below the maximum.
_FLOOR, _RANGE = 1e-10, 8.0


@functools.lru_cache(maxsize=8)
def whisper_extractor(config: FeatureConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the compiled function ``(batch, samples) -> (batch, frames, bins)``, traced once for all lengths.

    Samples are in the 16-bit integer range; every row is a complete signal, of which the dynamic range is counted.
    """
    # Only here: librosa takes seconds to load.
    import librosa

    filters = librosa.filters.mel(sr=config.sample_rate, n_fft=_WINDOW, n_mels=config.num_mel_bins).T
    # The last sample of the period is left out, as in torch.hann_window.
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)], autograph=False)
    def extract(signal: tf.Tensor) -> tf.Tensor:
        count = tf.shape(signal)[1] // _SHIFT
        padded = tf.pad(signal / 32768.0, [[0, 0], [0, _WINDOW]])
        half = _WINDOW // 2
        padded = tf.concat([tf.reverse(padded[:, 1 : half + 1], [1]), padded], axis=1)
        frames = tf.signal.frame(padded, _WINDOW, _SHIFT)[:, :count] * window
        spectrum = tf.signal.rfft(frames)
        power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
        mel = tf.matmul(tf.reshape(power, (-1, _WINDOW // 2 + 1)), tf.constant(filters, tf.float32))
        logs = tf.math.log(tf.maximum(mel, _FLOOR)) / np.log(10.0)
        logs = tf.reshape(logs, (tf.shape(signal)[0], count, config.num_mel_bins))
        loudest = tf.reduce_max(logs, axis=(1, 2), keepdims=True)
        return (tf.maximum(logs, loudest - _RANGE) + 4.0) / 4.0

    return extract
