"""Checkpoints become encoders with the outputs of transformers, and every tensor is accounted for."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_checkpoints import FAMILIES, golden, golden_value, write_checkpoint

from speechtl.errors import ConfigError, ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import assign
from speechtl.pretrained.checkpoint import Checkpoint
from speechtl.pretrained.convert import convert


def build(converted):
    model = AcousticModel(converted.model, converted.features.dimension, {})
    assign(model.variables(), converted.arrays, "checkpoint")
    return model


def frames_of(inputs, converted):
    """Return features ``(1, frames, bins)``; of a signal, its overlapping frames."""
    if inputs.ndim == 2:
        return inputs[np.newaxis]
    length, shift = converted.features.frame_length, converted.features.frame_shift
    starts = range(0, len(inputs) - length + 1, shift)
    return np.stack([inputs[start : start + length] for start in starts])[np.newaxis]


def refuses(folder, match, error=ModelError):
    with pytest.raises(error, match=match) as caught:
        convert(Checkpoint(folder))
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_are_those_of_transformers(tmp_path, family):
    converted = convert(Checkpoint(write_checkpoint(tmp_path, family)))
    _, _, inputs, expected = golden(family)
    features = frames_of(inputs, converted)
    found = build(converted).encode(tf.constant(features), tf.constant([features.shape[1]])).outputs
    assert list(found) == list(converted.blocks)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name][0], values, rtol=0, atol=1e-4 * np.abs(values).max(), err_msg=name)


@pytest.mark.parametrize("family", ["xls_r", "wavlm_large"])
def test_padding_is_masked_as_transformers_does(tmp_path, family):
    converted = convert(Checkpoint(write_checkpoint(tmp_path, family)))
    features, expected = frames_of(golden(family)[2], converted), golden_value(f"{family}/padded")
    batch = tf.constant(np.concatenate([features, features]))
    found = build(converted).encode(batch, tf.constant([features.shape[1], len(expected)])).outputs["norm"]
    np.testing.assert_allclose(
        found[1, : len(expected)], expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=family
    )


def test_every_block_of_wavlm_begins_with_the_table_of_the_first(tmp_path):
    converted = convert(Checkpoint(write_checkpoint(tmp_path, "wavlm")))
    table = golden("wavlm")[1]["wavlm.encoder.layers.0.attention.rel_attn_embed.weight"]
    for number in (1, 2):
        np.testing.assert_array_equal(converted.arrays[f"encoder/transformer{number}/positions/table"], table)

    def change(tensors):
        del tensors["wavlm.encoder.layers.0.attention.rel_attn_embed.weight"]

    message = refuses(write_checkpoint(tmp_path, "wavlm", change), r"do not fit config\.json \(1\)")
    assert "layers.0.attention.rel_attn_embed.weight: missing" in message


def test_a_recogniser_of_speakers_is_left_out(tmp_path):
    def change(tensors):
        for name in ("tdnn.0.kernel.weight", "feature_extractor.weight", "objective.weight", "layer_weights"):
            tensors[name] = np.zeros(2, np.float32)

    plain = convert(Checkpoint(write_checkpoint(tmp_path / "plain", "wavlm")))
    more = convert(Checkpoint(write_checkpoint(tmp_path / "more", "wavlm", change)))
    same(plain, more)
    assert sum(more.unused.values()) == sum(plain.unused.values()) + 4


def renamed(tensors, rename):
    for name in list(tensors):
        tensors[rename(name)] = tensors.pop(name)


def same(first, second):
    assert first.arrays.keys() == second.arrays.keys()
    for name, values in first.arrays.items():
        np.testing.assert_array_equal(values, second.arrays[name])


def test_old_and_new_names_of_weight_normalisation(tmp_path):
    old = convert(Checkpoint(write_checkpoint(tmp_path / "old", "wav2vec2")))
    new = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}

    def change(tensors):
        assert any(name.endswith("weight_g") for name in tensors)
        renamed(tensors, lambda name: next((name.replace(a, b) for a, b in new.items() if name.endswith(a)), name))

    same(old, convert(Checkpoint(write_checkpoint(tmp_path / "new", "wav2vec2", change))))
    kernel, tensors = old.arrays["encoder/positions/conv/kernel"], golden("wav2vec2")[1]
    g, v = (tensors[f"wav2vec2.encoder.pos_conv_embed.conv.weight_{part}"].astype(np.float64) for part in ("g", "v"))
    for tap in range(kernel.shape[0]):
        expected = g[0, 0, tap] * v[:, :, tap] / np.linalg.norm(v[:, :, tap])
        np.testing.assert_allclose(kernel[tap].T, expected, rtol=1e-6)


def test_a_head_or_a_decoder_changes_nothing(tmp_path):
    def with_head(tensors):
        tensors["lm_head.weight"] = np.zeros((5, 24), np.float32)
        tensors["quantizer.codevectors"] = np.zeros((1, 4, 2), np.float32)
        tensors["project_hid.bias"] = tensors["project_q.bias"] = np.zeros(3, np.float32)

    def without_prefix(tensors):
        renamed(tensors, lambda name: name.removeprefix("wav2vec2.").removeprefix("model."))

    def with_decoder(tensors):
        tensors["model.decoder.layers.0.fc1.bias"] = tensors["proj_out.weight"] = np.zeros(3, np.float32)

    for family, change, unused in (("wav2vec2", with_head, 5), ("whisper", with_decoder, 2)):
        plain = convert(Checkpoint(write_checkpoint(tmp_path / family / "plain", family)))
        more = convert(Checkpoint(write_checkpoint(tmp_path / family / "more", family, change)))
        bare = convert(Checkpoint(write_checkpoint(tmp_path / family / "bare", family, without_prefix)))
        same(plain, more)
        same(plain, bare)
        assert sum(more.unused.values()) == unused


def test_every_tensor_is_accounted_for(tmp_path):
    def change(tensors):
        del tensors["model.encoder.layers.1.fc1.bias"]
        tensors["model.encoder.layers.2.fc1.bias"] = np.zeros(40, np.float32)
        tensors["model.encoder.conv2.weight"] = np.zeros((24, 23, 3), np.float32)
        tensors["surprise"] = np.zeros(1, np.float32)

    message = refuses(write_checkpoint(tmp_path, "whisper", change), r"do not fit config\.json \(4\)")
    assert "model.encoder.layers.1.fc1.bias: missing" in message
    assert "model.encoder.layers.2.fc1.bias: not known in this family" in message
    assert "model.encoder.conv2.weight: shape (24, 23, 3), expected (24, 24, 3)" in message
    assert "surprise: not known in this family" in message


def test_a_config_that_contradicts_the_tensors(tmp_path):
    message = refuses(write_checkpoint(tmp_path, "whisper", encoder_layers=3), "do not fit")
    assert "model.encoder.layers.2.self_attn.q_proj.weight: missing" in message
    message = refuses(write_checkpoint(tmp_path, "whisper", encoder_ffn_dim=44), "do not fit")
    assert "model.encoder.layers.0.fc1.weight: shape (40, 24), expected (44, 24)" in message
    refuses(write_checkpoint(tmp_path, "hubert", conv_bias=True), r"conv_layers\.0\.conv\.bias: missing")
    refuses(write_checkpoint(tmp_path, "whisper", encoder_attention_heads=5), "multiple of the 5 heads", ConfigError)


def test_values_that_are_no_numbers(tmp_path):
    def change(tensors):
        tensors["model.encoder.layer_norm.bias"] = np.full(24, np.nan, np.float32)

    refuses(write_checkpoint(tmp_path, "whisper", change), r"not finite.*\n  model\.encoder\.layer_norm\.bias")


def test_other_families(tmp_path):
    known = "known are whisper, wav2vec2, hubert, wavlm, data2vec-audio"
    refuses(write_checkpoint(tmp_path, model_type="bert"), f"model_type 'bert' is not known; {known}")
    refuses(write_checkpoint(tmp_path, model_type=None), f"no model_type; {known}")


def test_what_these_families_can_have_but_we_have_not(tmp_path):
    refuses(write_checkpoint(tmp_path, "wav2vec2", adapter_attn_dim=16), r"adapter_attn_dim: 16.*\(MMS\) are not read")
    refuses(write_checkpoint(tmp_path, "hubert", conv_pos_batch_norm=True), "conv_pos_batch_norm: True")
    message = refuses(
        write_checkpoint(tmp_path, "wav2vec2", hidden_act="relu", layer_norm_eps=1e-6, hidden_size="24"), "cannot be"
    )
    assert "hidden_act: 'relu'" in message and "layer_norm_eps: 1e-06" in message and "hidden_size: '24'" in message


def test_features_come_from_the_preprocessor(tmp_path):
    folder = write_checkpoint(tmp_path, "wav2vec2")
    path = folder / "preprocessor_config.json"
    assert convert(Checkpoint(folder)).features.unit_variance
    path.write_text('{"do_normalize": false, "feature_size": 1, "sampling_rate": 8000}')
    features = convert(Checkpoint(folder)).features
    assert not features.unit_variance and features.sample_rate == 8000
    assert (features.frame_length, features.frame_shift) == (400, 320)
    folder = write_checkpoint(tmp_path / "whisper")
    path = folder / "preprocessor_config.json"
    path.write_text('{"feature_size": 128, "hop_length": 80}')
    message = refuses(folder, "cannot be imported")
    assert "feature_size: 128, expected 80" in message and "hop_length: 80" in message and path.name in message
