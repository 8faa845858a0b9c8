"""Kaldi's log mel filter bank energies and MFCC in TensorFlow.

The same graph serves stored features, features computed inside ``tf.data`` and exported models. It agrees with Kaldi's
``compute-fbank-feats`` and ``compute-mfcc-feats`` (dither off) within 1e-3, except at the limits of float32: for a
filter with less than a billionth of the energy of its frame, both are off by a few thousandths.

Steps, for each frame (Povey et al., "The Kaldi speech recognition toolkit", 2011; HTK Book, chapter 5): remove the
mean, pre-emphasise, window, pad to a power of two, power spectrum, triangular mel filters, log; for MFCC also a
discrete cosine transform and liftering.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from speechtl.features import filters
from speechtl.features.config import FeatureConfig
from speechtl.features.filters import FLOOR, margins, mirror
from speechtl.features.waveform_frames import waveform_extractor
from speechtl.features.whisper_mel import whisper_extractor

# Frames that are computed together: few enough for their spectra to stay in the processor's cache, enough to outweigh
# the overhead of dispatch (measured: 256 to 1024 are equally fast, thousands at once are a third slower).
_PIECE = 512


def compute(waveform: tf.Tensor | np.ndarray, config: FeatureConfig) -> tf.Tensor:
    """Compute the features that ``config.kind`` names.

    Args:
        waveform: float32 ``(samples,)`` or ``(batch, samples)`` at ``config.sample_rate``, in the 16-bit integer range.
        config: the features to compute.

    Returns:
        float32 ``(frames, bins)`` or ``(batch, frames, bins)``; ``config.num_frames(samples)`` frames, which is 0 for a
        signal shorter than one frame.
    """
    waveform = tf.convert_to_tensor(waveform, tf.float32)
    of_kind = {"whisper": whisper_extractor, "waveform": waveform_extractor}.get(config.kind)
    extract = _extractor(config, True) if of_kind is None else of_kind(config)
    if waveform.shape.rank == 1:
        return extract(waveform[tf.newaxis])[0]
    return extract(waveform)


def fbank(waveform: tf.Tensor | np.ndarray, config: FeatureConfig) -> tf.Tensor:
    """Compute log mel filter bank energies; see `compute`."""
    return compute(waveform, config if config.kind == "fbank" else config.model_copy(update={"kind": "fbank"}))


def mfcc(waveform: tf.Tensor | np.ndarray, config: FeatureConfig) -> tf.Tensor:
    """Compute mel-frequency cepstral coefficients; see `compute`."""
    return compute(waveform, config if config.kind == "mfcc" else config.model_copy(update={"kind": "mfcc"}))


def compute_many(waveforms: Sequence[np.ndarray], config: FeatureConfig) -> list[np.ndarray]:
    """Compute the features of many signals with few calls of TensorFlow.

    The signals are concatenated, each at a multiple of the frame shift, and computed in one pass; frames that straddle
    two signals are discarded. The overhead is therefore small even for short signals.

    Args:
        waveforms: float32 ``(samples,)`` each, as for `compute`.
        config: the features to compute.

    Returns:
        float32 ``(frames, bins)`` for each signal, equal to the result of `compute`.
    """
    # Noise must not depend on which signals are computed together; Whisper's range and the variance of a waveform are
    # those of the whole signal.
    if config.dither or config.kind in ("whisper", "waveform"):
        return [compute(waveform, config).numpy() for waveform in waveforms]
    shift, length = config.frame_shift, config.frame_length
    counts = [config.num_frames(len(waveform)) for waveform in waveforms]
    # A signal occupies the shifts in which its frames start, and those that its last frame extends into.
    tail = -(-length // shift) - 1
    starts = np.cumsum([0] + [count + tail if count else 0 for count in counts])
    total = int(starts[-1])
    if not total:
        return [np.zeros((0, config.dimension), np.float32) for _ in waveforms]
    pieces = -(-total // _PIECE)
    piece = -(-total // pieces)  # All pieces equally long, with little padding after the last signal.
    signal = np.zeros((pieces * piece - 1) * shift + length, np.float32)
    for waveform, start, count in zip(waveforms, starts, counts):
        if count:
            padded = waveform if config.snip_edges else mirror(waveform, count, config)
            used = (count - 1) * shift + length
            signal[start * shift : start * shift + used] = padded[:used]
    rows = np.lib.stride_tricks.sliding_window_view(signal, (piece - 1) * shift + length)[:: piece * shift]
    features = _extractor(config, False)(np.ascontiguousarray(rows)).numpy().reshape(-1, config.dimension)
    return [features[start : start + count] for start, count in zip(starts, counts)]


@functools.lru_cache(maxsize=32)
def _extractor(config: FeatureConfig, whole: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the compiled function ``(batch, samples) -> (batch, frames, bins)``; it is traced once for all lengths.

    Args:
        config: the features to compute.
        whole: whether each row is a complete signal, whose ends may have to be mirrored, or a piece to be framed
            without padding.
    """
    window = filters.window(config)
    padded_length = filters.padded_length(config)
    mel = filters.mel_filters(config)
    cosines = filters.lifted_cosines(config)

    def extract(signal: tf.Tensor) -> tf.Tensor:
        if whole and not config.snip_edges:
            signal = _mirror_in_graph(signal, config)
        frames = tf.signal.frame(signal, config.frame_length, config.frame_shift)
        if config.dither:
            frames += config.dither * tf.random.stateless_normal(tf.shape(frames), seed=(20111211, 0))
        frames -= tf.reduce_mean(frames, axis=-1, keepdims=True)
        if config.use_energy:
            energy = tf.math.log(tf.maximum(tf.reduce_sum(tf.square(frames), axis=-1, keepdims=True), FLOOR))
        # The first sample of a frame has no predecessor: Kaldi uses the sample itself.
        previous = tf.concat([frames[..., :1], frames[..., :-1]], axis=-1)
        frames = (frames - config.preemphasis * previous) * window
        spectrum = tf.signal.rfft(frames, [padded_length])
        power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
        # Flattened, because a product of two matrices is faster than a batched one.
        flat = tf.reshape(power, [-1, padded_length // 2 + 1])
        result = tf.math.log(tf.maximum(tf.matmul(flat, mel), FLOOR))
        if config.kind == "mfcc":
            result = tf.matmul(result, cosines)
        result = tf.reshape(result, tf.concat([tf.shape(frames)[:-1], [result.shape[-1]]], axis=0))
        if config.use_energy:
            result = tf.concat([energy, result[..., 1:] if config.kind == "mfcc" else result], axis=-1)
        return result

    def extract_pieces(rows: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(extract, rows, parallel_iterations=1)

    # jit_compile would recompile for every length.
    function = extract if whole else extract_pieces
    return tf.function(function, input_signature=[tf.TensorSpec([None, None], tf.float32)], autograph=False)


def _mirror_in_graph(signal: tf.Tensor, config: FeatureConfig) -> tf.Tensor:
    """Do what `_mirror` does for ``(batch, samples)`` in the graph."""
    samples = tf.shape(signal)[-1]
    count = (samples + config.frame_shift // 2) // config.frame_shift
    left, right = margins(samples, count, config)
    positions = tf.range(-left, tf.where(count > 0, samples + right, -left))
    # Repeated mirroring at both ends: periodic with twice the length.
    phase = tf.math.floormod(positions, tf.maximum(2 * samples, 1))
    return tf.gather(signal, tf.minimum(phase, 2 * samples - 1 - phase), axis=-1)
