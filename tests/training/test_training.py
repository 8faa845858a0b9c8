import logging
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from command_line import verb
from training_runs import SHORT, assert_same, events, train_killed, weights

from speechtl.errors import ConfigError, DataError, LexiconError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.weights import digest, load_arrays
from speechtl.training.optimizer import make_optimizer
from speechtl.training.state import Progress, load_state, save_state


@pytest.fixture(scope="module")
def whole(shared_config_maker):
    """Return the config and the directory of a whole run, both only to be read."""
    root, make_config = shared_config_maker
    path = make_config(training={"checkpoint_minutes": 1e-6})
    train(load_config(path), root / "whole")
    return path, root / "whole"


@pytest.mark.parametrize("encoder", [{"dilations": [1]}, {"kind": "blstm", "blocks": 1, "dilations": None}])
def test_a_killed_run_continues_to_the_same_weights(encoder, make_config, tmp_path):
    config = load_config(make_config(model__encoder=encoder))
    result = train(config, tmp_path / "whole")
    # Steps that each life of the run completes before it is killed.
    resumed = train_killed(config, tmp_path / "killed", 2, 1, 3)
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    assert resumed == result

    logged = [[event for event in events(tmp_path / name) if event["event"] != "step"] for name in ("whole", "killed")]
    assert logged[0] == logged[1]


def test_a_process_killed_at_any_moment_continues_to_the_same_weights(whole, tmp_path):
    path, directory = whole
    command = [sys.executable, "-m", "speechtl.cli.main", "train", str(path), str(tmp_path / "killed")]
    process = subprocess.Popen(command)
    checkpoint = tmp_path / "killed" / "state" / "checkpoint.h5"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # As a kill leaves it that comes while a checkpoint is written.
    (tmp_path / "killed" / "state" / ".checkpoint.~1-abcdef.h5").write_bytes(b"half")
    assert verb("train", path, tmp_path / "killed") == 0
    assert_same(weights(directory), weights(tmp_path / "killed"))
    assert not [file for file in (tmp_path / "killed").rglob(".*") if "-" in file.name], "half-written files were left"


def test_a_run_does_not_continue_on_other_frozen_weights(tmp_path):
    path, trained = tmp_path / "checkpoint.h5", {"a": keras.Variable([1.0, 2.0])}
    optimizer = make_optimizer(0.1, trained)
    save_state(path, Progress(step=3), trained, optimizer, frozen=digest({"b": np.ones(3, np.float32)}))
    trained["a"].assign([0.0, 0.0])
    with pytest.raises(ModelError, match="has its source changed"):
        load_state(path, trained, optimizer, frozen=digest({"b": np.zeros(3, np.float32)}))
    assert not np.any(trained["a"].value)
    assert load_state(path, trained, optimizer, frozen=digest({"b": np.ones(3, np.float32)})).step == 3
    np.testing.assert_array_equal(trained["a"].value, [1.0, 2.0])


def test_training_learns_the_invented_speech(make_config, make_corpus, tmp_path):
    make_corpus("train", utterances=60, seed=1)
    make_corpus("dev", utterances=20, seed=2)
    masks = {"time_masks": 0, "frequency_masks": 0}
    path = make_config(augmentation=masks, training={"epochs": 12}, batches={"frames": 1000})
    result = train(load_config(path), tmp_path / "exp")
    assert result["dev_per"] < 15  # chance is above 80
    experiment = Experiment.load(tmp_path / "exp")
    posteriors = dict(experiment.posteriors_of(tmp_path / "dev"))
    assert len(posteriors) == 20
    for matrix in posteriors.values():
        np.testing.assert_allclose(np.exp(matrix).sum(axis=1), 1, atol=1e-5)


def test_a_finished_run_is_left_alone_and_a_changed_config_is_refused(make_config, tmp_path, caplog):
    caplog.set_level(logging.INFO, "speechtl")
    config = load_config(make_config())
    first = train(config, tmp_path / "exp")
    before, log = weights(tmp_path / "exp"), (tmp_path / "exp" / "log.jsonl").read_text()
    other = load_config(make_config(), ["decoding.beam=3"])
    # Nothing is read again: neither the speech nor the state.
    shutil.rmtree(tmp_path / "exp" / "state")
    shutil.rmtree(tmp_path / "train")
    assert "finished before" not in caplog.text
    assert train(other, tmp_path / "exp") == pytest.approx(first, abs=1e-6)
    assert "exp: finished before, and left as it is" in caplog.text
    assert_same(before, weights(tmp_path / "exp"))
    assert (tmp_path / "exp" / "log.jsonl").read_text() == log
    assert load_config(tmp_path / "exp" / "config.toml").decoding.beam == 3
    changed = load_config(make_config(), ["training.learning_rate=0.5", "seed=9"])
    with pytest.raises(ConfigError, match=r"holds an experiment with other values of: seed, training"):
        train(changed, tmp_path / "exp")


def test_early_stopping_and_averaging(make_config, tmp_path):
    config = load_config(make_config(), ["training.epochs=30", "training.patience=1", "training.learning_rate=1.0"])
    train(config, tmp_path / "exp")
    losses = [event["dev_loss"] for event in events(tmp_path / "exp", "epoch")]
    assert len(losses) < 30 and losses[-1] >= min(losses[:-1])
    kept = sorted((tmp_path / "exp" / "state").glob("epoch-*.h5"))
    assert len(kept) == 2
    arrays = [load_arrays(path)[0] for path in kept]
    for name, array in weights(tmp_path / "exp").items():
        np.testing.assert_allclose(array, (arrays[0][name] + arrays[1][name]) / 2, rtol=1e-5, atol=1e-7)


def test_the_best_epochs_are_averaged_when_asked(make_config, tmp_path):
    config = load_config(
        make_config(), ["training.average_of=best", "training.average=1", "training.learning_rate=0.3"]
    )
    train(config, tmp_path / "exp")
    losses = {event["epoch"]: event["dev_loss"] for event in events(tmp_path / "exp", "epoch")}
    best = min(losses, key=losses.get)
    assert [path.name for path in (tmp_path / "exp" / "state").glob("epoch-*.h5")] == [f"epoch-{best:04d}.h5"]


def test_a_loss_that_is_not_finite_names_the_batch(make_config, tmp_path):
    from speechtl.data.tables import read_table
    from speechtl.features.archives import read_matrix, write_ark_scp

    path = make_config()
    folder = tmp_path / "train"
    table = read_table(folder / "feats.scp")
    matrices = {name: np.array(read_matrix(place)) for name, place in table.items()}
    broken = sorted(matrices)[3]
    matrices[broken][:] = np.nan
    with write_ark_scp(folder / "new.ark", folder / "feats.scp") as write:
        for name in sorted(matrices):
            write(name, matrices[name])
    with pytest.raises(ModelError) as error:
        train(load_config(path), tmp_path / "exp")
    assert broken in str(error.value) and "not finite" in str(error.value)


def test_utterances_too_short_for_their_labels_are_all_listed(make_config, make_corpus, tmp_path):
    path = make_config()
    folder = tmp_path / "train"
    lines = (folder / "text").read_text().splitlines()
    for number in (1, 4):
        lines[number] = lines[number].split()[0] + " tak sit kus ata" * 12
    (folder / "text").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError) as error:
        train(load_config(path), tmp_path / "exp")
    assert "2 utterances are too short" in str(error.value)
    assert all(lines[number].split()[0] in str(error.value) for number in (1, 4))
    assert not (tmp_path / "exp" / "config.toml").exists()


def test_an_experiment_stands_alone(make_config, tmp_path):
    train(load_config(make_config()), tmp_path / "exp")
    (tmp_path / "conf.toml").unlink()
    (tmp_path / "lexicon.txt").unlink()
    os.rename(tmp_path / "train", tmp_path / "gone")
    os.rename(tmp_path / "exp", tmp_path / "moved")
    experiment = Experiment.load(tmp_path / "moved")
    assert experiment.languages == ["xx"]
    assert experiment.lexicon().pronounce("kus") and len(experiment.inventory()) == 6
    assert experiment.frame_shift == pytest.approx(0.02)
    features = np.zeros((31, 12), np.float32)
    assert experiment.posteriors(features).shape == (16, 7)
    with pytest.raises(ModelError, match=r"no head for language 'yy'; this model has: xx"):
        experiment.posteriors(features, "yy")


def test_a_lexicon_with_probabilities_is_trained_on_and_kept(make_config, lexicon_file, tmp_path):
    text = lexicon_file.read_text().splitlines()
    lexicon_file.write_text("".join(f"{one.replace(' ', ' 0.5 ' if 'k i' in one else ' 1.0 ', 1)}\n" for one in text))
    train(load_config(make_config(), SHORT), tmp_path / "exp")
    kept = Experiment.load(tmp_path / "exp").lexicon("xx")
    assert [one.probability for one in kept.pronounce("kus")] == [1.0, 0.5]


def test_unfinished_and_missing_experiments_say_so(tmp_path, whole):
    with pytest.raises(ModelError, match=r"not an experiment directory"):
        Experiment.load(tmp_path)
    shutil.copytree(whole[1], tmp_path / "exp")
    (tmp_path / "exp" / "weights.h5").unlink()
    with pytest.raises(ModelError, match=r"training has not ended"):
        Experiment.load(tmp_path / "exp")


def test_the_phones_of_the_whole_lexicon_are_known_when_asked(make_config, make_corpus, lexicon_file, tmp_path):
    make_corpus("train", utterances=1, seed=4)
    (tmp_path / "train" / "text").write_text("s0-train-u000 si\n")
    few = load_config(make_config(data={"phones": "lexicon"}), ["training.epochs=1"])
    train(few, tmp_path / "exp")
    assert Experiment.load(tmp_path / "exp").inventory().phones == ("a", "i", "k", "s", "t", "u")
    with pytest.raises(LexiconError, match="phones of the lexicon that the model's inventory lacks"):
        train(load_config(make_config()), tmp_path / "other")
    with pytest.raises(ConfigError, match='phones = "lexicon" without a lexicon'):
        load_config(make_config(name="no.toml", data={"phones": "lexicon", "lexicon": None}))
