"""Learning rates by weight, and weights that learn from a later epoch on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_runs import assert_same, train_killed, weights

from speechtl.adaptation.config import choose_config
from speechtl.adaptation.learner import Learner, Speech
from speechtl.errors import ConfigError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.weights import arrays_of, load_arrays
from speechtl.training.layer_rates import first_epochs, rate_factors
from speechtl.training.optimizer import make_optimizer
from speechtl.transfer.lora import Lora
from speechtl.transfer.multitask import Multitask

CONFIG = {"encoder": {"kind": "tdnn", "size": 12, "dilations": (1, 2), "subsampling": {"factor": 2}}}
DECAY, RATE = 0.3, 0.02


def variables(value=None):
    """Make two matrices and a bias of random numbers, or of one."""
    rng = np.random.default_rng(1)
    arrays = {"a/kernel": rng.normal(size=(3, 2)), "b/kernel": rng.normal(size=(2, 2)), "b/bias": rng.normal(size=2)}
    return {
        path: keras.Variable(array if value is None else np.full_like(array, value), dtype="float32")
        for path, array in arrays.items()
    }


def gradients(step, shapes):
    rng = np.random.default_rng((7, step))
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def apply(optimizer, found, steps, start=0):
    """Make some steps, on weights that learn from these steps on."""
    for step in steps:
        all_gradients = gradients(step, [tuple(variable.shape) for variable in found.values()])
        reached = [number for number in range(len(found)) if step >= start or number == 0]
        optimizer.apply([tf.constant(all_gradients[n]) for n in reached], [list(found.values())[n] for n in reached])


def adamw(weight, found, rate, decay):
    """Return a weight after AdamW's steps, in float64 (Loshchilov & Hutter 2019, algorithm 2)."""
    first = second = np.zeros_like(weight)
    for number, gradient in enumerate(found, 1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.98 * second + 0.02 * gradient**2
        step = (first / (1 - 0.9**number)) / np.sqrt(second / (1 - 0.98**number))
        weight = weight - rate * decay * weight - rate * step
    return weight


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_a_weight_with_a_tenth_of_the_rate_moves_a_tenth_as_far(kind):
    whole, tenth = variables(0.0), variables(0.0)
    apply(make_optimizer(RATE, whole, DECAY, kind), whole, range(1))
    apply(make_optimizer(RATE, tenth, DECAY, kind, factors=dict.fromkeys(tenth, 0.1)), tenth, range(1))
    for path, variable in whole.items():
        np.testing.assert_allclose(tenth[path].numpy(), 0.1 * variable.numpy(), rtol=1e-6)


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_two_rates_are_two_optimizers(kind):
    together, apart = variables(), variables()
    apply(make_optimizer(RATE, together, DECAY, kind, factors={"a/kernel": 0.25}), together, range(5))
    slow = {"a/kernel": apart["a/kernel"]}
    fast = {path: variable for path, variable in apart.items() if path not in slow}
    optimizers = make_optimizer(RATE / 4, slow, DECAY, kind), make_optimizer(RATE, fast, DECAY, kind)
    for step in range(5):
        found = [tf.constant(g) for g in gradients(step, [tuple(v.shape) for v in apart.values()])]
        optimizers[0].apply(found[:1], list(slow.values()))
        optimizers[1].apply(found[1:], list(fast.values()))
    assert_same(arrays_of(together), arrays_of(apart))


def test_rate_and_decay_are_those_of_the_formula():
    found, factors = variables(), {"a/kernel": 0.1, "b/kernel": 3.0}
    before = arrays_of(found)
    apply(make_optimizer(RATE, found, DECAY, factors=factors), found, range(6))
    steps = [gradients(step, [array.shape for array in before.values()]) for step in range(6)]
    for number, (path, array) in enumerate(before.items()):
        decay = 0.0 if path == "b/bias" else DECAY
        expected = adamw(array.astype(float), [s[number] for s in steps], RATE * factors.get(path, 1.0), decay)
        np.testing.assert_allclose(found[path].numpy(), expected, rtol=2e-4, err_msg=path)


def test_a_weight_that_starts_later_learns_as_in_a_new_optimizer():
    late, new = variables(), variables()
    starts = {"b/kernel": 4, "b/bias": 4}
    apply(make_optimizer(RATE, late, DECAY, starts=starts), late, range(9), start=4)
    apply(make_optimizer(RATE, new, DECAY), new, range(4, 9))
    for path in starts:
        np.testing.assert_allclose(late[path].numpy(), new[path].numpy(), rtol=1e-4)


def model_of(*methods):
    tf.keras.utils.set_random_seed(2)
    model = AcousticModel(ModelConfig.model_validate(CONFIG), 10, {"xx": 5, "yy": 4})
    for method in methods:
        model = method.prepare(model)
    return model


def test_factors_by_pattern_and_by_depth():
    model = model_of(Multitask(shared="first:2"))
    factors = rate_factors(model, {"encoder/*": 0.5, "encoder/tdnn1/norm/*": 4.0, "private/xx/*": 0.1}, 0.5)
    assert factors.keys() == model.trainable_variables().keys()
    expected = {
        "heads/yy/output/kernel": 1.0,
        "encoder/tdnn2/conv/kernel": 0.5,
        "encoder/tdnn1/conv/bias": 0.25,
        "encoder/tdnn1/norm/scale": 2.0,
        "encoder/subsampling/conv/kernel": 0.125,
        "private/xx/tdnn2/conv/kernel": 0.1,
        "private/yy/tdnn2/conv/kernel": 1.0,
    }
    assert {path: factors[path] for path in expected} == expected
    assert set(rate_factors(model_of(Lora()), {}, 0.5).values()) == {1.0}


def test_blocks_on_top_of_the_encoder_learn_as_fast_as_heads():
    whisper = {"kind": "whisper", "size": 8, "blocks": 2, "heads": 2, "hidden": 8, "window": 20}
    config = {"encoder": whisper, "sum_over": "all", "top": {"kind": "tdnn", "size": 8, "dilations": (1,)}}
    model = AcousticModel(ModelConfig.model_validate(config), 10, {"xx": 5})
    factors = rate_factors(model, {}, 0.5)
    by_block = {path.split("/")[1]: factor for path, factor in factors.items()}
    names = [*("stem", "transformer1", "transformer2", "norm", "sum"), *(model.block_names[-2:]), "xx"]
    assert [by_block[name] for name in names] == [0.125, 0.25, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert set(first_epochs(model, {"encoder": 3})) == {path for path in factors if path.split("/")[1] in model.core}


def test_epochs_by_block():
    model = model_of(Multitask(shared="first:2"))
    epochs = first_epochs(model, {"all": 2, "first:1": 5, "tdnn2": 3})
    by_folder = {"/".join(path.split("/")[:-2]): epoch for path, epoch in epochs.items()}
    assert by_folder == {
        **{"encoder/subsampling": 5, "encoder/tdnn1": 2, "encoder/tdnn2": 3},
        **{"private/xx/tdnn2": 3, "private/yy/tdnn2": 3},
    }


def test_what_is_not_there_is_listed():
    model = model_of(Lora())
    with pytest.raises(ConfigError, match=r"match no trained weight; there are within/subsampling/\*, .*\n  heads/\*"):
        rate_factors(model, {"heads/*": 0.1, "within/*": 2.0}, 1.0)
    with pytest.raises(ConfigError, match=r"unfreeze: blocks: not in this encoder, which has: .*\n  tdnn9"):
        first_epochs(model, {"tdnn9": 2})
    with pytest.raises(ConfigError, match=r"have frozen for good\n  tdnn1\n  tdnn2$"):
        first_epochs(model, {"last:2": 2})


def test_wrong_settings_are_said(make_config):
    path = make_config()
    with pytest.raises(ConfigError, match=r"unfreeze: all would never learn in 3 epochs"):
        load_config(path, ["training.unfreeze={all = 4}"])
    with pytest.raises(ConfigError, match=r"training\.rates\.encoder/\*: Input should be greater than 0"):
        load_config(path, ['training.rates={"encoder/*" = 0}'])


# Rates, and blocks that learn from the second and the third epoch on.
SETTINGS = [
    "training.unfreeze={all = 3, tdnn2 = 2}",
    'training.rates={"heads/*" = 2.0, "encoder/*/norm/*" = 0.5}',
    "training.layer_decay=0.9",
    "training.average=3",
]


@pytest.fixture(scope="module")
def gradual(shared_config_maker):
    """Return a config with these settings and the directory of a whole run."""
    root, make_config = shared_config_maker
    config = load_config(make_config(), SETTINGS)
    train(config, root / "whole")
    return config, root / "whole"


def test_blocks_stay_to_the_bit_until_their_epoch(gradual):
    config, path = gradual
    tf.keras.utils.set_random_seed(config.seed)
    model = AcousticModel(config.model, config.features.dimension, {"xx": PhoneInventory("aikstu")})
    before = arrays_of(model.variables())
    moved = []
    for epoch in (1, 2, 3):
        after, _ = load_arrays(path / "state" / f"epoch-{epoch:04d}.h5")
        assert after.keys() == before.keys()
        moved.append({name.split("/")[1] for name, array in after.items() if np.any(array != before[name])})
    assert moved == [{"xx"}, {"xx", "tdnn2"}, {"xx", "tdnn2", "tdnn1", "subsampling"}]


def test_a_killed_run_continues_to_the_same_weights(gradual, tmp_path):
    config, path = gradual
    train_killed(config, tmp_path / "killed", 2, 5)
    assert_same(weights(path), weights(tmp_path / "killed"))


def test_adaptation_has_rates_too(source):
    rng = np.random.default_rng(3)
    speech = Speech(["u"], [rng.normal(size=(40, 12)).astype(np.float32)], [[1, 2, 3]])
    moves = []
    for settings in ((), ('rates={"heads/*" = 0.1}', "layer_decay=0.5")):
        config = choose_config(10.0, "fine_tuning", (*settings, "learning_rate=1e-2"))
        learner = Learner(Experiment.load(source), config, "xx")
        assert list(learner.learn(speech, 1)) == [1]
        after = learner.weights()
        moves.append({path: after[path] - learner.start[path].numpy() for path in after})
    for path, factor in {
        "heads/xx/output/kernel": 0.1,
        "encoder/tdnn2/conv/kernel": 1.0,
        "encoder/tdnn1/conv/kernel": 0.5,
        "encoder/subsampling/conv/kernel": 0.25,
    }.items():
        assert np.any(moves[0][path])
        np.testing.assert_allclose(moves[1][path], factor * moves[0][path], atol=1e-7, err_msg=path)
