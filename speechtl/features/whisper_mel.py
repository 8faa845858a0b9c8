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
from speechtl.features.filters import (
    WHISPER_FLOOR,
    WHISPER_RANGE,
    WHISPER_SHIFT,
    WHISPER_WINDOW,
    slaney_filters,
    whisper_window,
)


@functools.lru_cache(maxsize=8)
def whisper_extractor(config: FeatureConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the compiled function ``(batch, samples) -> (batch, frames, bins)``, traced once for all lengths.

    Samples are in the 16-bit integer range; every row is a complete signal, of which the dynamic range is counted.
    """
    filters = slaney_filters(config.sample_rate, WHISPER_WINDOW, config.num_mel_bins)
    window = whisper_window(WHISPER_WINDOW)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)], autograph=False)
    def extract(signal: tf.Tensor) -> tf.Tensor:
        count = tf.shape(signal)[1] // WHISPER_SHIFT
        padded = tf.pad(signal / 32768.0, [[0, 0], [0, WHISPER_WINDOW]])
        half = WHISPER_WINDOW // 2
        padded = tf.concat([tf.reverse(padded[:, 1 : half + 1], [1]), padded], axis=1)
        frames = tf.signal.frame(padded, WHISPER_WINDOW, WHISPER_SHIFT)[:, :count] * window
        spectrum = tf.signal.rfft(frames)
        power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
        mel = tf.matmul(tf.reshape(power, (-1, WHISPER_WINDOW // 2 + 1)), tf.constant(filters, tf.float32))
        logs = tf.math.log(tf.maximum(mel, WHISPER_FLOOR)) / np.log(10.0)
        logs = tf.reshape(logs, (tf.shape(signal)[0], count, config.num_mel_bins))
        loudest = tf.reduce_max(logs, axis=(1, 2), keepdims=True)
        return (tf.maximum(logs, loudest - WHISPER_RANGE) + 4.0) / 4.0

    return extract
