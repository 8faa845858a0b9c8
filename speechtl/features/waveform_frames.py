"""The waveform itself, cut into frames, for encoders that learn their own filters (wav2vec 2.0 and its kin).

Frames of 400 samples every 320: frame k has the samples that the k-th output of wav2vec 2.0's convolutions depends on.
They overlap, so the signal can be put together again from them (`speechtl.models.wav2vec2_stem`). Samples are scaled to
[-1, 1]; with ``unit_variance`` every utterance is then brought to zero mean and unit variance, as the
``Wav2Vec2FeatureExtractor`` of transformers does.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from speechtl.audio.waveform import FULL_SCALE
from speechtl.features.config import FeatureConfig
from speechtl.features.filters import VARIANCE_FLOOR


@functools.lru_cache(maxsize=8)
def waveform_extractor(config: FeatureConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the compiled function ``(batch, samples) -> (batch, frames, frame length)``, traced once for all lengths.

    Samples are in the 16-bit integer range; every row is a complete signal, of which mean and variance are taken.
    """

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)], autograph=False)
    def extract(signal: tf.Tensor) -> tf.Tensor:
        signal = signal / FULL_SCALE
        if config.unit_variance:
            signal -= tf.reduce_mean(signal, axis=1, keepdims=True)
            variance = tf.reduce_mean(tf.square(signal), axis=1, keepdims=True)
            signal *= tf.math.rsqrt(variance + VARIANCE_FLOOR)
        return tf.signal.frame(signal, config.frame_length, config.frame_shift)

    return extract


def join_frames(frames: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Return the signal ``(samples,)`` that frames ``(frames, frame length)`` were cut from, in the 16-bit range.

    Of a signal that was brought to unit variance, the level is that of a standard deviation of 32768.
    """
    if not len(frames):
        return np.zeros(0, np.float32)
    return FULL_SCALE * np.concatenate([frames[:, : config.frame_shift].ravel(), frames[-1, config.frame_shift :]])
