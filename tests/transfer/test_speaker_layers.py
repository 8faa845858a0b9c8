from typing import Literal

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_runs import SHORT, assert_same, weights

from speechtl.errors import ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blstm import BlstmConfig
from speechtl.models.config import ModelConfig
from speechtl.models.conformer import ConformerConfig
from speechtl.models.restore import restore, restores_layer
from speechtl.models.weights import arrays_of
from speechtl.models.whisper import WhisperConfig
from speechtl.training.objective import ctc_losses
from speechtl.transfer.adapter import Adapter
from speechtl.transfer.lhuc import Lhuc
from speechtl.transfer.lin import Lin
from speechtl.transfer.lora import Lora
from speechtl.transfer.speaker_layers import SpeakerLayers, load_speaker, save_speaker, speaker_variables

KINDS = {
    "lhuc": Lhuc(),
    "lin": Lin(),
    "adapter": Adapter(rank=3),
    "adapter_within": Adapter(rank=3, layers="all"),
    "lora": Lora(rank=3),
    "lora_scaled": Lora(rank=3, alpha=12.0),
}
FEATURES = np.random.default_rng(0).normal(size=(45, 12)).astype(np.float32)


def small_conformer():
    tf.keras.utils.set_random_seed(2)
    return AcousticModel(ModelConfig(encoder=ConformerConfig(size=16, blocks=1, heads=2)), 12, {"xx": 7})


def logits(model, language="xx"):
    return model.logits(model.encode(FEATURES[np.newaxis], tf.constant([len(FEATURES)])), language).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_layers_start_as_the_identity_to_the_bit(kind, source):
    plain, attached = Experiment.load(source), Experiment.load(source)
    KINDS[kind].prepare(attached.model)
    assert speaker_variables(attached.model)
    np.testing.assert_array_equal(plain.posteriors(FEATURES), attached.posteriors(FEATURES))


@pytest.mark.parametrize("kind", KINDS)
def test_layers_start_as_the_identity_in_a_conformer(kind):
    model = small_conformer()
    before = logits(model)
    KINDS[kind].prepare(model)
    np.testing.assert_array_equal(before, logits(model))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_only_where_they_should_be(kind, source):
    model = Experiment.load(source).model
    KINDS[kind].prepare(model)
    own = {path: variable for path, variable in speaker_variables(model).items() if variable.trainable}
    assert model.trainable_variables().keys() == own.keys()
    with tf.GradientTape() as tape:
        encoded = model.encode(FEATURES[np.newaxis], tf.constant([len(FEATURES)]))
        losses = ctc_losses(
            model.logits(encoded, "xx"), encoded.lengths[encoded.last], tf.constant([[1, 2]]), tf.constant([2])
        )
        loss = tf.reduce_sum(losses)
    gradients = tape.gradient(loss, [v.value for v in own.values()])
    moves = {name.rsplit("/", 1)[1] for name, g in zip(own, gradients) if float(tf.reduce_max(tf.abs(g))) > 0}
    # Where the way out starts at zero, the way in learns from the second step on.
    assert moves == {"lhuc": {"amplitude"}, "lin": {"matrix", "offset"}}.get(kind, {"up"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_speaker_gives_the_same_posteriors_on_top_of_the_source(kind, source, tmp_path):
    experiment = Experiment.load(source)
    KINDS[kind].prepare(experiment.model)
    rng = np.random.default_rng(4)
    for variable in speaker_variables(experiment.model).values():
        variable.assign(variable.value + rng.normal(0, 0.3, variable.shape))
    save_speaker(tmp_path / "anna" / "speaker.h5", experiment.model, source)
    expected = experiment.posteriors(FEATURES)
    for place in (tmp_path / "anna", tmp_path / "anna" / "speaker.h5"):
        np.testing.assert_array_equal(Experiment.load(source, speaker=place).posteriors(FEATURES), expected)
    assert np.any(Experiment.load(source).posteriors(FEATURES) != expected)
    assert Experiment.load(source, speaker=tmp_path / "anna").speaker_stats is None
    stats = rng.normal(size=(2, 9))
    save_speaker(tmp_path / "anna" / "speaker.h5", experiment.model, source, stats)
    again = Experiment.load(source, speaker=tmp_path / "anna")
    np.testing.assert_array_equal(again.speaker_stats, stats)
    np.testing.assert_array_equal(again.posteriors(FEATURES), expected)


def test_layers_act_in_the_order_in_which_they_were_attached(source, tmp_path):
    experiment = Experiment.load(source)
    for method in (
        Lhuc(blocks="last:1"),
        Adapter(blocks="last:2"),
        Lora(blocks="tdnn1"),
        Lhuc(blocks="last:1"),
    ):
        method.prepare(experiment.model)
    own = speaker_variables(experiment.model)
    assert {
        "after/tdnn2/lhuc1/amplitude",
        "after/tdnn2/adapter2/norm/scale",
        "after/tdnn2/lhuc3/amplitude",
    } <= own.keys()
    assert experiment.model.trainable_variables().keys() == own.keys()
    rng = np.random.default_rng(4)
    for variable in own.values():
        variable.assign(variable.value + rng.normal(0, 0.3, variable.shape))
    save_speaker(tmp_path / "speaker.h5", experiment.model, source)
    again = Experiment.load(source, speaker=tmp_path)
    np.testing.assert_array_equal(again.posteriors(FEATURES), experiment.posteriors(FEATURES))
    assert sorted(again.model.speaker_paths) == sorted(experiment.model.speaker_paths)


def test_a_speaker_of_another_model_is_refused(source, shared_config_maker, tmp_path):
    experiment = Experiment.load(source)
    Lhuc().prepare(experiment.model)
    save_speaker(tmp_path / "speaker.h5", experiment.model, source)
    _, make_config = shared_config_maker
    train(load_config(make_config(name="other.toml"), [*SHORT, "seed=8"]), tmp_path / "other")
    with pytest.raises(ModelError, match=r"speaker\.h5: belongs to another model \(trained on .*source\)"):
        Experiment.load(tmp_path / "other", speaker=tmp_path)
    with pytest.raises(ModelError, match=r"holds one speaker's parameters alone; give .*source with --speaker"):
        Experiment.load(tmp_path)
    (tmp_path / "speaker.h5").write_bytes(b"not HDF5")
    with pytest.raises(ModelError, match=r"speaker\.h5: not a readable weight file"):
        load_speaker(tmp_path / "speaker.h5", Experiment.load(source).model)


def moved_from_the_start(method):
    """Return a conformer with layers of a method that have random weights."""
    model = small_conformer()
    method.prepare(model)
    rng = np.random.default_rng(4)
    for variable in model.trainable_variables().values():
        variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


@pytest.mark.parametrize(("alpha", "scale"), [(None, 1.0), (16.0, 4.0)])
def test_low_rank_adaptation_is_an_update_of_the_kernel(alpha, scale):
    """That of the paper and of peft: ``W + alpha / rank · (down · up)``."""
    model = moved_from_the_start(Lora(rank=4, alpha=alpha, layers=["query_key_value"]))
    adapted = logits(model)
    (layer,) = model.within["conformer1/query_key_value"]
    product = layer.down.numpy().astype(float) @ layer.up.numpy().astype(float)
    plain = small_conformer()
    kernel = plain.linear_at("conformer1/query_key_value").kernel
    kernel.assign(kernel.numpy() + scale * product)
    np.testing.assert_allclose(adapted, logits(plain), atol=2e-5)
    assert np.max(np.abs(adapted - logits(small_conformer()))) > 0.01


def test_a_parallel_adapter_adds_a_bottleneck_of_the_input_to_the_output():
    model = moved_from_the_start(Adapter(rank=4, layers="attention_out"))
    x = np.random.default_rng(5).normal(size=(2, 7, 16)).astype(np.float32)
    linear, (layer,) = model.linear_at("conformer1/attention_out"), model.within["conformer1/attention_out"]
    down, bias, up = (variable.numpy() for variable in (layer.down, layer.bias, layer.up))
    expected = x @ linear.kernel.numpy() + linear.bias.numpy() + np.maximum(x @ down + bias, 0) @ up
    np.testing.assert_allclose(linear(x).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("method", [Lora, Adapter])
def test_layers_are_chosen_by_name(method):
    model = moved_from_the_start(method(layers=["feed1_widen", "attention_out"]))
    assert model.speaker_paths == [
        f"within/conformer1/{name}/{method.__name__.lower()}1" for name in ("feed1_widen", "attention_out")
    ]
    with pytest.raises(
        ModelError, match=r"layers: no such .* in subsampling, conformer1, which have: .*widen, .*\n  val"
    ):
        method(layers="feed1_widen, value").prepare(model)
    with pytest.raises(
        ModelError, match=r"layers: no such linear layers in subsampling, which have: projection\n  gate$"
    ):
        method(layers=["gate"], blocks="first:1").prepare(model)


def test_a_block_of_normalisation_alone_is_passed_over():
    whisper = WhisperConfig(size=8, blocks=1, heads=2, hidden=8, window=20)
    model = AcousticModel(ModelConfig(encoder=whisper), 12, {"xx": 7})
    before = logits(model)
    Lora(blocks="encoder").prepare(model)
    np.testing.assert_array_equal(before, logits(model))
    assert {path.split("/")[1] for path in model.speaker_paths} == {"stem", "transformer1"}
    Adapter(layers=["query", "value"]).prepare(model)
    assert sum("adapter" in path for path in model.speaker_paths) == 2


def test_matrices_that_are_not_those_of_linear_layers_are_not_passed_over_in_silence():
    model = AcousticModel(ModelConfig(encoder=BlstmConfig(size=8, blocks=1)), 12, {"xx": 7})
    with pytest.raises(ModelError, match=r"block 'blstm1' has no linear layer; choose other blocks"):
        Lora().prepare(model)
    assert not model.speaker_paths and model.trainable_variables()


def test_a_layer_without_a_place_is_refused(source):
    model = Experiment.load(source).model
    with pytest.raises(ModelError, match=r"blocks: not in this encoder, which has: subsampling, tdnn1, tdnn2\n  tdnn9"):
        Lora(blocks="tdnn9").prepare(model)
    with pytest.raises(ModelError, match=r"blocks: not in this encoder, which has: .*\n  input"):
        Lora(blocks="input").prepare(model)


class ShiftLayer(keras.layers.Layer):
    def __init__(self, size, name):
        super().__init__(name=name)
        self.shift = self.add_weight(name="shift", shape=(size,), initializer="zeros")
        self.built = True

    def call(self, inputs):
        return inputs + self.shift.value


class Shift(SpeakerLayers):
    """A kind of speaker layer as a new file would define it."""

    method: Literal["shift"] = "shift"

    def layer(self, inputs, outputs, name):
        return ShiftLayer(outputs, name)


@restores_layer("after", "shift")
def restore_shift(name, size, arrays):
    return ShiftLayer(size, name) if arrays.keys() == {"shift"} else None


def test_a_new_kind_of_layer_is_stored_and_restored(source, tmp_path):
    experiment = Experiment.load(source)
    Shift(blocks="last:1").prepare(experiment.model)
    (variable,) = speaker_variables(experiment.model).values()
    variable.assign(np.linspace(-1, 1, 16))
    save_speaker(tmp_path / "speaker.h5", experiment.model, source)
    again = Experiment.load(source, speaker=tmp_path)
    assert again.model.speaker_paths == ["after/tdnn2/shift1"]
    np.testing.assert_array_equal(again.posteriors(FEATURES), experiment.posteriors(FEATURES))
    with pytest.raises(ModelError, match=r"weights of an unknown layer 'after/tdnn1/shift1'"):
        restore(experiment.model, {"after/tdnn1/shift1/other": np.zeros(16)}, "x")


def test_weights_of_unknown_layers_are_refused(source):
    arrays = weights(source) | {"after/tdnn1/magic1/wand": np.zeros(3)}
    with pytest.raises(ModelError, match=r"weights of an unknown layer 'after/tdnn1/magic1'"):
        restore(Experiment.load(source).model, arrays, "x")


def test_fine_tuning_takes_the_speaker_layers_of_its_source_along(source, shared_config_maker, tmp_path):
    _, make_config = shared_config_maker
    tables = [{"method": "fine_tuning", "source": str(source)}, {"method": "adapter", "rank": 2}]
    train(load_config(make_config(name="a.toml", transfer=tables), SHORT), tmp_path / "adapted")
    copy = {"method": "fine_tuning", "source": str(tmp_path / "adapted")}
    still = [*SHORT, "training.learning_rate=1e-30", "training.weight_decay=0.0"]
    train(load_config(make_config(name="b.toml", transfer=copy), still), tmp_path / "again")
    first, second = (weights(tmp_path / name) for name in ("adapted", "again"))
    assert any(name.startswith("after/") for name in first)
    assert_same(first, second)
    model = Experiment.load(tmp_path / "again").model
    before = arrays_of(model.variables())
    Lhuc().prepare(model)
    assert not before.keys() & model.trainable_variables().keys()


def test_heads_learn_beside_the_attached_layers_where_that_is_asked_for():
    model = small_conformer()
    frozen = {name: array.numpy() for name, array in model.variables().items()}
    Lora(layers=["query_key_value"], train_also=["heads/*"]).prepare(model)
    learning = set(model.trainable_variables())
    assert {name for name in learning if not name.startswith("within/")} == {
        name for name in frozen if name.startswith("heads/")
    }
    assert any(name.startswith("within/") for name in learning)
    with pytest.raises(ModelError, match=r"lora: train_also: no layer matches 'tops/\*'; there are: .*heads/xx"):
        Lora(train_also=["tops/*"]).prepare(small_conformer())
