"""Features from audio inside ``tf.data``, for corpora whose features are too large to be stored.

Everything is a TensorFlow operation: tensorflow-io decodes, `fbank` computes. No Python code runs per utterance, so the
pipeline can run on the workers of the tf.data service (each of which must import tensorflow_io first). For a corpus on
a local disk, stored features are faster.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from speechtl.data.datadir import DataDir, Utterance
from speechtl.errors import DataError, list_problems
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute
from speechtl.features.repair_in_graph import fill_digital_silence, one_channel

_SUFFIXES = (".wav", ".flac", ".ogg")
# A WAV file of two samples, to check whether the operations can be loaded.
_PROBE = b"RIFF(\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80>\0\0\0}\0\0\x02\0\x10\0data\x04\0\0\0\0\0\0\0"


def features_dataset(
    data_dir: DataDir, config: FeatureConfig, *, parallel_calls: int = tf.data.AUTOTUNE
) -> tf.data.Dataset:
    """Read and compute the features of all utterances of a data directory on the fly.

    They equal stored features within float32 rounding for audio at ``config.sample_rate``. Audio at another rate or
    speed is resampled in the frequency domain, with differences near the band edge: see `_resample`.

    A damaged file stops the pipeline with an error that does not name the utterance: run ``speechtl data validate
    --decode`` first, or append ``.ignore_errors()``.

    Args:
        data_dir: utterances with WAV, FLAC or OGG Vorbis files.
        config: the features to compute.
        parallel_calls: number of utterances computed in parallel.

    Returns:
        Elements ``{"id": string scalar, "features": float32 (frames, bins)}``, in the order of the utterance ids.

    Raises:
        DataError: tensorflow-io is missing or incompatible with TensorFlow; or audio of other formats (all listed).
    """
    utterances = data_dir.utterances()
    require_decodable(utterances)
    table = {
        "id": [utterance.id for utterance in utterances],
        "audio": [utterance.audio for utterance in utterances],
        "start": np.array([utterance.start or 0.0 for utterance in utterances], np.float64),
        "end": np.array([np.inf if utterance.end is None else utterance.end for utterance in utterances], np.float64),
        "speed": np.array([utterance.speed for utterance in utterances], np.float64),
        "side": sides(utterances),
    }

    @tf.autograph.experimental.do_not_convert  # Nothing needs to be converted, and trying takes seconds.
    def element(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        signal = waveform_in_graph(row["audio"], row["start"], row["end"], row["speed"], row["side"], config)
        return {"id": row["id"], "features": compute(signal, config)}

    return tf.data.Dataset.from_tensor_slices(table).map(element, num_parallel_calls=parallel_calls)


def sides(utterances: Sequence[Utterance]) -> np.ndarray:
    """Return int32 ``(utterances,)``: the channels that the data directory names, -1 where it names none."""
    return np.array([-1 if one.channel is None else one.channel for one in utterances], np.int32)


def require_decodable(utterances: Sequence[Utterance]) -> None:
    """Check that tensorflow-io works and can decode the audio of all utterances.

    Raises:
        DataError: it is missing or incompatible with TensorFlow; or audio of other formats (all listed).
    """
    audio_operations()
    problems = [
        f"utterance '{utterance.id}': '{utterance.audio}' cannot be decoded in a graph (expected a path ending in "
        f"{', '.join(_SUFFIXES)})"
        for utterance in utterances
        if not utterance.audio.lower().endswith(_SUFFIXES)
    ]
    if problems:
        raise DataError(list_problems("use stored features (speechtl features) instead", problems))


def waveform_in_graph(
    path: tf.Tensor, start: tf.Tensor, end: tf.Tensor, speed: tf.Tensor, side: tf.Tensor, config: FeatureConfig
) -> tf.Tensor:
    """Read a segment of a WAV, FLAC or OGG Vorbis file with TensorFlow operations only.

    Args:
        path: string scalar.
        start: float64 scalar, seconds of the stored audio.
        end: float64 scalar, likewise; infinity for the end.
        speed: float64 scalar, speed factor.
        side: int32 scalar, the channel that the data directory names; -1 where it names none.
        config: contains the sample rate and the channel.

    Returns:
        float32 ``(samples,)`` at ``config.sample_rate`` in the range of 16-bit integers, checked and repaired as for
        stored features.
    """
    samples, rate = _decode(tf.io.read_file(path))
    exact_rate = tf.cast(rate, tf.float64)
    total = tf.cast(tf.shape(samples)[0], tf.float64)
    # Rounded half to even, as for stored features.
    first = tf.cast(tf.round(start * exact_rate), tf.int32)
    last = tf.cast(tf.round(tf.minimum(end * exact_rate, total)), tf.int32)
    tf.debugging.Assert(first < last, [path, "no audio from second", start])
    signal = one_channel(samples[first:last], config.channel, side, path)
    # Speeding up by a factor is equivalent to a stored sample rate that is higher by that factor.
    claimed = tf.cast(tf.round(exact_rate * speed), tf.int32)
    signal = tf.cond(
        tf.equal(claimed, config.sample_rate), lambda: signal, lambda: _resample(signal, claimed, config.sample_rate)
    )
    return tf.ensure_shape(fill_digital_silence(signal * 32768.0, config.sample_rate), [None])


def _resample(signal: tf.Tensor, rate: tf.Tensor, target: int) -> tf.Tensor:
    """Resample ``(samples,)`` by truncating or extending its spectrum, with the band edge of soxr's "HQ" filter.

    The resampling operation of tensorflow-io has such a short filter that log energies are off by 0.15 in the median
    and by several units in the worst case; here the difference from soxr is below 0.01 except at the band edge.
    """
    # A whole number of seconds has a whole number of samples at both rates; at least half a second of zero padding
    # keeps the end of the signal from ringing into its beginning.
    seconds = (tf.shape(signal)[0] + rate // 2) // rate + 1
    spectrum = tf.signal.rfft(signal, [seconds * rate])
    length = seconds * target
    kept = tf.minimum(tf.shape(spectrum)[0], length // 2 + 1)
    frequency = tf.range(tf.cast(kept, tf.float32)) / tf.cast(kept, tf.float32)  # 1 is the lower Nyquist frequency.
    # Measured on soxr 1.1: an error function around 0.957 that is within 0.003 of its response.
    response = 0.5 * tf.math.erfc((frequency - 0.95685) / 0.0165) * target / tf.cast(rate, tf.float32)
    spectrum = spectrum[:kept] * tf.cast(response, tf.complex64)
    # In float64, because 32-bit integers overflow after three seconds.
    samples = tf.cast(tf.shape(signal)[0], tf.float64) * target / tf.cast(rate, tf.float64)
    return tf.signal.irfft(spectrum, [length])[: tf.cast(tf.round(samples), tf.int32)]


def audio_operations() -> Any:
    """Return ``tensorflow_io.audio`` after checking that its operations can be loaded.

    Raises:
        DataError: tensorflow-io is missing, or is built for another TensorFlow.
    """
    advice = (
        "install tensorflow-io==0.37.1 with tensorflow 2.16 or 2.17 (Python 3.12 or older, not Windows), or use stored "
        f"features (got tensorflow {tf.__version__})"
    )
    try:
        import tensorflow_io
    except ImportError as error:
        raise DataError(f"decoding audio in a graph needs tensorflow-io: {error}; {advice}") from error
    try:
        # An incompatible version imports with a warning only, and fails at its first operation.
        tensorflow_io.audio.decode_wav(_PROBE, dtype=tf.int16)
    except (NotImplementedError, AttributeError, tf.errors.OpError) as error:
        raise DataError(f"the operations of tensorflow-io do not load; {advice}") from error
    return tensorflow_io.audio


def _decode(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode a file to float32 ``(samples, channels)`` in [-1, 1], and return its sample rate, an int32 scalar.

    The operations need the sample type as an argument and do not return the rate, so the header is parsed here.
    """
    mark = tf.strings.substr(content, 0, 4)
    return tf.case(
        [
            (tf.equal(mark, b"fLaC"), lambda: _decode_flac(content)),
            (tf.equal(mark, b"RIFF"), lambda: _decode_wav(content)),
        ],
        default=lambda: _decode_ogg(content),
    )


def _decode_flac(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # STREAMINFO always comes first: 20 bits of rate from byte 18 on, 3 of channels, 5 of bits per sample less one.
    byte = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 18, 4), tf.uint8), tf.int32)
    rate = byte[0] * 4096 + byte[1] * 16 + byte[2] // 16
    bits = (byte[2] % 2) * 16 + byte[3] // 16 + 1
    return _integers(audio_operations().decode_flac, content, bits, eight_bits=tf.uint8), rate


def _decode_wav(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    def number(offset: tf.Tensor, size: int) -> tf.Tensor:
        kind = {2: tf.uint16, 4: tf.int32}[size]
        return tf.cast(tf.io.decode_raw(tf.strings.substr(content, offset, size), kind)[0], tf.int32)

    # Other chunks may precede the format chunk; chunks of odd length are padded by a byte.
    offset = tf.while_loop(
        lambda at: tf.not_equal(tf.strings.substr(content, at, 4), b"fmt "),
        lambda at: (at + 8 + number(at + 4, 4) + number(at + 4, 4) % 2,),
        (tf.constant(12),),
    )[0]
    rate, bits = number(offset + 12, 4), number(offset + 22, 2)
    # Format 3 is floating point; the extensible format 0xFFFE contains the actual one later.
    kind = number(offset + 8, 2)
    kind = tf.cond(tf.equal(kind, 0xFFFE), lambda: number(offset + 32, 2), lambda: kind)
    # The operation misinterprets 32-bit integers as floating point.
    tf.debugging.Assert(
        tf.equal(kind, 3) | (tf.equal(kind, 1) & (bits <= 24)),
        ["WAV sample format not supported in a graph", kind, bits],
    )
    decode = audio_operations().decode_wav
    samples = tf.cond(
        tf.equal(kind, 3),
        lambda: decode(content, dtype=tf.float32),
        lambda: _integers(decode, content, bits, eight_bits=tf.uint8),
    )
    return samples, rate


def _decode_ogg(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # The identification header fills the first page, with the rate at byte 40.
    rate = tf.io.decode_raw(tf.strings.substr(content, 40, 4), tf.int32)[0]
    return audio_operations().decode_vorbis(content), rate


def _integers(decode: Any, content: tf.Tensor, bits: tf.Tensor, eight_bits: tf.DType) -> tf.Tensor:
    """Decode integer samples of 8, 16 or more bits to [-1, 1]; 24 bits are returned in the upper part of 32."""

    def eight() -> tf.Tensor:
        return (tf.cast(decode(content, dtype=eight_bits), tf.float32) - 128.0) / 128.0

    def sixteen() -> tf.Tensor:
        return tf.cast(decode(content, dtype=tf.int16), tf.float32) / 32768.0

    def more() -> tf.Tensor:
        return tf.cast(tf.cast(decode(content, dtype=tf.int32), tf.float64) / 2147483648.0, tf.float32)

    return tf.case([(tf.equal(bits, 8), eight), (tf.equal(bits, 16), sixteen)], default=more)
