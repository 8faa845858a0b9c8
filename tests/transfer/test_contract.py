"""What holds for every transfer method, whatever it does."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tomli_w
from training_runs import SHORT, assert_same, train_killed, weights

from speechtl.adaptation.learner import Speech
from speechtl.batches.source import Normaliser, Source
from speechtl.config import parse
from speechtl.errors import ConfigError
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import arrays_of
from speechtl.training.frozen_outputs import frozen_outputs
from speechtl.training.objective import Objective
from speechtl.training.trainer import Trainer

COPY = {"method": "fine_tuning", "source": "SOURCE"}
# Every method, with those that it is usually listed after.
METHODS = {
    "fine_tuning": [COPY],
    "fine_tuning_fresh": [{**COPY, "fresh": ["heads/*"]}],
    "output_distance": [COPY, {"method": "conservative_training", "source": "SOURCE", "weight": 0.5}],
    "parameter_distance": [
        COPY,
        {"method": "conservative_training", "source": "SOURCE", "distance": "parameter", "weight": 0.1},
    ],
    "layer_transfer": [{"method": "layer_transfer", "source": "SOURCE", "blocks": "first:2"}],
    "layer_transfer_trainable": [
        {"method": "layer_transfer", "source": "SOURCE", "blocks": "last:1", "heads": True, "trainable": True}
    ],
    "layer_transfer_after_fine_tuning": [
        COPY,
        {"method": "layer_transfer", "source": "SOURCE", "blocks": ["subsampling", "tdnn2"]},
    ],
    **{kind: [COPY, {"method": kind}] for kind in ("lhuc", "lin", "adapter", "lora")},
    "adapter_within": [COPY, {"method": "adapter", "layers": ["conv"], "blocks": "last:2"}],
    "lora_by_name": [COPY, {"method": "lora", "layers": "conv", "alpha": 8.0}],
    "domain_adversarial": [COPY, {"method": "domain_adversarial", "by": "speaker", "weight": 2.0}],
    "progressive": [{"method": "progressive", "columns": "SOURCE", "lateral": 3}],
    "weight_interpolation": [COPY, {"method": "weight_interpolation", "source": "SOURCE", "weight": 0.25}],
    "multitask": [COPY, {"method": "multitask", "shared": "last:2", "identify": {"size": 8}}],
    # On unlabelled speech beside the labelled.
    "self_taught": [COPY, {"method": "self_taught", "codebook_size": 16}],
    "self_taught_features": [{"method": "self_taught", "target": "features", "block": "tdnn1"}],
    "distillation": [{"method": "distillation", "source": "SOURCE", "pairs": {"tdnn1": ["tdnn1", "tdnn2"]}}],
    "attributes": [
        {**COPY, "fresh": ["heads/*"]},
        {"method": "attributes", "table": "chart", "size": 5, "own_vectors": True},
    ],
    "word_embedding": [{"method": "word_embedding", "size": 8}, {"method": "attributes"}],
    "several": [
        COPY,
        {"method": "adapter", "blocks": "last:1", "rank": 2},
        {"method": "lhuc", "blocks": "last:2"},
        {"method": "conservative_training", "source": "SOURCE", "weight": 0.2},
    ],
}
every_method = pytest.mark.parametrize("name", sorted(METHODS))


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def source_files(source):
    """Return what is in the source before any method uses it."""
    return files_of(source)


@pytest.fixture(scope="module")
def configure(shared_config_maker, source, source_files):
    """Return a function that makes the config of a method, on other speech than the source was trained on."""
    root, make_config = shared_config_maker
    make_config()
    changed = load_config(make_config(train="own", name="tune.toml"), [*SHORT, "training.epochs=2"])

    def make(name):
        table = changed.model_dump(exclude_none=True)
        table["transfer"] = [
            {key: str(source) if value == "SOURCE" else value for key, value in one.items()} for one in METHODS[name]
        ]
        if any(one["method"] == "self_taught" for one in METHODS[name]):
            table["data"][0]["unlabelled"] = [str(root / "train")]
        return parse(ExperimentConfig, table, "tune.toml")

    return make


@pytest.fixture(scope="module")
def finished(configure, shared_config_maker):
    """Return a function that gives the experiment of a method and its model at the end of training."""
    root, _ = shared_config_maker
    models = {}

    def run(name):
        if name not in models:
            finish = Trainer._finish
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Trainer, "_finish", lambda self, *rest: (finish(self, *rest), kept(self.model))[0])
                kept = functools.partial(models.__setitem__, name)
                train(configure(name), root / name)
        return root / name, models[name]

    return run


@every_method
def test_a_config_survives_its_file(name, configure, tmp_path):
    config = configure(name)
    path = tmp_path / "again.toml"
    path.write_text(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))
    assert load_config(path) == config


@every_method
def test_an_unknown_key_is_an_error_that_names_the_known_ones(name, configure):
    table = configure(name).model_dump(exclude_none=True)
    table["transfer"][-1]["wieght"] = 1
    with pytest.raises(ConfigError, match=r"tune\.toml: 1 problem\n.*wieght: unknown key; known keys: .*method"):
        parse(ExperimentConfig, table, "tune.toml")


def test_an_unknown_method_is_an_error_that_names_the_known_ones(make_config):
    path = make_config(transfer={"method": "magic"})
    with pytest.raises(ConfigError, match=r"transfer\.0\.method: unknown 'magic'; known: fine_tuning, conserv"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"transfer\.0\.method: missing"):
        load_config(make_config(transfer={"source": "exp/x"}))


@every_method
def test_preparing_twice_gives_the_same_model(name, configure):
    config = configure(name)

    def prepare():
        tf.keras.utils.set_random_seed(3)
        model = AcousticModel(config.model, config.features.dimension, {"xx": PhoneInventory("aikstu")})
        for method in config.transfer:
            model = method.prepare(model)
        return model

    first, second = prepare(), prepare()
    assert first.trainable_variables().keys() == second.trainable_variables().keys()
    there, here = arrays_of(first.variables()), arrays_of(second.variables())
    assert there.keys() == here.keys()
    for key, array in there.items():
        np.testing.assert_array_equal(array, here[key], err_msg=key)


@every_method
def test_what_is_frozen_stays_and_what_is_trained_moves(name, configure, finished):
    config = configure(name)
    tf.keras.utils.set_random_seed(config.seed)
    model = AcousticModel(config.model, config.features.dimension, {"xx": PhoneInventory("aikstu")})
    for method in config.transfer:
        model = method.prepare(model)
    before, trained = arrays_of(model.variables()), model.trainable_variables()
    for path in model.training_only:
        before = {key: array for key, array in before.items() if not key.startswith(f"{path}/")}
        trained = {key: variable for key, variable in trained.items() if key in before}
    after = weights(finished(name)[0])
    assert before.keys() == after.keys()
    for key, array in before.items():
        if key not in trained:
            np.testing.assert_array_equal(array, after[key], err_msg=key)
    assert any(np.any(before[key] != after[key]) for key in trained)


@every_method
def test_reloading_gives_the_same_posteriors(name, finished):
    path, trained = finished(name)
    experiment = Experiment.load(path)
    features = np.random.default_rng(0).normal(size=(37, 12)).astype(np.float32)
    again = Experiment(experiment.directory, experiment.config, trained, experiment.normaliser)
    np.testing.assert_array_equal(experiment.posteriors(features), again.posteriors(features))


# Each method once: what resuming depends on is in `several`, too.
@pytest.mark.parametrize(
    "name",
    [
        "fine_tuning",
        "layer_transfer",
        "lin",
        "multitask",
        "output_distance",
        "parameter_distance",
        "domain_adversarial",
        "progressive",
        "self_taught",
        "distillation",
        "word_embedding",
        "several",
    ],
)
def test_a_killed_run_continues_to_the_same_weights(name, configure, finished, tmp_path):
    train_killed(configure(name), tmp_path / "killed", 1)
    assert_same(weights(finished(name)[0]), weights(tmp_path / "killed"))


def test_sources_stay_as_they_were(finished, source, source_files):
    finished("several")
    assert files_of(source) == source_files


# What methods look at in the model of these tests besides its logits; nothing where a name is not listed.
READS = {
    "distillation": {"input"},
    "domain_adversarial": {"tdnn2"},
    "progressive": {"input"},
    "multitask": {"input"},
    "self_taught": {"input"},
    "self_taught_features": {"input"},
    "word_embedding": {"tdnn2"},
}


@every_method
def test_a_method_says_what_it_reads(name, configure):
    config = configure(name)
    tf.keras.utils.set_random_seed(config.seed)
    model = AcousticModel(config.model, config.features.dimension, {"xx": PhoneInventory("aikstu")})
    for method in config.transfer:
        model = method.prepare(model)
    for method in config.transfer:
        speech = [
            Source([data.train[0]], data, Normaliser(config.normalisation), config.features) for data in config.data
        ]
        method.attach(model, speech)
    for block in model.blocks:
        block.rate = 0.0
    for block in ("subsampling", "tdnn1"):
        model.block(block).trainable = False
    reads = {place for method in config.transfer for place in method.reads(model)}
    assert reads == READS.get(name, set())
    frozen = frozen_outputs(model, config.transfer, "always")
    if "input" in reads or name in ("lhuc", "adapter", "lin", "lora", "lora_by_name"):  # in the first block
        assert frozen is None
        return
    # Whoever reads no more than it says has the same loss where there are no features.
    after = model.after_frozen(frozen.kept)
    batch, seed = a_batch(model), tf.constant([3, 4])
    encoded = model.encode(batch.features, batch.lengths)
    outputs = tf.concat([encoded.outputs[block] for block in after.given], axis=-1)
    given = batch._replace(features=outputs, lengths=encoded.lengths[after.given[-1]])
    whole = Objective(model, config.transfer)(batch, "xx", seed, tf.constant(0.5))
    later = Objective(after, config.transfer)(given, "xx", seed, tf.constant(0.5))
    for there, here in zip(whole, later, strict=True):
        assert there.keys() == here.keys()
        for term, value in there.items():
            np.testing.assert_allclose(here[term], value, rtol=1e-5, err_msg=term)


def a_batch(model):
    rng = np.random.default_rng(1)
    features = [rng.normal(size=(length, model.inputs)).astype(np.float32) for length in (60, 45, 52)]
    return Speech(["a", "b", "c"], features, [[1, 2], [3], [4, 5, 1]]).batch()
