import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_encoders import ENCODERS

from speechtl.config import parse
from speechtl.errors import ConfigError, ModelError
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import DilatedConv, dropout, mask, mean_over_time
from speechtl.models.config import ModelConfig
from speechtl.models.frozen import frozen_blocks

# Frame rates that weights of others fix.
FACTORS = {name: (2 if table["kind"] == "whisper" else 1,) for name, table in ENCODERS.items() if "window" in table}
SEED = tf.constant([3, 4], tf.int32)


def make(encoder="tdnn", bins=10, units=7, **changes):
    config = ModelConfig.model_validate({"encoder": {**ENCODERS[encoder], **changes}})
    return AcousticModel(config, bins, {"xx": units})


def logits(model, features, lengths, seed=None):
    encoded = model.encode(tf.constant(features), tf.constant(lengths, tf.int32), seed)
    return model.logits(encoded, "xx", seed).numpy(), encoded


@pytest.mark.parametrize(
    ("encoder", "factor"), [(name, factor) for name in sorted(ENCODERS) for factor in FACTORS.get(name, (1, 2, 3, 4))]
)
def test_padding_and_company_change_nothing(encoder, factor):
    tf.keras.utils.set_random_seed(1)
    kind = ENCODERS[encoder].get("subsampling", {})
    model = make(encoder, subsampling={**kind, "factor": factor})
    rng = np.random.default_rng(0)
    lengths = [23, 9, 4]
    features = rng.normal(size=(3, 23, 10)).astype(np.float32)  # beyond the lengths there is noise, not zeros
    together, encoded = logits(model, features, lengths)
    for row, length in enumerate(lengths):
        alone, _ = logits(model, features[row : row + 1, :length], [length])
        frames = int(model.output_lengths(length))
        assert frames == -(-length // factor)
        assert int(encoded.lengths[encoded.last][row]) == frames == alone.shape[1]
        np.testing.assert_allclose(alone[0], together[row, :frames], atol=2e-5)


def test_blocks_are_named_in_order_and_all_outputs_are_given():
    model = make("tdnn")
    assert model.block_names == ["subsampling", "tdnn1", "tdnn2"]
    _, encoded = logits(model, np.zeros((2, 9, 10), np.float32), [9, 5])
    assert list(encoded.outputs) == model.block_names
    assert all(output.shape == (2, 3, 16) for output in encoded.outputs.values())
    assert model.subsampling == 3


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_every_weight_has_its_own_path_and_gets_a_gradient(encoder):
    model = make(encoder)
    variables = model.variables()
    assert all(path.startswith(("encoder/", "heads/xx/")) for path in variables)
    assert sum(int(np.prod(v.shape)) for v in variables.values()) == model.parameter_count()
    fixed = {"encoder/stem/positions"} & set(variables)
    assert variables.keys() - model.trainable_variables().keys() == fixed
    variables = model.trainable_variables()
    features = tf.random.stateless_normal((2, 20, 10), [1, 2])
    with tf.GradientTape() as tape:
        encoded = model.encode(features, tf.constant([20, 13]), None)
        loss = tf.reduce_sum(tf.square(model.logits(encoded, "xx", None)))
    gradients = tape.gradient(loss, [variable.value for variable in variables.values()])
    without = [path for path, g in zip(variables, gradients, strict=True) if g is None or not np.any(np.asarray(g))]
    # What comes before a normalisation cannot change the loss by a shift of all features: only such biases may be free.
    assert not [path for path in without if not path.endswith("bias")], without


def test_a_frozen_block_leaves_the_trainable_weights():
    model = make("tdnn")
    model.block("tdnn1").trainable = False
    left = set(model.variables()) - set(model.trainable_variables())
    assert left == {path for path in model.variables() if path.startswith("encoder/tdnn1/")} != set()


def test_dropout_depends_on_its_seed_alone():
    tf.keras.utils.set_random_seed(1)
    model = make("tdnn")
    features = np.random.default_rng(0).normal(size=(2, 20, 10)).astype(np.float32)
    plain, _ = logits(model, features, [20, 20])
    first, _ = logits(model, features, [20, 20], SEED)
    again, _ = logits(model, features, [20, 20], SEED)
    other, _ = logits(model, features, [20, 20], SEED + 1)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3 and np.abs(first - plain).max() > 1e-3


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_the_rate_of_a_block_is_all_that_sets_training_apart(encoder):
    model = make(encoder, dropout=0.3)
    features = tf.constant(np.random.default_rng(0).normal(size=(2, 24, model.inputs)).astype(np.float32))
    lengths = tf.constant([24, 20])
    for block in model.blocks:
        block.rate = 0.0
    plain, trained = model.encode(features, lengths), model.encode(features, lengths, SEED)
    for name, output in plain.outputs.items():
        np.testing.assert_array_equal(output, trained.outputs[name], err_msg=name)


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_what_a_block_puts_beyond_the_end_matters_only_where_it_says_so(encoder):
    tf.keras.utils.set_random_seed(1)
    model = make(encoder)
    features = tf.constant(np.random.default_rng(0).normal(size=(2, 24, model.inputs)).astype(np.float32))
    whole = model.encode(features, tf.constant([24, 18]))
    last, ends = model.block_names[-1], whole.lengths[model.block_names[-1]].numpy()
    for block in model.blocks:
        block.trainable = False
        frozen = frozen_blocks(model)
        assert frozen or any(each.attend_to_padding for each in model.blocks)
        if frozen:
            lengths = whole.lengths[frozen[-1]]
            outputs = mask(whole.outputs[frozen[-1]][:, : tf.reduce_max(lengths)], lengths)
            after = model.after_frozen(frozen[-1:]).encode(outputs, lengths)
            for row, end in enumerate(ends):
                expected = whole.outputs[last][row, :end]
                np.testing.assert_allclose(after.outputs[last][row, :end], expected, atol=2e-5)


def test_dropout_keeps_the_mean_and_drops_the_share_asked_for():
    x = tf.ones((200, 200))
    dropped = dropout(x, 0.3, SEED, 0).numpy()
    assert abs((dropped == 0).mean() - 0.3) < 0.01
    np.testing.assert_allclose(dropped[dropped != 0], 1 / 0.7, rtol=1e-6)
    assert np.abs(dropout(x, 0.3, SEED, 1).numpy() - dropped).max() > 0


@pytest.mark.parametrize("size", [None, 3])
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_means_over_time_are_those_of_the_valid_frames(size, lengths):
    shape = (len(lengths), max(*lengths, 1) + 2) + (() if size is None else (size,))
    values = np.random.default_rng(len(lengths)).normal(size=shape).astype(np.float32)
    means = mean_over_time(tf.constant(values), tf.constant(lengths)).numpy()
    assert means.shape == shape[:1] + shape[2:]
    for row, length in enumerate(lengths):
        mean = values[row, :length].mean(axis=0) if length else 0.0
        np.testing.assert_allclose(means[row], mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padded", [True, False])
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 25), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000))
def test_dilated_conv_agrees_with_the_definition(padded, frames, kernel, dilation, stride, seed):
    reach = (kernel - 1) * dilation
    assume(padded or frames > reach)
    layer = DilatedConv(3, 2, kernel, dilation, stride, padded=padded)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1, frames, 3)).astype(np.float32)
    weights = layer.kernel.value.numpy().reshape(kernel, 3, 2)
    left = reach // 2 if padded else 0
    expected = []
    for centre in range(0, frames if padded else frames - reach, stride):
        places = [centre - left + tap * dilation for tap in range(kernel)]
        expected.append(sum(x[0, p] @ weights[tap] for tap, p in enumerate(places) if 0 <= p < frames) + np.zeros(2))
    np.testing.assert_allclose(layer(x).numpy()[0], np.array(expected).reshape(-1, 2), atol=1e-5)


def test_several_heads_share_the_encoder():
    model = AcousticModel(ModelConfig.model_validate({"encoder": ENCODERS["tdnn"]}), 10, {"de": 5, "ru": 9})
    encoded = model.encode(tf.zeros((1, 9, 10)), tf.constant([9]))
    assert model.logits(encoded, "de").shape == (1, 3, 5) and model.logits(encoded, "ru").shape == (1, 3, 9)
    with pytest.raises(ModelError, match=r"no head for language 'fr'; it has: de, ru"):
        model.logits(encoded, "fr")
    with pytest.raises(ModelError, match=r"no encoder block 'tdnn9'; this model has: subsampling, tdnn1, tdnn2"):
        model.block("tdnn9")


def test_a_layer_after_a_block_is_applied_and_stored():
    model = make("tdnn")
    features = np.random.default_rng(0).normal(size=(1, 12, 10)).astype(np.float32)
    _, before = logits(model, features, [12])

    class Double(tf.keras.layers.Layer):
        def call(self, x):
            return 2 * x

    model.after["tdnn1"] = [Double(name="double")]
    _, after = logits(model, features, [12])
    np.testing.assert_allclose(after.outputs["tdnn1"], 2 * before.outputs["tdnn1"].numpy(), rtol=1e-6)
    assert "after/tdnn1/double" in dict(model.layers())


def test_languages_may_share_a_head():
    config = ModelConfig.model_validate({"encoder": ENCODERS["tdnn"]})
    model = AcousticModel(config, 10, {"ipa": 5, "ru": 9}, {"de": "ipa", "es": "ipa", "ru": "ru"})
    encoded = model.encode(tf.ones((1, 9, 10)), tf.constant([9]))
    first = model.logits(encoded, "de").numpy()
    for name in ("es", "ipa"):
        np.testing.assert_array_equal(model.logits(encoded, name).numpy(), first)
    assert model.logits(encoded, "ru").shape == (1, 3, 9)
    with pytest.raises(ModelError, match=r"no head for language 'fr'; it has: de, es, ru, ipa"):
        model.logits(encoded, "fr")


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_own_blocks_start_as_copies_and_then_go_their_own_way(encoder):
    config = ModelConfig.model_validate({"encoder": ENCODERS[encoder]})
    model = AcousticModel(config, 10, {"de": 5, "ru": 5})
    features, lengths = tf.random.stateless_normal((2, 21, 10), [1, 2]), tf.constant([21, 14])

    def outputs(language, seed=None):
        return [output.numpy() for output in model.encode(features, lengths, seed, language).outputs.values()]

    before = outputs(None), outputs(None, SEED)
    first, last = model.block_names[0], model.block_names[-1]
    model.add_private_blocks("ru", [last, first])
    model.add_private_blocks("ru", [first])
    assert list(model.private["ru"]) == [first, last]
    for language in ("de", "ru", None):
        for one, other in zip((outputs(language), outputs(language, SEED)), before, strict=True):
            for ours, theirs in zip(one, other, strict=True):
                np.testing.assert_array_equal(ours, theirs)
    # Blocks are tied to their language: what changes one changes nothing for the other.
    for name, variable in model.variables().items():
        if name.startswith(f"private/ru/{last}/") and name.endswith(("kernel", "scale")):
            variable.assign(variable.value + 0.1)
    for ours, theirs in zip(outputs("de"), before[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    changed = [np.abs(ours - theirs).max() for ours, theirs in zip(outputs("ru"), before[0], strict=True)]
    assert max(changed[:-1]) == 0 and changed[-1] > 1e-3
    with pytest.raises(ModelError, match="no encoder block 'nowhere'"):
        model.add_private_blocks("ru", ["nowhere"])


def test_an_unknown_encoder_or_key_is_a_config_error():
    with pytest.raises(ConfigError, match="model"):
        parse(ModelConfig, {"encoder": {"kind": "transformer"}}, "model")
    with pytest.raises(ConfigError, match="dilation"):
        parse(ModelConfig, {"encoder": {"kind": "tdnn", "dilation": 3}}, "model")


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_bfloat16_rounds_the_factors_of_products_alone(encoder):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, 30, 10)).astype(np.float32)
    results = {}
    for precision in ("float32", "bfloat16"):
        tf.keras.utils.set_random_seed(1)
        model = AcousticModel(
            ModelConfig.model_validate({"encoder": ENCODERS[encoder], "precision": precision}), 10, {"xx": 7}
        )
        results[precision], encoded = logits(model, features, [30, 20])
        assert {variable.dtype for variable in model.variables().values()} == {"float32"}
        assert {output.dtype for output in encoded.outputs.values()} == {tf.float32}
    difference = np.abs(results["bfloat16"] - results["float32"]).max() / np.abs(results["float32"]).max()
    # Eight bits of mantissa: about half a percent each, and it is not the same computation.
    assert 1e-6 < difference < 0.03


def test_a_product_in_bfloat16_is_that_of_rounded_factors():
    tf.keras.utils.set_random_seed(1)
    layer = DilatedConv(6, 4, kernel=3, dilation=2)
    inputs = tf.constant(np.random.default_rng(0).normal(size=(2, 9, 6)).astype(np.float32))
    kernel = tf.identity(layer.kernel.value)
    rounded = tf.cast(tf.cast(inputs, tf.bfloat16), tf.float32)
    layer.kernel.assign(tf.cast(tf.cast(kernel, tf.bfloat16), tf.float32))
    expected = layer(rounded)
    layer.kernel.assign(kernel)
    layer.precision = tf.bfloat16
    # The product itself is rounded once more.
    np.testing.assert_allclose(layer(inputs), expected, rtol=0.01, atol=0.01)


def with_top(**settings):
    config = {"encoder": ENCODERS["whisper"], "top": ENCODERS["tdnn"], **settings}
    return AcousticModel(ModelConfig.model_validate(config), 10, {"xx": 7})


def test_blocks_on_top_continue_from_the_encoder():
    model = with_top(top={**ENCODERS["tdnn"], "size": 12, "subsampling": {"factor": 2}})
    assert model.block_names == ["stem", "transformer1", "transformer2", "norm", "subsampling", "tdnn1", "tdnn2"]
    assert model.core == ("stem", "transformer1", "transformer2", "norm")
    assert model.subsampling == 4
    _, encoded = logits(model, np.zeros((2, 9, 10), np.float32), [9, 5])
    assert encoded.outputs["norm"].shape == (2, 5, 16)
    assert encoded.outputs["tdnn2"].shape == (2, 3, 12)


def test_the_weighted_sum_is_the_mean_of_normalised_outputs_at_first_and_can_be_any_of_them():
    model = with_top(sum_over=["transformer1", "norm"])
    features = np.random.default_rng(0).normal(size=(1, 9, 10)).astype(np.float32)
    _, encoded = logits(model, features, [9])

    def normalised(name):
        x = encoded.outputs[name].numpy()
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)

    expected = (normalised("transformer1") + normalised("norm")) / 2
    np.testing.assert_allclose(encoded.outputs["sum"], expected, atol=1e-5)
    model.block("sum").mixture.assign([50.0, 0.0])
    _, encoded = logits(model, features, [9])
    np.testing.assert_allclose(encoded.outputs["sum"], normalised("transformer1"), atol=1e-5)
    assert with_top(sum_over="all").block("sum").reads == ("stem", "transformer1", "transformer2", "norm")


def test_a_sum_over_blocks_that_are_not_there_names_those_that_are():
    with pytest.raises(ModelError, match=r"stem, transformer1, transformer2, norm(.|\n)*conformer1"):
        with_top(sum_over=["conformer1"])


def test_padding_of_whisper_continues_with_what_silence_is_in_its_features():
    config = FeatureConfig(kind="whisper")
    noise = np.random.default_rng(0).normal(size=16000) * 1000
    features = compute(np.concatenate([noise, np.zeros(32000)]), config).numpy()
    model = AcousticModel(
        ModelConfig.model_validate({"encoder": {**ENCODERS["whisper"], "window": 150, "pad": True}}), 80, {"xx": 7}
    )
    padded, _ = logits(model, features[np.newaxis, :103], [103])
    whole, _ = logits(model, features[np.newaxis], [300])
    np.testing.assert_allclose(padded[0], whole[0, :52], atol=2e-5)
