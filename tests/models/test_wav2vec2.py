"""The parts of wav2vec 2.0 that are its own; `test_foundation_golden` compares the whole with transformers."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from speechtl.config import parse
from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.config import ExperimentConfig
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.wav2vec2 import GroupedConv
from speechtl.models.wav2vec2_config import Wav2Vec2Config
from speechtl.models.wav2vec2_stem import Wav2Vec2Stem
from speechtl.training.evaluate import forward_function

# Frames of 13 samples every 4.
TINY = {"size": 8, "blocks": 1, "heads": 2, "hidden": 12, "channels": (6, 5), "kernels": (5, 5), "strides": (2, 2)}
TINY |= {"kind": "wav2vec2", "position_kernel": 4, "position_groups": 2}
LAYER_NORM = {"stem_norm": "layer", "conv_bias": True, "pre_norm": True}
WAVLM = {"buckets": 8, "bucket_distance": 4}
DATA2VEC = {"stem_norm": "layer", "position_convs": 2, "position_norm": True}


def frames_of(signal, length=13, shift=4):
    """Return the overlapping frames ``(frames, length)`` of a signal."""
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::shift].astype(np.float32)


def randomised(weights):
    for number, variable in enumerate(weights):
        variable.assign(variable.value + 0.2 * tf.random.stateless_normal(variable.shape, [number, 1]))


@pytest.mark.parametrize("norm", [{}, LAYER_NORM], ids=["group", "layer"])
@pytest.mark.parametrize("window", [1, 2, 5, 17])
def test_the_stem_in_windows_is_the_stem_of_the_whole_signal(norm, window):
    rng = np.random.default_rng(0)
    lengths = [17, 9, 1]
    features = rng.normal(size=(3, 17, 13)).astype(np.float32)  # beyond the lengths there is noise
    for row, length in enumerate(lengths):
        features[row, :length] = frames_of(rng.normal(size=(length - 1) * 4 + 13))
    stems = [Wav2Vec2Stem(Wav2Vec2Config(**TINY | norm, window=frames), 13) for frames in (1500, window)]
    randomised(stems[0].weights)
    for ours, other in zip(stems[0].weights, stems[1].weights, strict=True):
        other.assign(ours.value)
    whole, cut = (stem(tf.constant(features), tf.constant(lengths)).numpy() for stem in stems)
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(cut[row, :length], whole[row, :length], atol=1e-5)


def test_group_normalisation_uses_the_statistics_of_the_utterance():
    rng = np.random.default_rng(1)
    config = {**TINY, "channels": (6,), "kernels": (5,), "strides": (2,)}
    stem = Wav2Vec2Stem(Wav2Vec2Config(**config), 5)
    randomised(stem.weights)
    frames = frames_of(rng.normal(size=200), 5, 2)
    outputs = stem(tf.constant(frames[np.newaxis]), tf.constant([len(frames)])).numpy()[0]
    values = frames @ stem.convs[0].kernel.numpy()
    scale, offset = stem.channel_norm.scale.numpy(), stem.channel_norm.offset.numpy()
    expected = (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + 1e-5) * scale + offset
    np.testing.assert_allclose(outputs, tf.nn.gelu(expected.astype(np.float32)), atol=1e-5)


@pytest.mark.parametrize(("kernel", "groups"), [(4, 2), (5, 1), (3, 6), (1, 3)])
def test_grouped_convolution_agrees_with_the_definition(kernel, groups):
    layer = GroupedConv(6, kernel, groups, "conv")
    randomised(layer.weights)
    x = np.random.default_rng(2).normal(size=(2, 9, 6)).astype(np.float32)
    weights, width = layer.kernel.numpy(), 6 // groups
    expected = np.zeros((2, 9, 6)) + layer.bias.numpy()
    for frame, tap, channel in itertools.product(range(9), range(kernel), range(6)):
        place, first = frame + tap - kernel // 2, channel // width * width
        if 0 <= place < 9:
            expected[:, frame, channel] += x[:, place, first : first + width] @ weights[tap, :, channel]
    np.testing.assert_allclose(layer(tf.constant(x)), expected, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{}, LAYER_NORM, WAVLM, LAYER_NORM | WAVLM, DATA2VEC],
    ids=["group", "layer", "wavlm", "wavlm_layer", "data2vec"],
)
def test_gradients_are_those_of_finite_differences(changes):
    tf.keras.utils.set_random_seed(2)
    config = ModelConfig.model_validate({"encoder": {**TINY, **changes, "window": 5}})
    model = AcousticModel(config, 13, {"xx": 4})
    variables = model.variables()
    randomised(variables.values())
    rng = np.random.default_rng(3)
    features = tf.constant(np.stack([frames_of(rng.normal(size=8 * 4 + 13)) for _ in range(2)]))
    target = tf.constant(rng.normal(size=(2, 6, 4)).astype(np.float32))

    @tf.function(autograph=False)
    def loss():
        encoded = model.encode(features, tf.constant([9, 6]))
        return tf.reduce_sum(model.logits(encoded, "xx")[:, :6] * target)

    @tf.function(autograph=False)
    def gradients():
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, [variable.value for variable in variables.values()])

    for (path, variable), gradient in zip(variables.items(), gradients(), strict=True):
        direction = rng.normal(size=variable.shape).astype(np.float32)
        direction /= np.linalg.norm(direction)
        start, values = tf.identity(variable.value), []
        for step in (0.01, -0.01):
            variable.assign(start + step * direction)
            values.append(float(loss()))
        variable.assign(start)
        slope = (values[0] - values[1]) / 0.02
        assert float(tf.reduce_sum(gradient * direction)) == pytest.approx(slope, rel=0.02, abs=0.02), path


@pytest.mark.parametrize("samples", [800, 400, 399])
def test_speech_as_short_as_a_frame(samples):
    """0.05 s, one frame, and none."""
    encoder = {**TINY, "channels": (4,) * 7, "kernels": (10, 3, 3, 3, 3, 2, 2), "strides": (5, 2, 2, 2, 2, 2, 2)}
    model = AcousticModel(ModelConfig.model_validate({"encoder": encoder}), 400, {"xx": 4})
    config = FeatureConfig(kind="waveform")
    frames = compute(np.random.default_rng(0).normal(size=samples).astype(np.float32) * 1000, config)
    longer = tf.pad(frames[tf.newaxis], [[0, 0], [0, 3], [0, 0]])
    encoded = model.encode(longer, tf.constant([frames.shape[0]]))
    assert int(encoded.lengths[encoded.last][0]) == config.num_frames(samples)
    assert np.isfinite(encoded.outputs[encoded.last]).all()
    # Alone in its batch, where no longer speech lends it frames.
    logits, lengths = forward_function(model, "xx")(frames[tf.newaxis], tf.constant([frames.shape[0]]))
    assert list(lengths.numpy()) == [config.num_frames(samples)]
    expected = model.logits(encoded, "xx")[0, : int(lengths[0])]
    np.testing.assert_allclose(logits[0, : int(lengths[0])], expected, atol=1e-5)


def test_frames_follow_from_kernels_and_strides():
    config = Wav2Vec2Config()
    assert (config.frame_length, config.frame_shift) == (400, 320)
    with pytest.raises(ModelError, match=r"read frames of 400 samples \(got 80 values a frame\)"):
        Wav2Vec2Stem(config, 80)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strides": (2,)}, "a positive number for each convolution"),
        ({"kernels": (5, 1)}, "at least as wide as its stride"),
        ({"position_groups": 3}, "multiple of position_groups 3"),
        ({"heads": 5}, "multiple of heads 5"),
        ({"stem_norm": "batch"}, "stem_norm"),
        ({"subsampling": {"factor": 2}}, "factor"),
        ({"buckets": 3}, "at least 4, or 0 for none"),
        ({"buckets": 320, "bucket_distance": 80}, "bucket_distance 80 must exceed a quarter of the 320 buckets"),
    ],
)
def test_impossible_sizes_are_config_errors(changes, message):
    with pytest.raises(ConfigError, match=message):
        parse(ModelConfig, {"encoder": {**TINY, **changes}}, "conf.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"augmentation": {"after": "norm"}}, None),
        ({"augmentation": {}}, "no bins to mask"),
        ({"augmentation": {"frequency_masks": 0, "noise": 0.5}}, "no bins to mask"),
        (
            {"features": {"kind": "waveform", "frame_shift_ms": 10}},
            r"frames of 400 samples every 320 \(got 400 every 160",
        ),
        ({"features": {"kind": "fbank"}}, r'needs features.kind = "waveform" .* \(got \'fbank\' and \'none\'\)'),
        ({"normalisation": {"kind": "speaker"}}, r"\(got 'waveform' and 'speaker'\)"),
    ],
    ids=str,
)
def test_features_must_be_what_the_encoder_reads(changes, message):
    table = {"features": {"kind": "waveform"}, "normalisation": {"kind": "none"}, "data": [{"train": "data"}]}
    table |= {"model": {"encoder": {"kind": "wav2vec2"}}, "augmentation": {"frequency_masks": 0}, **changes}
    if message is None:
        assert parse(ExperimentConfig, table, "conf.toml").features.dimension == 400
    else:
        with pytest.raises(ConfigError, match=message):
            parse(ExperimentConfig, table, "conf.toml")
