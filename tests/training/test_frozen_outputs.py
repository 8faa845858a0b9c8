import json
import logging
import os
import threading

import numpy as np
import pytest
import tensorflow as tf
from training_runs import SHORT, assert_same, events, train_killed, weights

from speechtl.batches.output_store import OutputStore, digest_of
from speechtl.config import parse
from speechtl.errors import ConfigError, DataError
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.archives import read_matrix
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.encoder import Encoder
from speechtl.models.frozen import frozen_blocks, weights_of
from speechtl.training.frozen_outputs import FrozenOutputs, frozen_outputs
from speechtl.training.trainer import Trainer

PLAIN = [
    *SHORT,
    "augmentation.frequency_masks=0",
    "augmentation.time_masks=0",
    "model.encoder.dropout=0",
]


@pytest.fixture(scope="module")
def configure(shared_config_maker, source):
    """Return a function that makes the config of a training after frozen blocks of the source."""
    _, make_config = shared_config_maker

    def make(*settings, transfer=(), blocks="first:2"):
        first = {"method": "layer_transfer", "source": str(source), "blocks": blocks}
        path = make_config(name="frozen.toml", train="own", transfer=[first, *transfer])
        return load_config(path, [*PLAIN, 'training.cache_frozen="always"', *settings])

    return make


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Give every test an empty cache."""
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "outputs"


@pytest.fixture
def computed(monkeypatch):
    """Return a list that grows by the number of utterances whose outputs are computed."""
    counts, plain = [], FrozenOutputs._computed

    def count(self, read, frames, numbers):
        counts.append(len(numbers))
        return plain(self, read, frames, numbers)

    monkeypatch.setattr(FrozenOutputs, "_computed", count)
    return counts


@pytest.fixture
def no_training(monkeypatch):
    """Stop where training would begin."""
    monkeypatch.setattr(Trainer, "run", lambda self: {})


def test_training_is_what_it_is_without(configure, tmp_path, computed):
    config = configure("training.epochs=2", "training.choose_pronunciations=[1]")
    train(config, tmp_path / "once")
    assert computed == [24]
    train(parse(ExperimentConfig, _never(config), "toml"), tmp_path / "always")
    assert computed == [24]
    first, second = weights(tmp_path / "once"), weights(tmp_path / "always")
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_allclose(array, second[name], rtol=2e-3, atol=2e-5, err_msg=name)
    for one, other in zip(events(tmp_path / "once", "epoch"), events(tmp_path / "always", "epoch"), strict=True):
        np.testing.assert_allclose(one["train_loss"], other["train_loss"], rtol=1e-4)
        np.testing.assert_allclose(one["dev_loss"], other["dev_loss"], rtol=1e-4)
    # The finished experiment is that of the whole model.
    features = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    one, other = (Experiment.load(tmp_path / name).posteriors(features) for name in ("once", "always"))
    np.testing.assert_allclose(one, other, atol=1e-3)


def _never(config):
    table = config.model_dump(exclude_none=True)
    table["training"]["cache_frozen"] = "never"
    return table


def test_what_is_computed_once_is_found_by_every_later_run(configure, tmp_path, computed, caplog, no_training):
    with caplog.at_level("INFO"):
        train(configure(), tmp_path / "first")
        train(configure("training.learning_rate=0.02", "seed=4"), tmp_path / "second")
    assert computed == [24, 0]
    lines = [line for line in caplog.messages if line.startswith("frozen blocks")]
    assert "subsampling to tdnn1: outputs of 24 utterances computed, of 0 found" in lines[0]
    assert "outputs of 0 utterances computed, of 24 found" in lines[1]


@pytest.mark.parametrize(
    "changed",
    ["normalisation.kind='utterance'", "normalisation.variance=false", "model.precision='bfloat16'", "features"],
)
def test_other_features_or_settings_are_computed_anew(configure, tmp_path, computed, changed, monkeypatch, no_training):
    train(configure(), tmp_path / "first")
    if changed == "features":
        monkeypatch.setattr("speechtl.batches.source.read_matrix", lambda place: 2 * read_matrix(place))
        train(configure(), tmp_path / "second")
    else:
        config = configure(changed)
        monkeypatch.setattr("speechtl.experiment.train.check_sources", lambda config: None)
        train(config, tmp_path / "second")
    assert computed == [24, 24]


def test_other_weights_are_other_outputs(configure, source, cache):
    config = configure()

    def prepared():
        model = AcousticModel(config.model, 12, {"xx": 7})
        for method in config.transfer:
            model = method.prepare(model)
        return model

    first = frozen_outputs(prepared(), config.transfer, "always")
    assert first.key == frozen_outputs(prepared(), config.transfer, "always").key
    for name in weights_of(prepared(), ["subsampling", "tdnn1"]):
        model = prepared()
        variable = model.variables()[name]
        array = np.array(variable.value)
        array.flat[-1] += 1e-6 + abs(array.flat[-1]) * 1e-6
        variable.assign(array)
        assert frozen_outputs(model, config.transfer, "always").key != first.key, name
    # What comes later makes no difference.
    model = prepared()
    model.block("tdnn2").conv.bias.assign_add(tf.ones(16))
    assert frozen_outputs(model, config.transfer, "always").key == first.key


def test_a_run_killed_while_computing_leaves_what_it_has_written(
    configure, tmp_path, computed, monkeypatch, no_training
):
    monkeypatch.setattr("speechtl.training.frozen_outputs._PART", 1)
    add, parts = OutputStore.add, []

    def killed(self, outputs):
        parts.append(outputs)
        if len(parts) == 5:
            raise KeyboardInterrupt
        add(self, outputs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(OutputStore, "add", killed)
        train(configure(), tmp_path / "exp")
    train(configure(), tmp_path / "exp")
    # Every utterance was a part of its own, and four had been written.
    assert computed == [24, 20]


def test_a_killed_training_continues_to_the_same_weights(configure, tmp_path):
    train(configure(), tmp_path / "whole")
    train_killed(configure(), tmp_path / "killed", 2)
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_an_archive_without_its_journal_or_with_a_part_missing_is_not_read(tmp_path, caplog):
    rng = np.random.default_rng(0)
    matrices = {f"{number:02d}": rng.normal(size=(number, 4)).astype(np.float32) for number in range(6)}
    store = OutputStore(tmp_path / "store", {"blocks": ["a"]})
    store.open()
    for names in (["00", "01"], ["02", "03"], ["04", "05"]):
        store.add([(name, matrices[name]) for name in names])
    for name, matrix in matrices.items():
        np.testing.assert_array_equal(read_matrix(store.get(name).place), matrix)
    part = {name: store.get(name).place.partition(":")[0] for name in matrices}
    assert json.loads((tmp_path / "store" / "about.json").read_text()) == {"blocks": ["a"]}
    with open(part["00"], "r+b") as file:
        file.truncate(20)
    (tmp_path / "store" / f"{part['02'].rpartition('/')[2][:-4]}.json").unlink()
    again = OutputStore(tmp_path / "store", {})
    assert [again.get(name) is not None for name in sorted(matrices)] == [False] * 4 + [True] * 2
    assert "damaged (truncated); the outputs in it are computed again" in caplog.text
    again.add([("00", matrices["00"])])
    np.testing.assert_array_equal(read_matrix(OutputStore(tmp_path / "store", {}).get("00").place), matrices["00"])


def test_writers_do_not_meet(tmp_path):
    stores = [OutputStore(tmp_path / "store", {}) for _ in range(4)]
    barrier = threading.Barrier(4)

    def write(number):
        barrier.wait()
        for part in range(10):
            stores[number].add([(f"{name}", np.full((3, 2), name, np.float32)) for name in (part, 100 + number)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = OutputStore(tmp_path / "store", {})
    for name in [*range(10), *range(100, 104)]:
        np.testing.assert_array_equal(read_matrix(store.get(str(name)).place), np.full((3, 2), name))
    assert not list((tmp_path / "store").glob(".*"))


def test_a_cache_that_cannot_be_written_says_what_to_do(configure, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r'cannot write: .*set SPEECHTL_CACHE to another folder, or cache_frozen = "ne'):
        train(configure(), tmp_path / "exp")


def test_digests_tell_type_shape_and_values():
    zeros = np.zeros((2, 3), np.float32)
    others = [zeros.reshape(3, 2), zeros.astype(np.float64), zeros + 1, zeros[:0], zeros[:, :0]]
    assert len({digest_of(matrix) for matrix in [zeros, *others]}) == 6
    assert digest_of(np.arange(12.0).reshape(3, 4).T) == digest_of(np.arange(12.0).reshape(3, 4).T.copy())


def test_masks_on_features_prevent_it_and_masks_after_the_blocks_do_not(configure, tmp_path, computed, caplog):
    masks = ["augmentation.frequency_masks=1", "augmentation.time_masks=1", "augmentation.time_fraction=0.5"]
    with caplog.at_level("INFO"):
        train(configure(*masks), tmp_path / "features")
    assert not computed and 'with augmentation.after = "tdnn1"' in caplog.text
    train(configure(*masks, "augmentation.after=tdnn1"), tmp_path / "outputs")
    train(configure(), tmp_path / "plain")
    assert computed == [24, 0]
    masked, plain = weights(tmp_path / "outputs"), weights(tmp_path / "plain")
    assert any(np.any(masked[name] != plain[name]) for name in plain)
    # An earlier block: the later frozen ones run in every step.
    train(configure(*masks, "augmentation.after=subsampling"), tmp_path / "earlier")
    assert computed == [24, 0, 24]


@pytest.mark.parametrize(
    ("settings", "transfer", "why"),
    [
        (["augmentation.after=tdnn2"], [], "not among the blocks that stay frozen: subsampling, tdnn1"),
        (["training.cache_frozen=never"], [], 'cache_frozen is "never"'),
        (["training.cache_frozen=auto", "model.encoder.dropout=0.1"], [], None),
        ([], [{"method": "lhuc", "blocks": "first:1"}], "the first block does not stay as it is"),
        ([], [{"method": "self_taught"}], "the method self_taught needs the features"),
    ],
)
def test_masks_after_a_block_that_runs_every_time_are_refused(configure, tmp_path, settings, transfer, why):
    config = configure("augmentation.after=tdnn1", *settings, transfer=transfer)
    if why is None:
        # Only the block with dropout: the first has none.
        why = "not among the blocks that stay frozen: subsampling"
    with pytest.raises(ConfigError, match=f"augmentation.after = .*computed once can be masked; .*{why}"):
        train(config, tmp_path / "exp")


def test_noise_on_outputs_is_refused(configure):
    with pytest.raises(ConfigError, match=r"noise is added to features; set noise to 0, or leave out after"):
        configure("augmentation.after=tdnn1", "augmentation.noise=0.5")


def test_by_default_only_large_blocks_without_dropout_are_computed_once(
    configure, tmp_path, computed, monkeypatch, no_training
):
    train(configure("training.cache_frozen=auto"), tmp_path / "small")
    monkeypatch.setattr("speechtl.training.frozen_outputs._MANY", 1000)
    train(configure("training.cache_frozen=auto", "model.encoder.subsampling.dropout=0.1"), tmp_path / "dropout")
    assert not computed
    train(configure("training.cache_frozen=auto"), tmp_path / "large")
    assert computed == [24]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda model: None, ["subsampling", "tdnn1"]),
        (lambda model: model.add_private_blocks("xx", ["tdnn1"]), ["subsampling"]),
        (lambda model: model.after.update(input=[tf.keras.layers.Dense(12)]), []),
        (lambda model: model.after.update(subsampling=[tf.keras.layers.Dense(16)]), []),
        (lambda model: model.correct("tdnn1/conv", tf.keras.layers.Dense(16)), ["subsampling"]),
        (lambda model: model.add_column(AcousticModel(model.config, 12, {})), []),
        (lambda model: setattr(model.block("tdnn1"), "attend_to_padding", True), ["subsampling", "tdnn1"]),
        (lambda model: setattr(model.block("tdnn2"), "attend_to_padding", True), ["subsampling"]),
        (lambda model: setattr(model.block("tdnn2"), "trainable", False), ["subsampling", "tdnn1", "tdnn2"]),
    ],
)
def test_which_blocks_stay_as_they_are(configure, change, expected):
    model = AcousticModel(configure().model, 12, {"xx": 7})
    for name in ("subsampling", "tdnn1"):
        model.block(name).trainable = False
    change(model)
    for place in ("input", "subsampling"):
        for layer in model.after.get(place, ()):
            layer.build((None, None, model.size_at(place)))
    for layer in model.within.get("tdnn1/conv", ()):
        layer.build((None, 48))
    assert frozen_blocks(model) == expected


def test_after_frozen_blocks_the_model_gives_the_same_outputs(configure):
    config = configure()
    model = AcousticModel(config.model, 12, {"xx": 7})
    rng = np.random.default_rng(0)
    features = tf.constant(rng.normal(size=(2, 31, 12)).astype(np.float32))
    lengths = tf.constant([31, 20])
    whole = model.encode(features, lengths, tf.constant([1, 2]))
    for names in (["subsampling"], ["subsampling", "tdnn1"], ["tdnn2"]):
        rest = model.after_frozen(names)
        given = tf.concat([whole.outputs[name] for name in names], axis=-1)
        encoded = rest.encode(given, whole.lengths[names[-1]], tf.constant([1, 2]))
        assert rest.inputs == 16 * len(names)
        assert rest.variables().keys() == model.variables().keys() and rest.subsampling == 2
        assert int(rest.output_lengths(16)) == 16
        for name, output in encoded.outputs.items():
            np.testing.assert_array_equal(output, whole.outputs[name])
            np.testing.assert_array_equal(encoded.lengths[name], whole.lengths[name])
        np.testing.assert_array_equal(rest.logits(encoded, "xx"), model.logits(whole, "xx"))
    assert model.after_frozen([]) is model and isinstance(model, Encoder) and not model.given


def test_a_learned_sum_reads_the_outputs_of_all_blocks_that_it_sums(make_corpus, make_config, tmp_path, computed):
    for number, name in enumerate(("train", "dev")):
        make_corpus(name, bins=80, seed=number)
    encoder = {"kind": "whisper", "size": 8, "blocks": 2, "heads": 2, "hidden": 16, "window": 40}
    top = {"kind": "tdnn", "size": 8, "dilations": [1], "dropout": 0.0}
    table = load_config(make_config(), PLAIN).model_dump(exclude_none=True)
    table |= {"features": {"kind": "whisper"}, "normalisation": {"kind": "none"}}
    table["model"] = {"encoder": encoder, "sum_over": "all", "top": top, "head_dropout": 0.0}
    first = parse(ExperimentConfig, table, "first")
    train(first, tmp_path / "source")
    table["transfer"] = [{"method": "layer_transfer", "source": str(tmp_path / "source"), "blocks": "encoder"}]
    found = {}
    for choice in ("always", "never"):
        table["training"]["cache_frozen"] = choice
        train(parse(ExperimentConfig, table, choice), tmp_path / choice)
        found[choice] = events(tmp_path / choice, "epoch")[0], weights(tmp_path / choice)
    assert computed == [24]
    np.testing.assert_allclose(found["always"][0]["dev_loss"], found["never"][0]["dev_loss"], rtol=1e-4)
    assert np.any(found["always"][1]["encoder/sum/mixture"])
    for name, array in found["always"][1].items():
        np.testing.assert_allclose(array, found["never"][1][name], rtol=2e-3, atol=2e-5, err_msg=name)
    # Masks are at the same places of all of them.
    table["training"]["cache_frozen"] = "always"
    table["augmentation"] |= {"after": "norm", "time_masks": 2, "frequency_masks": 2, "frequency_width": 3}
    masked = parse(ExperimentConfig, table, "masked")
    train(masked, tmp_path / "masked")
    assert computed == [24, 0]


def test_padding_that_is_attended_to_is_not_left_out():
    encoder = {"kind": "whisper", "size": 8, "blocks": 3, "heads": 2, "hidden": 16, "window": 40, "pad": True}
    model = AcousticModel(parse(ModelConfig, {"encoder": encoder}, "pad"), 12, {"xx": 3})
    for name in ("stem", "transformer1", "transformer2"):
        model.block(name).trainable = False
    assert frozen_blocks(model) == []
    for name in model.block_names:
        model.block(name).trainable = False
    assert frozen_blocks(model) == model.block_names


def test_what_was_not_used_for_longest_is_removed_above_the_limit(tmp_path, monkeypatch, caplog):
    matrix = np.zeros((100, 100), np.float32)
    digests = {name: digest_of(np.full((1, 1), number, np.float32)) for number, name in enumerate("abc")}
    for age, name in enumerate(digests):
        store = OutputStore(tmp_path / "outputs" / name, {})
        store.open()
        store.add([(digests[name], matrix)])
        del store
        for journal in (tmp_path / "outputs" / name).glob("*.json"):
            os.utime(journal, (1000 + age, 1000 + age))
    # Reading is using: now b is the oldest.
    assert OutputStore(tmp_path / "outputs" / "a", {}).get(digests["a"])
    held = OutputStore(tmp_path / "outputs" / "c", {})
    monkeypatch.setenv("SPEECHTL_OUTPUTS_GB", str(130_000 / 1e9))

    def stored():
        return {name: OutputStore(tmp_path / "outputs" / name, {}).get(digests[name]) is not None for name in digests}

    def add():
        store = OutputStore(tmp_path / "outputs" / "new", {})
        store.open()
        store.add([("0", matrix)])

    add()
    assert stored() == {"a": True, "b": False, "c": True}
    # c is held, and what is being written is never removed, be it ever so large.
    add()
    assert stored() == {"a": False, "b": False, "c": True}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    add()
    assert stored()["c"] and held.get(digests["c"])
    assert "are in use, more than the limit of 0.00013 GB (SPEECHTL_OUTPUTS_GB)" in caplog.text
    del held
    add()
    assert stored() == {"a": False, "b": False, "c": False}
    monkeypatch.setenv("SPEECHTL_OUTPUTS_GB", "much")
    with pytest.raises(ConfigError, match="SPEECHTL_OUTPUTS_GB is 'much', expected a number"):
        add()
