"""The repairs of audio (`speechtl.audio.one_channel`, `speechtl.audio.digital_silence`) as TensorFlow operations.

What is repaired in a graph cannot be counted and said; ``speechtl data validate --decode`` says it.
"""

import tensorflow as tf

from speechtl.audio.digital_silence import BELOW_LOUD, MOST_DEVIATION, QUIETEST, noise_table
from speechtl.audio.one_channel import CANCELS, INTEGERS, LEAST_OFFSET
from speechtl.audio.voice_activity import ABOVE_DITHER, DIGITAL_SILENCE, DITHER, FRAMES_PER_SECOND, SPEECH


def one_channel(samples: tf.Tensor, channel: str | int, of_several: tf.Tensor, path: tf.Tensor) -> tf.Tensor:
    """Reduce ``(samples, channels)`` in [-1, 1] to one checked and repaired channel ``(samples,)``.

    Args:
        samples: as they are stored.
        channel: of the features.
        of_several: int32 scalar: takes its place where there are several channels, unless it is negative.
        path: for the errors.
    """
    tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(samples)), [path, "samples that are not numbers"])
    samples = tf.where(tf.reduce_max(tf.abs(samples)) > INTEGERS, samples / 32768.0, samples)
    count = tf.shape(samples)[1]
    number = tf.constant(-1 if channel == "mix" else 0 if channel == "first" else int(channel), tf.int32)
    number = tf.where((of_several >= 0) & (count > 1), of_several, number)
    tf.debugging.Assert(number < count, [path, "no channel", number])
    signal = tf.cond(number < 0, lambda: _mix(samples), lambda: samples[:, number])
    offset = tf.reduce_mean(tf.cast(signal, tf.float64))
    return signal - tf.where(tf.abs(offset) < LEAST_OFFSET, 0.0, tf.cast(offset, tf.float32))


def _mix(samples: tf.Tensor) -> tf.Tensor:
    mixed = tf.reduce_mean(samples, axis=1)
    powers = tf.math.reduce_variance(tf.cast(samples, tf.float64), axis=0)
    power = tf.math.reduce_variance(tf.cast(mixed, tf.float64))
    count = tf.cast(tf.shape(samples)[1], tf.float64)
    cancelled = (count > 1) & (power < CANCELS * tf.reduce_sum(powers) / count**2)
    return tf.cond(cancelled, lambda: samples[:, tf.argmax(powers)], lambda: mixed)


def fill_digital_silence(samples: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Do what `speechtl.audio.digital_silence.fill_digital_silence` does for ``(samples,)``."""
    step = max(sample_rate // FRAMES_PER_SECOND, 1)
    length = tf.shape(samples)[0]
    count = -(-length // step)
    blocks = tf.reshape(tf.pad(samples, [[0, count * step - length]]), [count, step])
    emphasised = samples - 0.97 * tf.concat([samples[:1], samples[:-1]], axis=0)
    emphasised = tf.reshape(tf.pad(emphasised, [[0, count * step - length]]), [count, step])
    rest = tf.cast(length - (count - 1) * step, tf.float32)
    sizes = tf.concat([tf.fill([count - 1], float(step)), [rest]], axis=0)
    power = tf.reduce_sum(tf.square(emphasised), axis=1) / sizes
    levels = 10.0 / tf.math.log(10.0) * tf.math.log(tf.maximum(power, 1.0))
    heard = tf.boolean_mask(levels, levels > DITHER)
    loud = (tf.size(heard) > 0) & (_percentile(heard, SPEECH) >= DITHER + ABOVE_DITHER)
    silent = levels <= tf.where(loud, DITHER, DIGITAL_SILENCE)
    deviations = tf.math.reduce_std(blocks, axis=1)
    most = tf.minimum(_percentile(deviations, SPEECH) / BELOW_LOUD, MOST_DEVIATION)
    silent &= deviations <= most
    loudness = tf.boolean_mask(tf.sqrt(tf.reduce_mean(tf.square(blocks), axis=1)), ~silent)
    least = tf.where((most > 0.0) & (tf.size(loudness) > 0), tf.minimum(most, 1.0), 1.0)
    deviation = tf.maximum(_percentile(loudness, QUIETEST), least)
    table = tf.constant(noise_table())
    noise = tf.reshape(tf.gather(table, tf.range(count * step) % tf.size(table)), [count, step]) * deviation
    return tf.reshape(tf.where(silent[:, tf.newaxis], noise, blocks), [-1])[:length]


def _percentile(values: tf.Tensor, percent: float) -> tf.Tensor:
    """Return a percentile, linearly interpolated as NumPy's; 0 of nothing."""
    ordered = tf.concat([tf.sort(values), tf.zeros([tf.cast(tf.size(values) == 0, tf.int32)])], axis=0)
    place = percent / 100.0 * tf.cast(tf.size(ordered) - 1, tf.float32)
    below = tf.cast(tf.floor(place), tf.int32)
    above = tf.minimum(below + 1, tf.size(ordered) - 1)
    return ordered[below] + (place - tf.floor(place)) * (ordered[above] - ordered[below])
