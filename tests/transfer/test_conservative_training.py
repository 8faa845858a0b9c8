import numpy as np
import pytest
import tensorflow as tf
from training_runs import SHORT, assert_same, weights

from speechtl.batches.pipeline import Batch
from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.train import train
from speechtl.models.acoustic_model import AcousticModel
from speechtl.training.objective import Objective
from speechtl.transfer.conservative_training import ConservativeTraining, kl_divergence
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.layer_transfer import LayerTransfer
from speechtl.transfer.lhuc import Lhuc


@pytest.fixture(scope="module")
def source(source):
    return str(source)


def make_model(source, units=None):
    config = load_config(f"{source}/config.toml")
    tf.keras.utils.set_random_seed(5)
    return AcousticModel(config.model, config.features.dimension, units or {"xx": 7})


def make_batch(lengths=(40, 25), bins=12, seed=0):
    features = np.random.default_rng(seed).normal(size=(len(lengths), max(lengths), bins)).astype(np.float32)
    rows = tf.zeros([len(lengths)], tf.int32)
    labels = tf.constant([[1, 2, 3]] * len(lengths))
    counts = rows + 3
    total = tf.constant(len(lengths))
    return Batch(tf.constant(features), tf.constant(lengths), labels, counts, rows, rows, rows, total, total)


def terms_and_gradients(model, methods, batch, language="xx"):
    variables = model.trainable_variables()
    with tf.GradientTape() as tape:
        terms, _ = Objective(model, methods)(batch, language, None, tf.constant(0.0))
        extra = tf.add_n([term for name, term in terms.items() if name != "ctc"] or [tf.constant(0.0)])
    gradients = tape.gradient(extra, [v.value for v in variables.values()], unconnected_gradients="zero")
    return terms, dict(zip(variables, gradients, strict=True))


@pytest.mark.parametrize("distance", ["output", "parameter"])
def test_the_distance_is_exactly_zero_at_the_start_and_so_is_its_gradient(source, distance):
    model = make_model(source)
    method = ConservativeTraining(source=source, distance=distance)
    for one in (FineTuning(source=source), method):
        one.prepare(model)
    terms, gradients = terms_and_gradients(model, [method], make_batch())
    (name,) = terms.keys() - {"ctc"}
    assert name == {"output": "kl", "parameter": "l2_sp"}[distance]
    assert float(terms[name]) == 0.0
    assert max(float(tf.reduce_max(tf.abs(gradient))) for gradient in gradients.values()) < 1e-6


def test_the_kl_term_is_the_sum_over_valid_frames_of_the_divergence(source):
    model, batch = make_model(source), make_batch()
    method = ConservativeTraining(source=source, weight=0.25)
    method.prepare(model)
    terms, gradients = terms_and_gradients(model, [method], batch)
    other = model.teachers[source]
    expected = []
    for row, length in enumerate(batch.lengths.numpy()):
        # Alone and without padding, in float64.
        one, frames = batch.features[row : row + 1, :length], tf.constant([length])
        p, q = (
            tf.nn.softmax(tf.cast(each.logits(each.encode(one, frames), "xx"), tf.float64)).numpy()[0]
            for each in (other, model)
        )
        expected.append(0.25 * np.sum(p * (np.log(p) - np.log(q))))
    assert float(terms["kl"]) == pytest.approx(np.mean(expected), rel=1e-4)
    assert float(terms["kl"]) > 0
    assert all(float(tf.reduce_max(tf.abs(gradient))) > 0 for gradient in gradients.values())


def test_divergence_of_known_distributions():
    p, q = tf.constant([[[0.5, 0.5]]]), tf.constant([[[0.9, 0.1]]])
    assert float(kl_divergence(tf.math.log(p), tf.math.log(q))[0, 0]) == pytest.approx(0.5108256, rel=1e-5)


def test_the_parameter_term_is_the_squared_distance_of_the_trained_weights(source):
    model = make_model(source)
    method = ConservativeTraining(source=source, distance="parameter", weight=0.5)
    for one in (FineTuning(source=source), LayerTransfer(source=source, blocks="first:2"), method):
        one.prepare(model)
    moved = model.variables()["encoder/tdnn2/conv/bias"]
    moved.assign_add(tf.fill(moved.shape, 0.1))
    frozen = model.variables()["encoder/tdnn1/conv/bias"]
    frozen.assign_add(tf.ones(frozen.shape))
    terms, gradients = terms_and_gradients(model, [method], make_batch())
    assert float(terms["l2_sp"]) == pytest.approx(0.5 * 16 * 0.01, rel=1e-4)
    np.testing.assert_allclose(gradients["encoder/tdnn2/conv/bias"], 0.1, rtol=1e-4)


def test_weight_zero_is_the_plain_run_to_the_bit(source, shared_config_maker, tmp_path):
    _, make_config = shared_config_maker
    copy = {"method": "fine_tuning", "source": source}
    zero = {"method": "conservative_training", "source": source, "weight": 0.0}
    distances = [zero | {"distance": distance} for distance in ("output", "parameter")]
    tables = {"plain": [copy], "zero": [copy, *distances]}
    for name, transfer in tables.items():
        config = load_config(make_config(train="own", name=f"{name}.toml", transfer=transfer), SHORT)
        train(config, tmp_path / name)
    assert_same(*(weights(tmp_path / name) for name in tables))


def test_several_languages_stay_near_only_where_the_source_has_a_head(source):
    model = make_model(source, {"xx": 7, "yy": 9})
    method = ConservativeTraining(source=source)
    method.prepare(model)
    assert "kl" in terms_and_gradients(model, [method], make_batch(), "xx")[0]
    assert "kl" not in terms_and_gradients(model, [method], make_batch(), "yy")[0]


def test_two_sources_give_two_terms(source):
    model = make_model(source)
    methods = [ConservativeTraining(source=source), ConservativeTraining(source=source, weight=2.0)]
    for method in methods:
        method.prepare(model)
    terms, _ = terms_and_gradients(model, methods, make_batch())
    assert float(terms["kl_2"]) == pytest.approx(2 * float(terms["kl"]), rel=1e-6)
    assert len(model.teachers) == 1


def test_the_source_is_neither_trained_nor_stored(source):
    model = make_model(source)
    names = model.variables().keys()
    ConservativeTraining(source=source).prepare(model)
    assert model.variables().keys() == names
    assert not model.teachers[source].trainable_variables()


def test_sources_that_do_not_fit_are_refused(source, shared_config_maker):
    with pytest.raises(ModelError, match=r"has heads for xx, none for yy, so there are no posteriors"):
        ConservativeTraining(source=source).prepare(make_model(source, {"yy": 7}))
    with pytest.raises(ModelError, match=r"heads/xx: 9 units here, 7 in the source"):
        ConservativeTraining(source=source).prepare(make_model(source, {"xx": 9}))
    model = make_model(source)
    for one in (FineTuning(source=source), Lhuc()):
        one.prepare(model)
    with pytest.raises(ModelError, match=r"no weight that both have is trained"):
        ConservativeTraining(source=source, distance="parameter").prepare(model)
    _, make_config = shared_config_maker
    with pytest.raises(ConfigError, match=r"weight: Input should be greater than or equal to 0"):
        load_config(
            make_config(name="w.toml", transfer={"method": "conservative_training", "source": "x", "weight": -1})
        )
