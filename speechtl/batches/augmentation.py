"""Noise and SpecAugment as pure functions of the features and some random numbers."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from speechtl.batches.config import AugmentationConfig

# Pairs of random numbers per utterance for noise.
_NOISE = 3
# Assumed standard deviation of the log mel energies of speech, in nats.
_NATS = 2.5
# Variation of steady noise over frames and bins, in standard deviations of the features.
_FLUTTER = 0.35


def numbers(config: AugmentationConfig | None) -> int:
    """Return the number of pairs of random numbers per utterance."""
    if config is None:
        return 0
    return config.frequency_masks + config.time_masks + (_NOISE if config.noise else 0)


def draw(config: AugmentationConfig, seed: tuple[int, ...]) -> np.ndarray:
    """Draw the random numbers for the masks and noise of one utterance.

    The same seed gives the same masks in any batch, on any replica and after any resume.

    Returns:
        ``(numbers, 2)`` float32 in [0, 1): relative width and position of masks, frequency masks first; then noise.
    """
    return np.random.default_rng(seed).random((numbers(config), 2), dtype=np.float32)


def augment(
    features: tf.Tensor,
    lengths: tf.Tensor,
    draws: tf.Tensor,
    config: AugmentationConfig,
    sizes: Sequence[int] = (),
) -> tf.Tensor:
    """Add noise, then mask.

    Args:
        features: ``(batch, frames, bins)``, normalised; or outputs of blocks, side by side.
        lengths: ``(batch,)`` valid frames.
        draws: ``(batch, numbers, 2)`` from `draw`.
        config: settings.
        sizes: of these blocks, which are masked at the same places; none for features.
    """
    if config.noise:
        features = add_noise(features, lengths, draws[:, -_NOISE:], config)
    if len(sizes) > 1:
        parts = tf.split(features, list(sizes), axis=-1)
        return tf.concat([spec_augment(part, lengths, draws, config) for part in parts], axis=-1)
    return spec_augment(features, lengths, draws, config)


def add_noise(features: tf.Tensor, lengths: tf.Tensor, draws: tf.Tensor, config: AugmentationConfig) -> tf.Tensor:
    """Add the energies of noise to those of some utterances: ``log(e^speech + e^noise)``.

    Energies are additive except for phase. The features are normalised and their standard deviation in nats is unknown
    here, so a typical value is assumed.

    Args:
        features: ``(batch, frames, bins)``, normalised log energies.
        lengths: ``(batch,)`` valid frames.
        draws: ``(batch, 3, 2)``: presence and type of noise, its level and delay, its spectral tilt and variation.
        config: the fraction of utterances, and levels.
    """
    low, high = config.noise_level
    share, kind, level, delay, tilt, flutter = (
        draws[:, row, column, tf.newaxis, tf.newaxis] for row in range(_NOISE) for column in range(2)
    )
    frames = tf.shape(features)[1]
    seed = tf.cast(tf.stack([flutter[0, 0, 0], delay[0, 0, 0]]) * 2.0**30, tf.int32)
    slope = (2.0 * tilt - 1.0) * tf.linspace(-1.0, 1.0, features.shape[2])
    steady = slope + _FLUTTER * tf.random.stateless_normal(tf.shape(features), seed)
    # Another utterance, repeated, from a random position on.
    other, spoken = tf.roll(features, 1, axis=0), tf.maximum(tf.roll(lengths, 1, axis=0), 1)
    start = tf.cast(delay[:, 0] * tf.cast(spoken, tf.float32)[:, tf.newaxis], tf.int32)
    place = (start + tf.range(frames)) % spoken[:, tf.newaxis]
    voices = tf.gather(other, place, batch_dims=1)
    noise = tf.where(kind < 0.5, steady, voices) + low + (high - low) * level
    both = tf.reduce_logsumexp(_NATS * tf.stack([features, noise]), axis=0) / _NATS
    return tf.where(share < config.noise, both, features)


def spec_augment(features: tf.Tensor, lengths: tf.Tensor, draws: tf.Tensor, config: AugmentationConfig) -> tf.Tensor:
    """Set random bands of bins and spans of frames to zero.

    Args:
        features: ``(batch, frames, bins)``, normalised, so that the mean is zero.
        lengths: ``(batch,)`` valid frames.
        draws: ``(batch, masks or more, 2)`` from `draw`.
        config: number and maximum width of masks.
    """
    frames, bins = tf.shape(features)[1], features.shape[2]
    split, end = config.frequency_masks, config.frequency_masks + config.time_masks
    widest = tf.minimum(float(config.time_width), tf.cast(lengths, tf.float32) * config.time_fraction)
    kept_bins = _outside(draws[:, :split], float(config.frequency_width), float(bins), bins)
    kept_frames = _outside(
        draws[:, split:end], widest[:, tf.newaxis], tf.cast(lengths, tf.float32)[:, tf.newaxis], frames
    )
    return features * kept_bins[:, tf.newaxis, :] * kept_frames[:, :, tf.newaxis]


def _outside(
    draws: tf.Tensor, widest: tf.Tensor | float, extent: tf.Tensor | float, size: tf.Tensor | int
) -> tf.Tensor:
    """Return ``(batch, size)``, 0 inside any of the masks and 1 outside."""
    # Widths 0, 1, ..., widest are equally likely, and so are all positions at which the mask fits.
    width = tf.minimum(tf.floor(draws[..., 0] * (widest + 1.0)), extent)
    start = tf.floor(draws[..., 1] * (extent - width + 1.0))
    position = tf.range(size, dtype=tf.float32)
    inside = (position >= start[..., tf.newaxis]) & (position < (start + width)[..., tf.newaxis])
    return 1.0 - tf.cast(tf.reduce_any(inside, axis=1), tf.float32)
