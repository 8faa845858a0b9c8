import numpy as np
import pytest
from training_runs import assert_same, weights

from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train


def copy_of(source):
    return {"method": "fine_tuning", "source": str(source)}


def test_all_weights_start_from_the_source(source, make_config, tmp_path):
    # A rate that rounds to nothing keeps what was copied.
    config = make_config(name="tune.toml", transfer=copy_of(source))
    still = ["training.epochs=1", "training.learning_rate=1e-30", "training.weight_decay=0.0", "training.average=1"]
    train(load_config(config, still), tmp_path / "tuned")
    assert_same(weights(source), weights(tmp_path / "tuned"))


def test_the_source_stays_as_it_was_and_the_copy_moves(source, make_config, tmp_path):
    before = weights(source)
    stamp = (source / "weights.h5").read_bytes()
    config = make_config(name="tune.toml", transfer=copy_of(source))
    train(load_config(config), tmp_path / "tuned")
    assert (source / "weights.h5").read_bytes() == stamp
    assert any(np.any(before[name] != array) for name, array in weights(tmp_path / "tuned").items())


def test_the_head_and_its_phones_come_from_the_source(source, make_config, make_corpus, tmp_path):
    # The new speech has fewer phones; the source's head decides all the same.
    few = make_corpus("few", seed=5)
    (few / "text").write_text("".join(f"{line.split()[0]} tak\n" for line in (few / "text").read_text().splitlines()))
    config = make_config(train="few", name="tune.toml", transfer=copy_of(source))
    train(load_config(config), tmp_path / "tuned")
    assert Experiment.load(tmp_path / "tuned").inventory() == Experiment.load(source).inventory()


def test_a_source_that_does_not_fit_is_refused(source, make_config, tmp_path):
    wider = make_config(name="wide.toml", model__encoder={"dropout": 0.2, "size": 20}, transfer=copy_of(source))
    with pytest.raises(ModelError, match=r"encoder/tdnn1/conv/kernel: shape \(60, 20\) here, \(48, 16\) in the source"):
        train(load_config(wider), tmp_path / "tuned")
    other = make_config(name="other.toml", normalisation={"kind": "utterance"}, transfer=copy_of(source))
    with pytest.raises(ConfigError, match=r"config\.toml: \[normalisation\] differs"):
        train(load_config(other), tmp_path / "tuned")
    with pytest.raises(ModelError, match=r"nowhere: not an experiment directory \(no config\.toml\)"):
        train(
            load_config(make_config(name="n.toml", transfer=copy_of("nowhere"))),
            tmp_path / "x",
        )
