"""Models in the formats of other tools against TensorFlow, run as these tools would, on speech of several lengths."""

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from command_line import run
from small_encoders import ENCODERS
from small_experiments import PHONES, small_experiment

from speechtl.errors import ConfigError, DataError, ModelError
from speechtl.experiment.experiment import Experiment
from speechtl.exporting import whole_graphs
from speechtl.exporting.whole_graphs import export_whole
from speechtl.layout import ExperimentLayout
from speechtl.models.weights import save_arrays

TDNN = ENCODERS["tdnn"]


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    """Return experiments of two languages, by their kind of normalisation."""
    found = {}
    for kind in ("speaker", "global"):
        folder = tmp_path_factory.mktemp(kind) / "exp"
        small_experiment(folder, TDNN, ("de", "en"), normalisation={"kind": kind})
        rng = np.random.default_rng(3)
        frames = rng.normal(2, 3, (500, 10))
        stats = np.zeros((2, 11))
        stats[0, :-1], stats[0, -1], stats[1, :-1] = frames.sum(axis=0), len(frames), np.square(frames).sum(axis=0)
        save_arrays(ExperimentLayout(folder).cmvn, {"global": stats})
        found[kind] = Experiment.load(folder)
    return found


def saved_model(folder):
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return lambda **inputs: {key: value.numpy() for key, value in serve(**inputs).items()}


def onnx_model(folder):
    file = folder / "model.onnx"
    onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(str(file))
    names = [output.name for output in session.get_outputs()]
    return lambda **inputs: dict(zip(names, session.run(None, inputs), strict=True))


def litert(folder):
    return tf.lite.Interpreter(model_path=str(folder / "model.tflite")).get_signature_runner("serving_default")


@pytest.mark.parametrize(
    ("form", "load", "kind"),
    [("saved-model", saved_model, "speaker"), ("onnx", onnx_model, "global"), ("litert", litert, "speaker")],
)
def test_posteriors_of_plain_features_are_those_of_tensorflow(experiments, form, load, kind, tmp_path):
    experiment = experiments[kind]
    folder = tmp_path / "out"
    assert run("export", experiment.path, folder, format=form, language="en").stdout.startswith(f"{folder}")
    compute = load(folder)
    for seed, lengths in enumerate([(40,), (93, 7, 30), (1,)]):
        features = np.random.default_rng(seed).normal(2, 3, (len(lengths), max(lengths), 10)).astype(np.float32)
        found = compute(features=features, lengths=np.array(lengths, np.int32))
        rows = zip(found["log_posteriors"], found["frames"], features, lengths, strict=True)
        for posteriors, count, row, length in rows:
            expected = experiment.posteriors(experiment.normaliser(row[:length], None), "en")
            np.testing.assert_allclose(posteriors[:count], expected, atol=1e-4)
    assert [line.split()[0] for line in (folder / "phones.txt").read_text().splitlines()] == ["<blk>", *PHONES["en"]]
    readme = (folder / "README.md").read_text()
    assert "num_mel_bins = 10" in readme and "of language en" in readme
    with pytest.raises(DataError, match="exists"):
        run("export", experiment.path, folder, format=form, language="en")


def test_what_a_format_cannot_do_is_one_sentence(experiments, tmp_path, monkeypatch):
    experiment = experiments["speaker"]
    for options, words in (
        ({"format": "onnx"}, r"phones of one language; name it with --language \(de, en\)"),
        ({"format": "onnx", "language": "xx"}, "no head for language 'xx'"),
    ):
        with pytest.raises(ModelError, match=words):
            run("export", experiment.path, tmp_path / "out", **options)
    for options, words in (
        ({"format": "litert", "precision": "int8"}, "--precision int8 is for files of speechtl"),
        ({"format": "onnx", "dev": "data"}, "--dev is for files of speechtl"),
    ):
        with pytest.raises(ConfigError, match=words):
            run("export", experiment.path, tmp_path / "out", **options)
    with pytest.raises(ConfigError, match="writes a new folder; name it"):
        run("export", experiment.path, format="onnx")
    monkeypatch.setattr(whole_graphs, "_LARGEST", 1000)
    with pytest.raises(ModelError, match="more than the 2 GiB"):
        export_whole(experiment, tmp_path / "out", "onnx", "en")
    monkeypatch.setattr(whole_graphs, "_TOLERANCE", -1.0)
    with pytest.raises(ModelError, match=r"LiteRT cannot compute this model \(its results are not"):
        export_whole(experiment, tmp_path / "out", "litert", "en")
    assert not (tmp_path / "out").exists()
