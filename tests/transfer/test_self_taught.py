import itertools

import keras
import numpy as np
import pytest
import scipy.fft
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from training_runs import SHORT, assert_same, events, train_killed, weights

from speechtl.batches.pipeline import Batch
from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.tdnn import TdnnConfig
from speechtl.training.objective import Objective
from speechtl.transfer.self_taught import SelfTaught, perplexity, random_quantisers, stack

PRE = ["training.epochs=7", "augmentation.time_masks=0", "augmentation.frequency_masks=0"]
SEED = tf.constant([3, 70_000])
BINS = 12


def make_model(factor=2, seed=5, units=None):
    tf.keras.utils.set_random_seed(seed)
    encoder = TdnnConfig(size=16, dilations=(1, 2), dropout=0.0, subsampling={"factor": factor})
    return AcousticModel(ModelConfig(encoder=encoder), BINS, units or {})


def make_batch(lengths=(200, 151), labelled=(), seed=0, features=None):
    if features is None:
        features = np.random.default_rng(seed).normal(size=(len(lengths), max(lengths), BINS))
        features *= np.arange(max(lengths))[np.newaxis, :, np.newaxis] < np.array(lengths)[:, np.newaxis, np.newaxis]
    rows = tf.zeros([len(lengths)], tf.int32)
    counts = np.array([3 * (row in labelled) for row in range(len(lengths))], np.int32)
    labels = tf.constant([[1, 2, 3] if count else [0, 0, 0] for count in counts])
    whole = tf.constant(len(lengths)), tf.constant(len(labelled))
    features = tf.constant(features, tf.float32)
    return Batch(features, tf.constant(lengths), labels, tf.constant(counts), rows, rows, rows, *whole)


def terms_of(model, method, batch, seed=SEED, language="und"):
    terms, measures = Objective(model, [method])(batch, language, seed, tf.constant(0.0))
    return {name: float(value) for name, value in (terms | measures).items()}


# The targets


@settings(max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 3), st.integers(5, 23), st.sampled_from([0, 7, 13]))
def test_the_quantiser_finds_the_nearest_vector(seed, factor, codebooks, frames, cepstra):
    method = SelfTaught(
        codebooks=codebooks, codebook_size=32, codebook_dimension=5, codebook_seed=seed, cepstra=cepstra
    )
    features = np.random.default_rng(seed).normal(size=(1, frames, BINS)).astype(np.float32)
    found = method.quantise(stack(tf.constant(features), tf.constant([frames]), factor), BINS).numpy()[0]
    kept = min(cepstra, BINS) or BINS
    projections, vectors = random_quantisers(factor * kept, codebooks, 32, 5, seed)
    for step in range(-(-frames // factor)):
        rows = np.zeros((factor, BINS))
        own = features[0, step * factor : (step + 1) * factor]
        rows[: len(own)] = own
        if cepstra:
            rows = scipy.fft.dct(rows, norm="ortho")[:, :kept] * np.sqrt(np.arange(1, kept + 1))
        for book in range(codebooks):
            point = rows.reshape(-1) @ projections[book]
            point /= np.linalg.norm(point)
            distances = [np.linalg.norm(point - vector / np.linalg.norm(vector)) for vector in vectors[book]]
            # Single and double precision may differ where two vectors are equally far.
            assert distances[found[step, book]] == pytest.approx(min(distances), abs=1e-5)


def test_targets_depend_on_the_speech_and_the_codebook_seed_alone():
    batch, hidden = make_batch((200, 200)), SelfTaught(codebook_size=64)
    targets = []
    for seed in (1, 2):
        model = hidden.prepare(make_model(seed=seed))
        targets.append(hidden.quantise(stack(batch.features, batch.lengths, model.subsampling), BINS).numpy())
    np.testing.assert_array_equal(*targets)
    other = SelfTaught(codebook_size=64, codebook_seed=2)
    assert np.mean(other.quantise(stack(batch.features, batch.lengths, 2), BINS).numpy() == targets[0]) < 0.1


def test_each_codebook_is_another_view_of_the_speech():
    projections, vectors = random_quantisers(24, 2, 64, 16, 1)
    assert np.abs(projections[0] - projections[1]).max() > 0.1
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, rtol=1e-6)
    # In every direction alike: the mean of unit vectors is near zero.
    assert np.linalg.norm(vectors.mean(axis=(0, 1))) < 0.3


def test_perplexity_of_known_distributions():
    indices = tf.constant([[[0], [1], [2], [3]], [[0], [0], [7], [7]]])
    assert float(perplexity(indices, tf.constant([[True] * 4, [False] * 4]), 8)) == pytest.approx(4)
    assert float(perplexity(indices, tf.constant([[False] * 4, [True, True, False, False]]), 8)) == pytest.approx(1)
    assert float(perplexity(indices, tf.constant([[True] * 2 + [False] * 2] * 2), 8)) == pytest.approx(
        np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    )


# What is hidden


@pytest.mark.parametrize(("share", "span", "factor"), [(0.2, 12, 2), (0.4, 24, 3), (0.7, 40, 4), (0.5, 1, 3)])
def test_as_much_is_hidden_as_asked_at_every_place_of_an_utterance(share, span, factor):
    method, model = SelfTaught(masked_share=share, span=span), make_model(factor)
    batch = make_batch((factor * 40,) * 2000)
    hidden = method.hidden(model, batch, SEED).numpy()
    assert hidden.mean() == pytest.approx(share, abs=0.01)
    # 5 standard deviations of 2000 draws, at each of 40 places.
    assert np.abs(hidden.mean(axis=0) - share).max() < 5 * np.sqrt(share * (1 - share) / 2000)
    # Pieces within an utterance are at least as long as a span.
    pieces = [
        len(list(group))
        for row in hidden
        for group in [list(group) for value, group in itertools.groupby(row[1:-1]) if value][1:-1]
    ]
    assert min(pieces) == max(round(span / factor), 1)


def test_the_encoder_hears_noise_where_frames_are_hidden_and_speech_elsewhere():
    method, model = SelfTaught(noise=0.1), make_model(3)
    batch = make_batch((301, 200), labelled=(1,))
    heard, hidden = method.inputs(model, batch.features, batch, SEED).numpy(), method.hidden(model, batch, SEED).numpy()
    frames = np.repeat(hidden, 3, axis=1)[:, :301]
    np.testing.assert_array_equal(heard[~frames], batch.features.numpy()[~frames])
    assert 0 < frames[0].sum() < 301 and not frames[1].any(), "labelled speech is heard whole"
    assert heard[frames].std() == pytest.approx(0.1, rel=0.1)
    assert abs(heard[frames].mean()) < 0.01


def test_padding_is_never_hidden():
    hidden = SelfTaught(masked_share=0.9).hidden(make_model(2), make_batch((200, 51)), SEED).numpy()
    assert hidden[1, :26].any() and not hidden[1, 26:].any()


def test_masks_are_a_function_of_the_seed():
    method, model, batch = SelfTaught(), make_model(), make_batch()

    def heard(seed):
        return method.inputs(model, batch.features, batch, seed).numpy()

    np.testing.assert_array_equal(heard(SEED), heard(SEED))
    assert np.any(heard(SEED) != heard(SEED + tf.constant([1, 0])))
    assert np.any(heard(SEED) != heard(SEED + tf.constant([0, 10_000]))), "another replica has other masks"
    np.testing.assert_array_equal(heard(None), heard(None))
    later = batch._replace(utterances=batch.utterances + 1)
    assert np.any(method.inputs(model, batch.features, later, None).numpy() != heard(None))


# The loss


@pytest.mark.parametrize("codebooks", [1, 2])
def test_the_loss_is_the_mean_cross_entropy_of_hidden_frames(codebooks):
    method = SelfTaught(codebook_size=32, codebooks=codebooks, weight=0.5)
    model, batch = method.prepare(make_model()), make_batch()
    values = terms_of(model, method, batch)
    hidden = method.hidden(model, batch, SEED).numpy()
    encoded = model.encode(method.inputs(model, batch.features, batch, SEED), batch.lengths, SEED)
    scores = model.auxiliary["self_taught_quantised_tdnn2"](encoded.outputs["tdnn2"]).numpy().astype(float)
    targets = method.quantise(stack(batch.features, batch.lengths, 2), BINS).numpy()
    losses, found = [], []
    for row, step in np.argwhere(hidden):
        for book, own in enumerate(np.split(scores[row, step], codebooks)):
            losses.append(np.log(np.exp(own).sum()) - own[targets[row, step, book]])
            found.append(own.argmax() == targets[row, step, book])
    assert values["self_taught"] == pytest.approx(0.5 * np.mean(losses), rel=1e-5)
    assert values["self_taught_accuracy"] == pytest.approx(np.mean(found), abs=1e-6)
    assert 1 < values["self_taught_target_perplexity"] <= 32


def test_reconstruction_is_the_mean_squared_error_of_hidden_frames():
    method = SelfTaught(target="features", weight=2.0, block="tdnn1")
    model, batch = method.prepare(make_model(3)), make_batch()
    values = terms_of(model, method, batch)
    hidden = method.hidden(model, batch, SEED).numpy()
    encoded = model.encode(method.inputs(model, batch.features, batch, SEED), batch.lengths, SEED)
    predicted = model.auxiliary["self_taught_features_tdnn1"](encoded.outputs["tdnn1"]).numpy()
    stacked = stack(batch.features, batch.lengths, 3).numpy()
    assert values.keys() == {"ctc", "self_taught"}
    assert values["self_taught"] == pytest.approx(2 * np.mean((predicted - stacked)[hidden] ** 2), rel=1e-5)


@pytest.mark.parametrize("target", ["quantised", "features"])
def test_only_targets_of_hidden_frames_count(target, monkeypatch):
    method = SelfTaught(target=target, codebook_size=32)
    model, batch = method.prepare(make_model()), make_batch()
    hidden = method.hidden(model, batch, SEED)
    before = terms_of(model, method, batch)["self_taught"]
    plain = SelfTaught.inputs
    for place, changes in ((~hidden, False), (hidden, True)):
        # The encoder hears what it heard before; other speech in the batch changes the targets alone.
        frames = tf.repeat(place, 2, axis=1)[:, :, tf.newaxis]
        other = batch._replace(features=tf.where(frames, -batch.features, batch.features))
        monkeypatch.setattr(SelfTaught, "inputs", lambda self, *rest: plain(self, model, batch.features, batch, SEED))
        assert (terms_of(model, method, other)["self_taught"] != before) == changes
        monkeypatch.setattr(SelfTaught, "inputs", plain)


def test_labelled_speech_has_ctc_and_unlabelled_speech_has_predictions():
    method = SelfTaught(codebook_size=32)
    model, batch = method.prepare(make_model(units={"und": 5})), make_batch(labelled=(1,))
    values = terms_of(model, method, batch)
    plain, _ = Objective(model)(batch, "und", SEED, tf.constant(0.0))
    assert values["ctc"] == float(plain["ctc"]) > 0
    alone = make_batch((200,), features=batch.features[:1])
    hidden = method.hidden(model, batch, SEED)
    assert tf.reduce_any(hidden[0]) and not tf.reduce_any(hidden[1])
    assert terms_of(model, method, make_batch((200, 151), labelled=(0, 1)))["self_taught"] == 0
    assert terms_of(model, method, alone)["self_taught"] > 0


@pytest.mark.parametrize("target", ["quantised", "features"])
def test_hidden_speech_is_predicted_from_its_surroundings_after_a_few_steps(target):
    # Four sounds follow each other in one order and at one pace: what is heard around a span tells what is in it.
    rng = np.random.default_rng(0)
    sounds = rng.normal(0, 1, (4, BINS))
    places = (np.arange(160)[np.newaxis, :] + rng.integers(0, 40, (30, 1))) // 10 % 4
    batch = make_batch((160,) * 30, features=sounds[places] + rng.normal(0, 0.1, (30, 160, BINS)))
    method = SelfTaught(target=target, codebook_size=16, span=8)
    model = method.prepare(make_model())
    variables = [variable.value for variable in model.variables().values()]
    optimizer = keras.optimizers.Adam(0.01)

    @tf.function
    def step(number):
        with tf.GradientTape() as tape:
            terms, measures = Objective(model, [method])(batch, "und", tf.stack([number, 0]), 0.0)
        optimizer.apply(tape.gradient(terms["self_taught"], variables), list(model.variables().values()))
        return terms["self_taught"], measures

    losses, measures = zip(*(step(tf.constant(number)) for number in range(60)), strict=True)
    if target == "quantised":
        # Who knows how frequent the indices are, and nothing of the surroundings, has their entropy as the loss.
        assert float(losses[-1]) < 0.7 * np.log(float(measures[-1]["self_taught_target_perplexity"]))
        assert float(measures[-1]["self_taught_accuracy"]) > 0.5
    assert float(losses[-1]) < 0.5 * float(losses[0])


def test_tables_that_predict_the_same_and_unknown_blocks_are_refused():
    method, model = SelfTaught(), make_model()
    method.prepare(model)
    with pytest.raises(ModelError, match="two self_taught tables predict quantised from block 'tdnn2'"):
        SelfTaught(block="tdnn2").prepare(model)
    with pytest.raises(ModelError, match=r"no encoder block 'tdnn9'; this model has: subsampling, tdnn1, tdnn2"):
        SelfTaught(block="tdnn9").prepare(model)
    SelfTaught(block="tdnn1").prepare(model)
    SelfTaught(target="features").prepare(model)
    assert len(model.training_only) == len(model.auxiliary) == 3


# Whole runs


def pre_training(make_config, root, name="pre.toml", **changes):
    """Write a config of unlabelled speech alone: no transcripts are needed, nor a lexicon."""
    method = {"method": "self_taught", "codebook_size": 16, "span": 8}
    data = {"language": "und", "unlabelled": str(root / "train"), "train": None, "lexicon": None}
    return make_config(name=name, data=data, **{"transfer": method, **changes})


@pytest.fixture(scope="module")
def pre_trained(shared_config_maker):
    """Pre-train on speech whose transcripts are gone."""
    root, make_config = shared_config_maker
    make_config()
    kept = {name: (root / name / "text").read_text() for name in ("train", "dev")}
    for name in kept:
        (root / name / "text").unlink()
    path = pre_training(make_config, root)
    result = train(load_config(path, PRE), root / "pre")
    for name, text in kept.items():
        (root / name / "text").write_text(text)
    return root / "pre", result


def test_pre_training_tells_how_it_goes(pre_trained):
    path, result = pre_trained
    last, step = events(path, "epoch")[-1], events(path, "step")[-1]
    assert last["train_loss"] > 0 and last["dev_loss"] == last["dev_self_taught"]
    assert result["dev_loss"] == pytest.approx(events(path, "final")[-1]["dev_loss"], abs=1e-6)
    assert "dev_per" not in result and "dev_per" not in last
    assert step["loss"] == step["self_taught"]
    for name in ("accuracy", "target_perplexity", "predicted_perplexity"):
        assert step[f"self_taught_{name}"] >= 0 and last[f"dev_self_taught_{name}"] >= 0


def test_the_pre_trained_model_has_no_head_and_no_predictor(pre_trained):
    path, _ = pre_trained
    assert all(name.startswith("encoder/") for name in weights(path))
    experiment = Experiment.load(path)
    assert experiment.languages == []
    with pytest.raises(ModelError, match=r"pre: no head for language 'xx'; this model has: none"):
        experiment.posteriors(np.zeros((20, BINS), np.float32), "xx")


@pytest.mark.parametrize(
    "table", [{"method": "fine_tuning", "fresh": ["heads/*"]}, {"method": "layer_transfer", "blocks": "all"}]
)
def test_training_on_labels_starts_from_the_pre_trained_trunk(table, pre_trained, shared_config_maker, tmp_path):
    path, _ = pre_trained
    _, make_config = shared_config_maker
    config = load_config(
        make_config(name="labels.toml", transfer=table | {"source": str(path)}),
        [*SHORT, "training.learning_rate=1e-30", "training.weight_decay=0.0"],
    )
    result = train(config, tmp_path / "labels")
    theirs, ours = weights(path), weights(tmp_path / "labels")
    assert ours.keys() - theirs.keys() and all(name.startswith("heads/xx/") for name in ours.keys() - theirs.keys())
    for name, array in theirs.items():
        np.testing.assert_array_equal(array, ours[name], err_msg=name)
    assert result["dev_per"] > 0


def test_killed_pre_training_continues_to_the_same_weights(pre_trained, tmp_path):
    path, result = pre_trained
    assert train_killed(load_config(path.parent / "pre.toml", PRE), tmp_path / "killed", 3) == result
    assert_same(weights(path), weights(tmp_path / "killed"))


def test_weight_zero_is_the_plain_run_to_the_bit(make_config, make_corpus, tmp_path):
    make_corpus("other", seed=7)
    tables = {"plain": [], "zero": [{"method": "self_taught", "weight": 0.0}]}
    for name, transfer in tables.items():
        path = make_config(name=f"{name}.toml", data={"unlabelled": str(tmp_path / "other")}, transfer=transfer)
        train(load_config(path, SHORT), tmp_path / name)
    assert_same(*(weights(tmp_path / name) for name in tables))


def test_dev_speech_of_a_language_without_labels_needs_a_method(make_config, tmp_path):
    path = pre_training(make_config, tmp_path, transfer=[])
    with pytest.raises(ConfigError, match=r"'und' has dev speech but no head to score"):
        train(load_config(path), path.parent / "exp")


def test_wrong_settings_are_refused(make_config):
    wrong = {"masked_share": 1.0, "span": 0, "codebooks": 0, "codebook_size": 1, "noise": -1}
    with pytest.raises(ConfigError, match="5 problems") as caught:
        load_config(make_config(transfer={"method": "self_taught", **wrong}))
    assert all(name in str(caught.value) for name in wrong)
