"""Speech whose transcripts are not read, in the same batches as labelled speech."""

from typing import Literal

import numpy as np
import pytest
import tensorflow as tf
from training_runs import assert_same, events, train_killed, weights

from speechtl.batches.config import BatchConfig, DataConfig, NormalisationConfig
from speechtl.batches.labelling import Labelling
from speechtl.batches.pipeline import make_dataset
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Normaliser, Source
from speechtl.errors import ConfigError, DataError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.config import FeatureConfig
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.tdnn import TdnnConfig
from speechtl.training.objective import Objective
from speechtl.training.trainer import Trainer
from speechtl.transfer.method import TransferMethod

FEATURES = FeatureConfig(num_mel_bins=12)
SHORT = ["training.epochs=2", "training.average=1"]


class Quiet(TransferMethod):
    """A method that learns from any speech: the smaller the last block's outputs, the better."""

    method: Literal["quiet"] = "quiet"

    def loss_terms(self, step):
        return {"quiet": tf.reduce_mean(tf.square(step.encoded.outputs[step.encoded.last]))}


@pytest.fixture
def quiet(monkeypatch):
    """Let every run have the method above, of which configs know nothing."""
    monkeypatch.setattr("speechtl.experiment.train.Trainer", lambda model, _, *rest: Trainer(model, (Quiet(),), *rest))


@pytest.fixture
def silent(make_corpus):
    """Return a data directory whose text would be an error if it were read: unknown words."""
    folder = make_corpus("silent", utterances=9, speakers=2, seed=5)
    lines = (folder / "text").read_text().splitlines()
    (folder / "text").write_text("".join(f"{line.split()[0]} unheardof words\n" for line in lines))
    return folder


def with_silent(make_config, silent):
    return make_config(data={"unlabelled": str(silent)})


def silent_alone(make_config, silent, **changes):
    """Write a config of unlabelled speech alone."""
    data = {"language": "yy", "unlabelled": str(silent), "train": None, "dev": None, "lexicon": None}
    return make_config(name="alone.toml", data=data, **changes)


def test_unlabelled_utterances_share_batches_and_have_no_labels(make_corpus, lexicon_file, silent):
    folder = make_corpus("train", seed=1)
    (silent / "text").unlink()
    inventory = PhoneInventory(["a", "i", "k", "s", "t", "u"])
    normaliser = Normaliser(NormalisationConfig())
    parts = (DataConfig(language="xx"), normaliser, FEATURES, Labelling(inventory, Lexicon.load(lexicon_file)))
    alone = Source([folder], *parts)
    both = Source([folder], *parts, unlabelled=[silent])
    labels = dict(zip(both.utterance_ids, both.labels, strict=True))
    assert dict(zip(alone.utterance_ids, alone.labels, strict=True)).items() <= labels.items()
    assert len(labels) == 12 + 9 and sum(not units for units in labels.values()) == 9
    mixed = 0
    for batch in make_dataset(both, plan_once([both.frames], BatchConfig(frames=1000)), 12):
        names = [both.utterance_ids[index] for index in batch.utterances.numpy()]
        np.testing.assert_array_equal(batch.label_lengths, [len(labels[name]) for name in names])
        assert int(batch.labelled) == sum(bool(labels[name]) for name in names)
        assert int(batch.total) == len(names)
        mixed += 0 < int(batch.labelled) < len(names)
    assert mixed


def test_the_ctc_term_is_a_mean_over_labelled_utterances(make_corpus, lexicon_file, silent):
    """So its value, and its balance with other terms, do not depend on how much unlabelled speech is beside it."""
    folder = make_corpus("train", seed=1)
    inventory = PhoneInventory(["a", "i", "k", "s", "t", "u"])
    labelling = Labelling(inventory, Lexicon.load(lexicon_file))
    parts = (DataConfig(language="xx"), Normaliser(NormalisationConfig()), FEATURES, labelling)
    model = AcousticModel(ModelConfig(encoder=TdnnConfig(size=16, dilations=(1,))), 12, {"xx": 7})
    terms = []
    for more in ((), (silent,)):
        source = Source([folder], *parts, unlabelled=more)
        (batch,) = make_dataset(source, plan_once([source.frames], BatchConfig(frames=10**6)), 12)
        terms.append(float(Objective(model)(batch, "xx", None, tf.constant(0.0)).terms["ctc"]))
    assert terms[0] == pytest.approx(terms[1], rel=1e-5)


def test_the_logged_loss_is_that_of_labelled_speech(make_config, silent, quiet, tmp_path):
    losses = []
    for name, path in (("without", make_config()), ("with", with_silent(make_config, silent))):
        train(load_config(path, [*SHORT, "training.learning_rate=1e-9"]), tmp_path / name)
        losses += [event["train_loss"] for event in events(tmp_path / name, "epoch")]
    # Dropout and masks differ; a mean over all utterances would be lower by 3/7.
    np.testing.assert_allclose(losses, losses[0], rtol=0.1)


def test_a_killed_run_continues_to_the_same_weights(make_config, silent, quiet, tmp_path):
    config = load_config(with_silent(make_config, silent), SHORT)
    train(config, tmp_path / "whole")
    train_killed(config, tmp_path / "killed", 4)
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_a_language_without_labels_has_no_head(make_config, make_corpus, quiet, silent, tmp_path):
    (silent / "text").unlink()
    data = load_config(make_config()).model_dump(exclude_none=True)["data"]
    path = make_config(name="two.toml", data=[*data, {"language": "yy", "unlabelled": str(silent)}])
    train(load_config(path, SHORT), tmp_path / "two")
    experiment = Experiment.load(tmp_path / "two")
    assert experiment.languages == ["xx"]
    assert not any(name.startswith("heads/yy") for name in weights(tmp_path / "two"))
    with pytest.raises(ModelError, match=r"no head for language 'yy'; this model has: xx"):
        experiment.language("yy")


def test_an_encoder_is_trained_without_any_head_and_its_weights_start_another_run(make_config, silent, quiet, tmp_path):
    train(load_config(silent_alone(make_config, silent), SHORT), tmp_path / "alone")
    assert all(name.startswith("encoder/") for name in weights(tmp_path / "alone"))
    assert Experiment.load(tmp_path / "alone").languages == []
    transfer = {"method": "fine_tuning", "source": str(tmp_path / "alone"), "fresh": ["heads/*"]}
    tuned = load_config(make_config(transfer=transfer), [*SHORT, "training.learning_rate=1e-9"])
    train(tuned, tmp_path / "tuned")
    for name, array in weights(tmp_path / "alone").items():
        np.testing.assert_allclose(weights(tmp_path / "tuned")[name], array, atol=1e-6)
    assert any(name.startswith("heads/xx") for name in weights(tmp_path / "tuned"))


def test_what_cannot_be_trained_is_said(make_config, silent, tmp_path):
    alone = silent_alone(make_config, silent)
    with pytest.raises(DataError, match="no labelled speech, and no \\[\\[transfer\\]\\] method"):
        train(load_config(alone), tmp_path / "nothing")
    data = load_config(make_config()).model_dump(exclude_none=True)["data"]
    more = {"language": "yy", "unlabelled": str(silent), "dev": "x"}
    with_dev = make_config(name="dev.toml", data=[*data, more])
    with pytest.raises(ConfigError, match="'yy' has dev speech but no head"):
        train(load_config(with_dev), tmp_path / "dev")
    twice = make_config(data={"unlabelled": str(tmp_path / "train")})
    with pytest.raises(DataError, match="utterances that occur twice"):
        train(load_config(twice), tmp_path / "twice")
