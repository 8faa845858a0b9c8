"""Training frame by frame on the times of phones."""

import numpy as np
import pytest
import tensorflow as tf
from invented_corpus import PHONES, WORDS
from training_runs import events

from speechtl.batches.pipeline import Batch
from speechtl.data.datadir import DataDir
from speechtl.errors import ConfigError, DataError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.archives import write_ark_scp
from speechtl.features.cmvn import accumulate, add
from speechtl.training.framewise_criterion import FramewiseCriterion


class Labels:
    """A source as far as the criterion looks at it."""

    def __init__(self, language, labels):
        self.language, self.labels = language, labels


def batch_of(labels, counts):
    nothing = tf.zeros(len(labels), tf.int32)
    fields = dict.fromkeys(Batch._fields, nothing)
    return Batch(**fields | {"labels": tf.constant(labels), "label_lengths": tf.constant(counts)})


def test_the_loss_is_the_cross_entropy_of_every_third_frame():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 4, 5)).astype(np.float32)
    labels = rng.integers(0, 5, (3, 10)).astype(np.int32)
    criterion = FramewiseCriterion([Labels("xx", [[0, 1, 2]])], {"xx": 5}, 3, 0.0)
    losses = criterion(tf.constant(logits), tf.constant([4, 2, 4]), batch_of(labels, [10, 6, 0]), "xx").numpy()
    log_posteriors = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = [-np.mean([log_posteriors[row, k, labels[row, 3 * k]] for k in range(n)]) for row, n in ((0, 4), (1, 2))]
    np.testing.assert_allclose(losses, [*expected, 0.0], rtol=1e-5)


@pytest.mark.parametrize(("weight", "flat"), [(1.0, True), (0.0, False)])
def test_with_the_whole_prior_left_out_logits_that_know_nothing_are_flat(weight, flat):
    # 99 of 100 frames are unit 0; one more of each unit is counted.
    labels = [[0] * 97 + [1] * 1]
    criterion = FramewiseCriterion([Labels("xx", labels)], {"xx": 2}, 1, weight)
    logits = tf.Variable(tf.zeros((1, 100, 2)))
    counted = np.array([[0] * 98 + [1] * 2], np.int32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(criterion(logits.value(), tf.constant([100]), batch_of(counted, [100]), "xx"))
    gradient = tf.reduce_sum(tape.gradient(loss, logits), axis=1).numpy()
    assert np.allclose(gradient, 0, atol=1e-3) == flat


def write_timed_corpus(folder, seed, utterances=24):
    """Write a data directory with features of invented speech, a pattern for each phone, and when each is said."""
    rng, patterns = np.random.default_rng(seed), np.random.default_rng(99).normal(0, 2, (len(PHONES) + 1, 12))
    data, matrices, lines = DataDir(folder), {}, []
    for number in range(utterances):
        key = f"s{number % 3}-{folder.name}-{number:02}"
        words = list(rng.choice(sorted(WORDS), rng.integers(1, 4)))
        rows, now = [patterns[-1]] * 6, 0.06
        for phone in (phone for word in words for phone in WORDS[word][0].split()):
            length = int(rng.integers(6, 12))
            rows += [patterns[PHONES.index(phone)]] * length
            lines.append(f"{key} 1 {now:.2f} {length / 100:.2f} {phone}")
            now += length / 100
        matrix = (np.array(rows + [patterns[-1]] * 6) + rng.normal(0, 1, (len(rows) + 6, 12))).astype(np.float32)
        matrices[key] = matrix
        data.text[key], data.utt2spk[key], data.utt2num_frames[key] = " ".join(words), key[:2], len(matrix)
    with write_ark_scp(folder / "feats.ark", folder / "archives.scp") as write:
        data.feats_scp = {key: write(key, matrix) for key, matrix in sorted(matrices.items())}
    with write_ark_scp(folder / "cmvn.ark", folder / "statistics.scp") as write:
        for speaker in data.spk2utt:
            stats = add(accumulate(matrices[key]) for key in data.spk2utt[speaker])
            data.cmvn_scp[speaker] = write(speaker, stats)
    data.save(folder)
    (folder / "phones.ctm").write_text("\n".join(lines) + "\n")


@pytest.fixture
def timed_config(tmp_path, make_config):
    for name, seed in (("train", 1), ("dev", 2)):
        write_timed_corpus(tmp_path / name, seed)
    training = {"choose_pronunciations": None, "criterion": "framewise", "prior_weight": 0.5}
    masks = {"time_masks": 0, "frequency_masks": 0}
    return make_config(features={"snip_edges": False}, augmentation=masks, training=training)


def test_phones_are_learnt_where_they_are(timed_config, tmp_path):
    config = load_config(timed_config, ["training.epochs=5", "training.average=1", "model.encoder.dilations=[1]"])
    result = train(config, tmp_path / "exp")
    assert result["dev_per"] < 15
    losses = [event["train_loss"] for event in events(tmp_path / "exp", "epoch")]
    assert losses[-1] < losses[0] / 2
    experiment = Experiment.load(tmp_path / "exp")
    lines = [line.split() for line in (tmp_path / "dev/phones.ctm").read_text().splitlines()]
    right = []
    posteriors = dict(experiment.posteriors_of(tmp_path / "dev"))
    for key, _, start, length, phone in lines:
        middle = round(100 * (float(start) + float(length) / 2) / experiment.model.subsampling)
        right.append(posteriors[key][middle].argmax() == experiment.inventory().index(phone))
    assert np.mean(right) > 0.9


def test_what_is_missing_is_said(timed_config, tmp_path):
    lines = (tmp_path / "train/phones.ctm").read_text().splitlines()
    gone = lines[0].split()[0]
    kept = [line for line in lines if not line.startswith(gone)]
    (tmp_path / "train/phones.ctm").write_text("\n".join(kept) + "\n")
    with pytest.raises(DataError, match=f"{gone}: not in phones.ctm"):
        train(load_config(timed_config), tmp_path / "exp")
    (tmp_path / "train/phones.ctm").write_text("\n".join([*lines, f"{gone} 1 0 0.1 œ"]) + "\n")
    with pytest.raises(DataError, match="the model has no phone 'œ'"):
        train(load_config(timed_config), tmp_path / "exp")
    (tmp_path / "train/phones.ctm").unlink()
    with pytest.raises(DataError, match=r"train/phones\.ctm: missing"):
        train(load_config(timed_config), tmp_path / "exp")
    with pytest.raises(ConfigError, match="leave this out"):
        load_config(timed_config, ["training.choose_pronunciations=[1]"])
    with pytest.raises(ConfigError, match="prior_weight needs criterion"):
        load_config(timed_config, ["training.criterion=ctc"])
