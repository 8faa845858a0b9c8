"""Experiment directories that run without TensorFlow: when they do, and that they find the same."""

import logging
import os

import numpy as np
import pytest
from command_line import run
from small_encoders import ENCODERS
from small_experiments import small_experiment
from test_exported_model import assert_same_posteriors, speech

import speechtl
from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.experiment import Experiment
from speechtl.exporting import export_graphs as module
from speechtl.exporting.export_graphs import export_graphs
from speechtl.exporting.onnx_graph import OnnxGraph
from speechtl.layout import ExperimentLayout
from speechtl.models.language_head import attach_language_head
from speechtl.models.weights import load_arrays, save_arrays
from speechtl.recognition.load_model import load_model
from speechtl.runtime.exported_model import ExportedModel
from speechtl.transfer.attributes import Attributes
from speechtl.transfer.lhuc import Lhuc
from speechtl.transfer.speaker_layers import save_speaker, speaker_variables

TDNN = ENCODERS["tdnn"]


def test_the_posteriors_are_those_of_tensorflow(tmp_path):
    """Of two languages, with everything that has a graph or a head of its own."""

    def prepare(model):
        model = Attributes().prepare(model)
        model.add_private_blocks("en", ["tdnn2"])
        attach_language_head(model, "tdnn1", 4, ["en", "de"])
        return model

    folder = small_experiment(tmp_path / "exp", TDNN, ("de", "en"), prepare=prepare)
    assert export_graphs(folder) == folder
    model, experiment = load_model(folder), Experiment.load(folder)
    assert isinstance(model, ExportedModel)
    for language in ("de", "en"):
        assert_same_posteriors(model, experiment, language)
    batch = speech(10)
    np.testing.assert_allclose(
        model.language_probabilities(*batch), experiment.language_probabilities(*batch), atol=1e-5
    )
    assert model.lexicon("de") == experiment.lexicon("de") and model.frame_shift == experiment.frame_shift


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return an experiment that the command line has exported into its own directory."""
    folder = small_experiment(tmp_path_factory.mktemp("graphs") / "exp", TDNN)
    assert run("export", folder).stdout.startswith(f"{folder}: ")
    return folder


def test_other_weights_run_by_tensorflow_and_this_is_said_once(exported, caplog):
    caplog.set_level(logging.INFO, "speechtl")
    layout = ExperimentLayout(exported)
    kept = layout.weights.read_bytes()
    arrays = load_arrays(layout.weights)[0]
    save_arrays(layout.weights, arrays | {name: array + 0.1 for name, array in arrays.items() if name[-4:] == "bias"})
    try:
        for _ in range(2):
            assert isinstance(load_model(exported), Experiment)
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == 1 and f"{exported}: has changed since it was exported" in told[0]
        assert f"not after 'speechtl export {exported}'" in told[0]
    finally:
        layout.weights.write_bytes(kept)
    assert isinstance(load_model(exported), ExportedModel)


def test_a_damaged_description_is_told(exported, caplog):
    caplog.set_level(logging.INFO, "speechtl")
    layout = ExperimentLayout(exported)
    kept = layout.export.read_bytes()
    for content in (b"{", kept.replace(b'"format": 1', b'"format": 99'), kept.replace(b"fingerprint", b"toe print")):
        layout.export.write_bytes(content)
        assert isinstance(load_model(exported), Experiment)
    layout.export.write_bytes(kept)
    assert caplog.text.count("cannot be run as it was exported") == 3


def test_a_speakers_layers_have_graphs_of_their_own(exported, tmp_path, caplog):
    caplog.set_level(logging.INFO, "speechtl")
    experiment = Experiment.load(exported)
    Lhuc().prepare(experiment.model)
    rng = np.random.default_rng(1)
    for variable in speaker_variables(experiment.model).values():
        variable.assign(rng.normal(0, 0.3, variable.shape))
    stats = rng.normal(size=(2, 11))
    save_speaker(tmp_path / "anna" / "speaker.h5", experiment.model, exported, stats)
    assert isinstance(load_model(exported, tmp_path / "anna"), Experiment)
    assert "anna/speaker.h5: is not exported" in caplog.text
    assert export_graphs(exported, tmp_path / "anna") == tmp_path / "anna"
    for speaker in (tmp_path / "anna", tmp_path / "anna" / "speaker.h5"):
        model = load_model(exported, speaker)
        assert isinstance(model, ExportedModel)
        assert_same_posteriors(model, Experiment.load(exported, speaker))
        np.testing.assert_array_equal(model.speaker_stats, stats)
    with pytest.raises(AssertionError):
        assert_same_posteriors(model, Experiment.load(exported))
    save_speaker(tmp_path / "anna" / "speaker.h5", experiment.model, exported, None)
    assert isinstance(load_model(exported, tmp_path / "anna"), Experiment)


def test_what_is_written_is_there_as_a_whole_or_not_at_all(exported, monkeypatch):
    graphs = {"encoder": OnnxGraph(b"another", ())}
    monkeypatch.setattr(module, "model_graphs", lambda model: graphs)

    def left():
        return {path: path.read_bytes() for path in exported.rglob("*") if path.is_file()}

    before, rename = left(), os.rename

    def killed(source, target):
        if str(target).endswith(".replacing"):
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        export_graphs(exported)
    assert left() == before


def test_training_and_adaptation_export_at_their_end(shared_config_maker, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "speechtl")
    root, make_config = shared_config_maker
    config = make_config(training={"epochs": 1, "average": 1, "choose_pronunciations": []})

    def cannot(*arguments):
        raise ModelError("this model cannot be converted (Frobnicate)")

    with monkeypatch.context() as patch:
        patch.setattr(module, "model_graphs", cannot)
        speechtl.train(config, root / "exp")
    assert "not exported, so it recognises speech by TensorFlow: this model cannot be converted" in caplog.text
    assert isinstance(load_model(root / "exp"), Experiment)
    # A finished experiment is left alone, but for that.
    weights = (root / "exp" / "weights.h5").read_bytes()
    speechtl.train(config, root / "exp")
    assert (root / "exp" / "weights.h5").read_bytes() == weights
    assert isinstance(load_model(root / "exp"), ExportedModel)
    speechtl.adapt(root / "exp", root / "dev", root / "anna", method="lhuc", settings=["epochs=1"])
    model = load_model(root / "exp", root / "anna")
    assert isinstance(model, ExportedModel)
    assert_same_posteriors(model, Experiment.load(root / "exp", root / "anna"), "xx")


def test_options_that_are_of_files(exported):
    with pytest.raises(ConfigError, match="--precision int8 is of a file"):
        run("export", exported, precision="int8")
    with pytest.raises(ConfigError, match="--language is for other formats"):
        run("export", exported, exported.parent / "file.speechtl", language="de")
