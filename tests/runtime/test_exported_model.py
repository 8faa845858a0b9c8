"""Exported models against the experiments that they were made of."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from small_encoders import ENCODERS
from small_experiments import small_experiment

from speechtl.errors import LexiconError, ModelError
from speechtl.experiment.experiment import Experiment
from speechtl.exporting.export_model import export_model
from speechtl.exporting.stored_weights import stored_weights
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.language_head import attach_language_head
from speechtl.models.weights import load_arrays
from speechtl.pieces import processors
from speechtl.runtime.exported_model import ExportedModel
from speechtl.transfer.attributes import Attributes
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.lhuc import Lhuc
from speechtl.transfer.lora import Lora
from speechtl.transfer.speaker_layers import save_speaker, speaker_variables

TDNN = ENCODERS["tdnn"]


def exported(experiment, tmp_path, precision="float32", name="model"):
    export_model(experiment, tmp_path / f"{name}.speechtl", precision)
    return ExportedModel(tmp_path / f"{name}.speechtl")


def speech(bins, lengths=(23, 9, 1), seed=0):
    """Return a batch of features, with noise beyond the ends, and its lengths."""
    features = np.random.default_rng(seed).normal(size=(len(lengths), max(lengths), bins))
    return features.astype(np.float32), np.array(lengths, np.int32)


def assert_same_posteriors(own, theirs, language="de", atol=1e-4):
    for batch in (speech(theirs.features.dimension), speech(theirs.features.dimension, (40,), 1)):
        pairs = zip(own.batch_posteriors(*batch, language), theirs.batch_posteriors(*batch, language), strict=True)
        for ours, expected in pairs:
            assert ours.shape == expected.shape and ours.dtype == np.float32
            np.testing.assert_allclose(ours, expected, atol=atol)


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_every_encoder_gives_the_posteriors_of_tensorflow(encoder, tmp_path):
    experiment = Experiment.load(small_experiment(tmp_path / "exp", ENCODERS[encoder]))
    model = exported(experiment, tmp_path)
    assert_same_posteriors(model, experiment)
    assert model.frame_shift == experiment.frame_shift and model.languages == experiment.languages == ["de"]
    assert model.inventory().phones == experiment.inventory().phones
    assert model.lexicon().entries == experiment.lexicon().entries


@pytest.mark.parametrize("options", [{}, {"size": 5, "own_vectors": True}, {"own_vectors": True, "table": "chart"}])
def test_any_phones_are_scored_by_their_attributes(options, tmp_path):
    folder = small_experiment(tmp_path / "exp", TDNN, ("de", "en"), prepare=Attributes(**options).prepare)
    experiment = Experiment.load(folder)
    model = exported(experiment, tmp_path)
    assert model.scores_any_phone
    for language in ("de", "en"):
        assert_same_posteriors(model, experiment, language)
    phones = PhoneInventory(["a", "ɡ", "yː", "tʃ", "˥"])
    for one in (model, experiment):
        one.add_language("new", phones)
    assert_same_posteriors(model, experiment, "new")
    with pytest.raises(ModelError, match="has a head for language 'new' already"):
        model.add_language("new", phones)
    with pytest.raises(LexiconError, match="no_phone"):
        model.add_language("other", PhoneInventory(["no_phone"]))


def test_private_blocks_columns_and_the_recognition_of_languages(tmp_path):
    def prepare(model):
        model.add_column(AcousticModel(model.config, model.inputs, {}))
        model.add_laterals(3)
        model.add_private_blocks("en", ["tdnn2"])
        attach_language_head(model, "tdnn1", 4, ["en", "de"])
        return model

    experiment = Experiment.load(small_experiment(tmp_path / "exp", TDNN, ("de", "en"), prepare=prepare))
    model = exported(experiment, tmp_path)
    for language in ("de", "en"):
        assert_same_posteriors(model, experiment, language)
    assert list(model.private) == ["en"] and sorted(model.recognised_languages) == ["de", "en"]
    batch = speech(10)
    probabilities = model.language_probabilities(*batch)
    np.testing.assert_allclose(probabilities, experiment.language_probabilities(*batch), atol=1e-5)
    assert np.ptp(probabilities) > 0.01 and model.recognised_languages == experiment.recognised_languages
    # The only one with a lexicon.
    assert model.language(None) == experiment.language(None)


def test_what_was_not_trained_for_is_refused(tmp_path):
    model = exported(Experiment.load(small_experiment(tmp_path / "exp", TDNN)), tmp_path)
    with pytest.raises(ModelError, match="scores the phones it was trained on and no others"):
        model.add_language("new", PhoneInventory(["a"]))
    with pytest.raises(ModelError, match="was not trained to recognise languages"):
        model.language_probabilities(*speech(10))
    with pytest.raises(ModelError, match="no head for language 'xx'"):
        model.language("xx")


def test_a_speakers_layers_are_exported_and_give_way_to_anothers(tmp_path):
    folder = small_experiment(tmp_path / "exp", TDNN)
    rng = np.random.default_rng(1)

    def speaker(name, *methods):
        experiment = Experiment.load(folder)
        for method in methods:
            method.prepare(experiment.model)
        for variable in speaker_variables(experiment.model).values():
            variable.assign(rng.normal(0, 0.3, variable.shape))
        save_speaker(tmp_path / name / "speaker.h5", experiment.model, folder, rng.normal(size=(2, 11)))
        return Experiment.load(folder, tmp_path / name)

    anna, bert = (speaker(name, Lhuc(), Lora(blocks="tdnn2")) for name in ("anna", "bert"))
    model = exported(anna, tmp_path)
    assert_same_posteriors(model, anna)
    np.testing.assert_array_equal(model.speaker_stats, anna.speaker_stats)
    for other in (ExportedModel, Experiment.load):
        changed = other(tmp_path / "model.speechtl", tmp_path / "bert")
        assert_same_posteriors(changed, bert)
        np.testing.assert_array_equal(changed.speaker_stats, bert.speaker_stats)
    assert_same_posteriors(Experiment.load(tmp_path / "model.speechtl"), anna)

    speaker("carl", Lhuc(blocks="tdnn1"))
    with pytest.raises(ModelError, match="which was exported with those of another kind"):
        ExportedModel(tmp_path / "model.speechtl", tmp_path / "carl")
    exported(Experiment.load(folder), tmp_path, name="plain")
    with pytest.raises(ModelError, match="which was exported with no speaker; export the experiment with --speaker"):
        ExportedModel(tmp_path / "plain.speechtl", tmp_path / "anna")
    other = Experiment.load(small_experiment(tmp_path / "other", TDNN, seed=2, prepare=lambda model: model))
    other.model.block("tdnn1").conv.bias.assign(np.ones(16))
    exported(other, tmp_path, name="other")
    with pytest.raises(ModelError, match="belongs to another model"):
        ExportedModel(tmp_path / "other.speechtl", tmp_path / "anna")


@pytest.mark.parametrize(("precision", "error"), [("float16", 2e-2), ("int8", 0.3)])
def test_fewer_bits_take_less_room_and_lose_little(precision, error, tmp_path):
    experiment = Experiment.load(small_experiment(tmp_path / "exp", {**TDNN, "size": 64}))
    whole, rounded = exported(experiment, tmp_path), exported(experiment, tmp_path, precision, "rounded")
    sizes = [sum(array.nbytes for array in stored_weights(whole.weights, p).values()) for p in ("float32", precision)]
    assert sizes[1] < {"float16": 0.55, "int8": 0.35}[precision] * sizes[0]
    assert (tmp_path / "rounded.speechtl").stat().st_size < (tmp_path / "model.speechtl").stat().st_size
    assert_same_posteriors(rounded, experiment, atol=error)
    again = Experiment.load(tmp_path / "rounded.speechtl")
    assert_same_posteriors(rounded, again)
    for name, array in load_arrays(tmp_path / "exp" / "weights.h5")[0].items():
        step = (
            2.0**-11 * np.abs(array)
            if precision == "float16"
            else np.abs(array).max(tuple(range(array.ndim - 1))) / 254
        )
        assert np.all(np.abs(rounded.weights[name] - array) <= (step + 1e-7 if array.ndim > 1 else 0)), name


def test_weights_that_would_overflow_keep_their_precision():
    large = np.array([[1e5, 1.0]], np.float32)
    assert stored_weights({"kernel": large}, "float16")["kernel"].dtype == np.float32
    zero = stored_weights({"kernel": np.zeros((2, 2), np.float32)}, "int8")
    assert not zero["kernel"].any() and np.all(np.isfinite(zero["kernel:scale"]))


def test_it_is_a_source_to_transfer_from(tmp_path):
    experiment = Experiment.load(small_experiment(tmp_path / "exp", TDNN))
    exported(experiment, tmp_path)
    tf.keras.utils.set_random_seed(3)
    model = AcousticModel(experiment.config.model, 10, experiment.inventories)
    FineTuning(source=str(tmp_path / "model.speechtl")).prepare(model)
    for name, variable in experiment.model.variables().items():
        np.testing.assert_array_equal(model.variables()[name].value, variable.value)


def test_models_trained_in_bfloat16_are_computed_in_float32(tmp_path):
    folder = small_experiment(tmp_path / "exp", TDNN, model={"encoder": TDNN, "precision": "bfloat16"})
    experiment = Experiment.load(folder)
    model = exported(experiment, tmp_path)
    assert experiment.model.block("tdnn1").conv.precision == tf.bfloat16
    assert_same_posteriors(model, experiment, atol=0.2)
    with pytest.raises(AssertionError):
        assert_same_posteriors(model, experiment)


def test_broken_files_are_told_by_name(tmp_path):
    experiment = Experiment.load(small_experiment(tmp_path / "exp", TDNN))
    file = tmp_path / "model.speechtl"
    exported(experiment, tmp_path)
    with pytest.raises(ModelError, match=r"conf\.toml: where a model is expected, but neither an experiment"):
        (tmp_path / "conf.toml").write_text("x = 1")
        ExportedModel(tmp_path / "conf.toml")
    with pytest.raises(ModelError, match="is exported already"):
        export_model(Experiment.load(file), tmp_path / "again.speechtl")

    def changed(member, content):
        """Return the file with another content of a member, or without it."""
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / "changed.speechtl", "w") as new:
            for name in old.namelist():
                if name != member or content is not None:
                    new.writestr(name, content if name == member else old.read(name))
        return tmp_path / "changed.speechtl"

    with pytest.raises(ModelError, match=r"has format 99, expected 1"):
        ExportedModel(changed("speechtl.json", json.dumps({"format": 99})))
    with pytest.raises(ModelError, match=r"a zip, but no exported model"):
        ExportedModel(changed("speechtl.json", None))
    with pytest.raises(ModelError, match=r"weights\.safetensors: damaged"):
        ExportedModel(changed("weights.safetensors", b"nothing"))
    with pytest.raises(ModelError, match=r"encoder\.onnx: ONNX Runtime cannot load it"):
        ExportedModel(changed("graphs/encoder.onnx", b"nothing")).posteriors(speech(10)[0][0])
    shutil.copy(file, tmp_path / "cut.speechtl")
    with open(tmp_path / "cut.speechtl", "r+b") as cut:
        cut.truncate(file.stat().st_size // 2)
    with pytest.raises(ModelError, match=r"cut\.speechtl: where a model is expected"):
        ExportedModel(tmp_path / "cut.speechtl")
    content = bytearray(file.read_bytes())
    content[content.index(b"heads/de/output/kernel") + 5000 if len(content) > 5000 else 0] ^= 1
    (tmp_path / "bit.speechtl").write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.safetensors: cannot read: damaged \(Bad CRC"):
        ExportedModel(tmp_path / "bit.speechtl")


@pytest.mark.parametrize(("told", "threads"), [("1", 1), ("0", None), ("many", None)])
def test_threads_are_those_that_the_environment_allows(monkeypatch, told, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert processors() == (threads or len(os.sched_getaffinity(0)))
