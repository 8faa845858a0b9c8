"""A checkpoint as the source of an experiment: what is trained from it, and what is said where it does not fit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_checkpoints import write_checkpoint
from training_runs import SHORT, assert_same, weights

from speechtl.config import read_toml
from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.pretrained.import_checkpoint import import_checkpoint
from speechtl.transfer.method import load_source
from speechtl.transfer.methods import METHODS

ENCODER = {"kind": "whisper", "size": 24, "blocks": 2, "heads": 3, "hidden": 40, "window": 18, "dilations": None}
TRANSFER = {"method": "layer_transfer", "blocks": "encoder"}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    root = tmp_path_factory.mktemp("imported")
    for family in ("whisper", "wav2vec2", "wavlm"):
        import_checkpoint(write_checkpoint(root / "of" / family, family), root / family)
    return root


@pytest.fixture
def config(make_corpus, make_config, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(("train", "dev"), 1):
        make_corpus(name, seed=number, bins=80)

    def make(transfer, **changes):
        changes.setdefault("model__encoder", ENCODER)
        changes.setdefault("features", {"kind": "whisper", "num_mel_bins": 80})
        return load_config(make_config(normalisation={"kind": "none"}, transfer=transfer, **changes), SHORT)

    return make


def test_training_from_a_name_is_training_from_what_was_imported(imported, config, tmp_path):
    folder = str(imported / "of" / "whisper")
    train(config([TRANSFER | {"source": folder}]), tmp_path / "by_name")
    train(config([TRANSFER | {"source": str(imported / "whisper")}]), tmp_path / "by_directory")
    found = weights(tmp_path / "by_name")
    # Importing draws nothing from the random numbers of the training.
    assert_same(found, weights(tmp_path / "by_directory"))
    for name, values in weights(imported / "whisper").items():
        np.testing.assert_array_equal(found[name], values)
    assert read_toml(tmp_path / "by_name" / "config.toml")["transfer"][0]["source"] == folder
    assert Experiment.load(tmp_path / "by_name").languages == ["xx"]


def test_fine_tuning_near_the_source(imported, config, tmp_path):
    source = str(imported / "whisper")
    methods = [
        {"method": "fine_tuning", "source": source, "fresh": ["heads/*"]},
        {"method": "conservative_training", "source": source, "distance": "parameter", "weight": 0.01},
    ]
    train(config(methods), tmp_path / "out")
    before, after = weights(source), weights(tmp_path / "out")
    assert (before["encoder/transformer1/widen/kernel"] != after["encoder/transformer1/widen/kernel"]).any()


@pytest.mark.parametrize("method", ["fine_tuning", "layer_transfer", "weight_interpolation"])
def test_another_encoder_is_one_message(imported, config, tmp_path, method):
    table = {"method": method, "source": str(imported / "whisper")}
    table |= {"blocks": "encoder"} if method == "layer_transfer" else {"fresh": ["heads/*"]}
    # The same weights with other heads would be another model, and no shape would tell.
    other = ENCODER | {"heads": 4, "hidden": 44, "dropout": 0.2}
    with pytest.raises(
        ConfigError, match=r"\[model\.encoder\] differs from this experiment's; copy that sec"
    ) as caught:
        train(config([table], model__encoder=other), tmp_path / "out")
    assert str(caught.value).splitlines()[1:] == ["  heads: 3 there, 4 here", "  hidden: 40 there, 44 here"]


def test_the_first_blocks_can_be_taken_alone(imported, config, tmp_path):
    table = {"method": "layer_transfer", "source": str(imported / "whisper"), "blocks": ["stem", "transformer1"]}
    train(config([table], model__encoder=ENCODER | {"blocks": 1}), tmp_path / "out")
    found = weights(tmp_path / "out")
    name = "encoder/transformer1/query/kernel"
    np.testing.assert_array_equal(found[name], weights(imported / "whisper")[name])


def test_other_features_are_refused(imported, config, tmp_path):
    table = TRANSFER | {"source": str(imported / "wav2vec2")}
    with pytest.raises(ConfigError, match=r"\[features\] differs from this experiment's"):
        train(config([table]), tmp_path / "out")


def test_a_source_that_is_nothing(config, tmp_path):
    with pytest.raises(ModelError, match=r"nowhere: not an experiment directory \(no config\.toml\)"):
        train(config([TRANSFER | {"source": str(tmp_path / "nowhere")}]), tmp_path / "out")


def test_without_a_head_nothing_is_recognised(imported):
    directory = ExperimentDirectory(imported / "whisper")
    advice = "whisper: has no head, as it is an imported encoder .* train one on it first"
    for use in (directory.inventory, directory.data_of, lambda: directory.language(None)):
        with pytest.raises(ModelError, match=advice):
            use()
    with pytest.raises(ModelError, match=advice):
        Experiment.load(imported / "whisper")


@pytest.mark.parametrize(
    "name", [name for name, one in METHODS.items() if {"source", "columns"} & one.model_fields.keys()]
)
def test_the_sources_of_every_method_can_be_elsewhere(name):
    method = METHODS[name]
    fields = {"columns": ("a", "b")} if "columns" in method.model_fields else {"source": "a"}
    fields |= {"blocks": "all"} if name == "layer_transfer" else {}
    fields |= {"pairs": {"tdnn1": ("tdnn1",)}} if "pairs" in method.model_fields else {}
    moved = method(**fields).with_sources({"a": "elsewhere/a", "b": "elsewhere/b"})
    assert moved.sources() == tuple(f"elsewhere/{one}" for one in "ab"[: 1 + ("columns" in fields)])


@settings(max_examples=6)
@example(samples=800)
@given(samples=st.integers(400, 40000))
def test_any_length_of_speech(imported, samples):
    for family in ("whisper", "wav2vec2", "wavlm"):
        features = ExperimentDirectory(imported / family).features
        model = load_source(str(imported / family), features.dimension)
        frames = features.num_frames(samples)
        encoded = model.encode(tf.ones((1, frames, features.dimension)), tf.constant([frames]))
        for name, output in encoded.outputs.items():
            assert output.shape[1] == encoded.lengths[name][0]
            assert np.isfinite(output).all()
        expected = -(-(samples // 160) // 2) if family == "whisper" else (samples - 80) // 320
        assert encoded.lengths[encoded.last][0] == expected


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of the process from /proc")
def test_memory_grows_with_the_length_of_speech_and_not_faster(imported):
    code = f"""
import pathlib, re, tensorflow as tf
from speechtl.transfer.method import load_source
model = load_source({str(imported / "whisper")!r}, 80)
run = tf.function(lambda x: model.encode(x, tf.shape(x)[1:2]).outputs["norm"])
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])

run(tf.zeros((1, 50, 80)))
peaks = [peak()]
for minutes in (5, 40):
    print(run(tf.zeros((1, minutes * 6000, 80))).shape[1])
    peaks.append(peak())
print((peaks[2] - peaks[0]) / (peaks[1] - peaks[0]))
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert result[:2] == ["15000", "120000"]
    # Eight times as long; attention over all of it would take 64 times the memory.
    assert float(result[2]) < 16
