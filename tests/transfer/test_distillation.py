"""A student of a teacher, with the loss written out in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from training_runs import SHORT, events, weights

from speechtl.batches.config import DataConfig, NormalisationConfig
from speechtl.batches.pipeline import Batch
from speechtl.batches.source import Normaliser, Source
from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.config import FeatureConfig
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.training.frozen_outputs import FrozenOutputs
from speechtl.training.objective import Objective
from speechtl.transfer.distillation import Distillation

BINS = 10
LENGTHS = [23, 12, 1]
PAIRS = {"tdnn1": ["tdnn2", "tdnn1"], "subsampling": "tdnn1"}


def network(seed, size, factor, **more):
    tf.keras.utils.set_random_seed(seed)
    encoder = {"kind": "tdnn", "size": size, "dilations": (1, 2), "subsampling": {"factor": factor}, **more}
    return AcousticModel(ModelConfig.model_validate({"encoder": encoder}), BINS, {"xx": 4})


def student(ours=2, theirs=2, **settings):
    """Return a small model that is prepared to learn from a larger one, and the method."""
    model = network(3, 6, ours)
    model.teachers["big"] = network(4, 9, theirs)
    method = Distillation.model_validate({"source": "big", "pairs": PAIRS, **settings})
    return method.prepare(model), method


def batch(lengths=LENGTHS, seed=0):
    """Make a batch whose features have been changed by augmentation."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(len(lengths), max(lengths), BINS)).astype(np.float32)
    features = clean + rng.normal(size=clean.shape).astype(np.float32)
    for row, length in enumerate(lengths):
        clean[row, length:], features[row, length:] = 5.0, -5.0  # padding must not matter
    none = tf.zeros(len(lengths), tf.int32)
    total = tf.constant(len(lengths))
    labels = tf.zeros((len(lengths), 0), tf.int32)
    targets = {"input": tf.constant(clean)}
    return Batch(features, tf.constant(lengths), labels, none, none, none, none, total, total * 0, targets=targets)


def grouped(matrix, factor):
    return np.array([matrix[start : start + factor].mean(axis=0) for start in range(0, len(matrix), factor)])


def expected(model, method, speech):
    """Return loss and mean cosines by the formula, one utterance and one frame at a time."""
    teacher = model.teachers["big"]
    losses, cosines = [], {}
    for block, targets in method.pairs.items():
        for target in targets:
            predictor = model.auxiliary[f"distillation_{block}_{target}"]
            ours, theirs = (one.subsampling for one in (model, teacher))
            by_utterance = []
            for row, length in enumerate(speech.lengths.numpy()):
                alone = tf.constant([length])
                heard = (
                    teacher.encode(speech.targets["input"][row : row + 1, :length], alone).outputs[target][0].numpy()
                )
                encoded = model.encode(speech.features[row : row + 1, :length], alone).outputs[block]
                predicted = predictor(encoded)[0].numpy()
                there, here = grouped(heard, max(ours // theirs, 1)), grouped(predicted, max(theirs // ours, 1))
                assert len(there) == len(here) == -(-length // max(ours, theirs))
                frames = []
                for p, h in zip(here, there):
                    cosine = p @ h / np.linalg.norm(p) / np.linalg.norm(h)
                    frames.append((np.abs(p - h).mean() + method.cosine * np.log1p(np.exp(-cosine)), cosine))
                by_utterance.append(np.mean(frames, axis=0))
            loss, cosine = np.mean(by_utterance, axis=0)
            losses.append(loss)
            cosines[f"distillation_cosine_{block}_{target}"] = cosine
    return method.weight * np.mean(losses), cosines


@pytest.mark.parametrize(("ours", "theirs"), [(2, 2), (4, 2), (1, 3)])
def test_the_loss_is_that_of_the_formula(ours, theirs):
    model, method = student(ours, theirs, weight=1.5, cosine=0.7)
    speech = batch()
    terms, measures = Objective(model, [method])(speech, "xx", None, tf.constant(0.0))
    loss, cosines = expected(model, method, speech)
    assert float(terms["distillation"]) == pytest.approx(loss, rel=1e-5)
    assert {name: float(value) for name, value in measures.items()} == pytest.approx(cosines, rel=1e-4)
    assert len(cosines) == 3


def test_an_utterance_has_the_same_loss_alone_and_in_a_batch():
    model, method = student(4, 2)
    objective = Objective(model, [method])
    whole = batch()
    together = float(objective(whole, "xx", None, tf.constant(0.0)).terms["distillation"])
    alone = []
    for row, length in enumerate(LENGTHS):
        cut = {"input": whole.targets["input"][row : row + 1, :length]}
        one = Batch(whole.features[row : row + 1, :length], *(part[row : row + 1] for part in whole[1:7]), 1, 0, cut)
        alone.append(float(objective(one, "xx", None, tf.constant(0.0)).terms["distillation"]))
    assert together == pytest.approx(np.mean(alone), rel=1e-5)


def test_teacher_and_prediction_layers_are_not_stored():
    model, _ = student()
    names = {"distillation_tdnn1_tdnn2", "distillation_tdnn1_tdnn1", "distillation_subsampling_tdnn1"}
    assert set(model.training_only) == {f"auxiliary/{name}" for name in names}
    frozen = {id(variable) for variable in model.teachers["big"].variables().values()}
    assert not frozen & {id(variable) for variable in model.variables().values()}
    plain = network(3, 6, 2)
    off = Distillation(source="no such place", pairs={"tdnn1": ("tdnn2",)}, weight=0)
    assert off.prepare(plain) is plain and not plain.auxiliary and not off.teacher_blocks()


def test_pairs_that_do_not_fit_are_listed():
    model, teacher = network(3, 6, 2), network(4, 9, 3)
    model.teachers["big"] = teacher
    pairs = {"tdnn9": "tdnn1", "tdnn1": ["tdnn1", "transformer4"]}
    with pytest.raises(ModelError, match="pairs that do not fit big") as error:
        Distillation.model_validate({"source": "big", "pairs": pairs}).prepare(model)
    assert [line.strip().split(":")[0] for line in str(error.value).splitlines()[1:]] == [
        "tdnn9",
        "tdnn1",
        "transformer4",
    ]
    assert "one frame for 2 of the features, tdnn1 of the teacher one for 3" in str(error.value)
    model, method = student()
    with pytest.raises(ModelError, match="block 'tdnn1' predicts 'tdnn2' in two tables"):
        method.prepare(model)


def loss_of_the_mean(model, features, block):
    """Return the loss of who predicts the mean of a block's outputs, whatever is said."""
    outputs = [model.encode(one[np.newaxis], tf.constant([len(one)])).outputs[block][0].numpy() for one in features]
    mean = np.concatenate(outputs).mean(axis=0)
    losses = []
    for one in outputs:
        cosine = one @ mean / np.linalg.norm(one, axis=1) / np.linalg.norm(mean)
        losses.append((np.abs(one - mean).mean(axis=1) + np.log1p(np.exp(-cosine))).mean())
    return np.mean(losses)


@pytest.fixture
def computed(monkeypatch, tmp_path):
    """Start with an empty cache; return a list of how many utterances a teacher has heard in each run."""
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    counts, plain = [], FrozenOutputs._computed

    def count(self, read, frames, numbers):
        counts.append(len(numbers))
        return plain(self, read, frames, numbers)

    monkeypatch.setattr(FrozenOutputs, "_computed", count)
    return counts


def test_a_teacher_that_is_heard_once_gives_the_same_losses(source, make_config, make_corpus, computed, tmp_path):
    folder = make_corpus("silent", utterances=5, seed=5)
    pairs = {"tdnn1": ["tdnn2", "subsampling"]}
    path = make_config(
        data={"unlabelled": str(folder)},
        model__encoder={"size": 12, "subsampling": {"factor": 4}},
        transfer={"method": "distillation", "source": str(source), "pairs": pairs},
    )
    for name, choice in (("once", "always"), ("again", "always"), ("every", "never")):
        train(load_config(path, [*SHORT, "training.epochs=2", f"training.cache_frozen={choice}"]), tmp_path / name)
    assert computed == [12 + 5 + 12, 0]
    once, again, every = (events(tmp_path / name, "epoch") for name in ("once", "again", "every"))
    assert once == again
    for first, second in zip(once, every, strict=True):
        assert first["distillation"] == pytest.approx(second["distillation"], rel=1e-4)
        assert first["train_loss"] == pytest.approx(second["train_loss"], rel=1e-3)
    train(load_config(path, [*SHORT, "training.cache_frozen=auto"]), tmp_path / "small")
    assert len(computed) == 2


def test_two_tables_with_one_teacher_are_refused(source, make_config, tmp_path):
    tables = [
        {"method": "distillation", "source": str(source), "pairs": {"tdnn1": block}} for block in ("tdnn1", "tdnn2")
    ]
    with pytest.raises(ConfigError, match=r"two tables have the teacher .*source; name all pairs in one"):
        train(load_config(make_config(transfer=tables)), tmp_path / "two")


def test_a_student_learns_from_speech_without_labels(source, make_config, make_corpus, tmp_path):
    folder = make_corpus("silent", utterances=16, seed=5)
    (folder / "text").unlink()
    path = make_config(
        data={"language": "yy", "unlabelled": str(folder), "train": None, "dev": None, "lexicon": None},
        model__encoder={"size": 12, "dilations": [1], "dropout": 0.0},
        augmentation={"time_masks": 0, "frequency_masks": 0},
        transfer={"method": "distillation", "source": str(source), "pairs": {"tdnn1": "tdnn2"}},
        training={"epochs": 12, "learning_rate": 0.02, "choose_pronunciations": []},
    )
    train(load_config(path), tmp_path / "student")
    log = events(tmp_path / "student", "epoch")
    losses = [event["train_loss"] for event in log]
    cosines = [event["distillation_cosine_tdnn1_tdnn2"] for event in log]
    assert losses[-1] < losses[0] and cosines[-1] > cosines[0]
    assert losses[-1] == pytest.approx(log[-1]["distillation"])
    speech = Source([folder], DataConfig(), Normaliser(NormalisationConfig()), FeatureConfig(num_mel_bins=12))
    features = [speech.features(index) for index in range(len(speech))]
    assert losses[-1] < 0.8 * loss_of_the_mean(Experiment.load(source).model, features, "tdnn2")
    assert all(name.startswith("encoder/") for name in weights(tmp_path / "student"))
