"""SpecAugment as a pure function of the features and some random numbers."""

import numpy as np
import tensorflow as tf

from speechtl.batches.config import AugmentationConfig


def draw(config: AugmentationConfig, seed: tuple[int, ...]) -> np.ndarray:
    """Draw what one utterance's masks need.

    The same seed gives the same masks in any batch, on any replica and after any resume.

    Returns:
        ``(masks, 2)`` float32 in [0, 1): relative width and position, frequency masks first.
    """
    masks = config.frequency_masks + config.time_masks
    return np.random.default_rng(seed).random((masks, 2), dtype=np.float32)


def spec_augment(features: tf.Tensor, lengths: tf.Tensor, draws: tf.Tensor, config: AugmentationConfig) -> tf.Tensor:
    """Set bands of bins and stretches of frames to zero.

    Args:
        features: ``(batch, frames, bins)``, normalised, so that zero is the mean.
        lengths: ``(batch,)`` valid frames.
        draws: ``(batch, masks, 2)`` from `draw`.
        config: how many masks, and how wide at most.
    """
    frames, bins = tf.shape(features)[1], features.shape[2]
    split = config.frequency_masks
    widest = tf.minimum(float(config.time_width), tf.cast(lengths, tf.float32) * config.time_fraction)
    kept_bins = _outside(draws[:, :split], float(config.frequency_width), float(bins), bins)
    kept_frames = _outside(draws[:, split:], widest[:, tf.newaxis], tf.cast(lengths, tf.float32)[:, tf.newaxis], frames)
    return features * kept_bins[:, tf.newaxis, :] * kept_frames[:, :, tf.newaxis]


def _outside(draws, widest, extent, size) -> tf.Tensor:
    """Return ``(batch, size)``, 0 inside any of the masks and 1 outside."""
    # Widths 0, 1, ..., widest are equally likely, as are all positions at which the mask fits.
    width = tf.minimum(tf.floor(draws[..., 0] * (widest + 1.0)), extent)
    start = tf.floor(draws[..., 1] * (extent - width + 1.0))
    position = tf.range(size, dtype=tf.float32)
    inside = (position >= start[..., tf.newaxis]) & (position < (start + width)[..., tf.newaxis])
    return 1.0 - tf.cast(tf.reduce_any(inside, axis=1), tf.float32)
