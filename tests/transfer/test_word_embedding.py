"""Acoustic word embeddings, on invented isolated words of two syllables."""

import json

import numpy as np
import pytest
import tensorflow as tf
from training_runs import events

import speechtl
from speechtl.batches.pipeline import Batch
from speechtl.config import parse
from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table, write_table
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import ConfigError, LexiconError, ModelError
from speechtl.experiment.config import ExperimentConfig
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.archives import write_ark_scp
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_attributes import attribute_matrix
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.restore import restore
from speechtl.models.word_embedding import hinge_ranking_losses
from speechtl.recognition.nearest_word import NearestWord
from speechtl.transfer.method import Step
from speechtl.transfer.word_embedding import WordEmbeddingTransfer

BINS = 16
PHONES = "ptksmnaiu"
SYLLABLES = [consonant + vowel for consonant in "ptksmn" for vowel in "aiu"]
_ALL = [first + second for first in SYLLABLES for second in SYLLABLES if first != second]
_ORDER = list(np.random.default_rng(5).permutation(_ALL))
HEARD, UNHEARD = _ORDER[:150], _ORDER[150:165]


def write_speech(folder, words, seed):
    """Write a data directory of one word per utterance, features ``articulation · matrix + noise``."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(0, 0.5, (attribute_matrix("a").shape[1], BINS))
    names = {f"s{n % 2}-{n:04d}": word for n, word in enumerate(words)}
    DataDir(
        path=folder, wav_scp={n: f"{n}.wav" for n in names}, text=dict(names), utt2spk={n: n[:2] for n in names}
    ).save(folder)
    counts = {}
    with write_ark_scp(folder / "feats.ark", folder / "feats.scp") as write:
        for name, word in sorted(names.items()):
            vectors = np.repeat(attribute_matrix(word) @ mix, rng.integers(4, 7, len(word)), axis=0)
            silence = np.zeros((rng.integers(2, 5), BINS))
            rows = np.concatenate([silence, vectors, silence])
            counts[name] = str(len(rows))
            write(name, (rows + rng.normal(0, 0.5, rows.shape)).astype(np.float32))
    write_table(folder / "utt2num_frames", counts)
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    for name, words in (("train.txt", HEARD), ("test.txt", UNHEARD)):
        (folder / name).write_text("".join(f"{word} {' '.join(word)}\n" for word in words))
    write_speech(folder / "train", HEARD * 2, 1)
    write_speech(folder / "test", UNHEARD * 3, 2)
    table = {
        "features": {"num_mel_bins": BINS},
        "normalisation": {"kind": "none"},
        "data": [{"language": "xx", "train": str(folder / "train"), "lexicon": str(folder / "train.txt")}],
        "model": {"encoder": {"kind": "tdnn", "size": 32, "dilations": [1], "subsampling": {"factor": 2}}},
        "batches": {"frames": 600},
        "augmentation": {"frequency_masks": 0, "time_masks": 0},
        "training": {"epochs": 8, "learning_rate": 0.01, "average": 1},
        "transfer": [{"method": "word_embedding", "size": 32, "pooling": "mean_max"}],
        "decoding": {"mode": "embedding"},
    }
    train(parse(ExperimentConfig, table, "here"), folder / "exp")
    return folder


def test_the_nearest_pronunciation_finds_words_that_training_never_had(world):
    speechtl.decode(world / "exp", world / "test", world / "out", lexicon=world / "test.txt", nbest=2)
    found, said = read_table(world / "out" / "text"), DataDir.load(world / "test").text
    assert found.keys() == said.keys()
    # Chance is 1 in 15.
    assert np.mean([found[name] == word for name, word in said.items()]) > 0.7
    first = json.loads((world / "out" / "log.jsonl").read_text().splitlines()[0])
    (best,) = first["segments"]
    (second,) = best["alternatives"]
    assert best["text"] == found[first["utterance"]] != second["text"]
    assert [one["phone"] for one in best["phones"]] == list(best["text"])
    assert -1 <= second["score"] <= best["score"] <= 1


def test_the_training_log_has_the_ranking_loss_and_how_often_the_right_word_was_nearest(world):
    steps = [event for event in events(world / "exp") if "ranking" in event]
    assert steps[-1]["ranking"] < 0.3 * steps[0]["ranking"]
    assert steps[-1]["right_word"] > 0.8


def test_what_embeddings_cannot_do_is_refused(world, tmp_path):
    with pytest.raises(ConfigError, match="compares whole utterances with pronunciations; give --lexicon, and none of"):
        speechtl.decode(world / "exp", world / "test", tmp_path)
    with pytest.raises(ConfigError, match="only speechtl decode knows it"):
        LexiconDecoder(Lexicon.load(world / "test.txt"), PhoneInventory(PHONES), None, DecodingConfig(mode="embedding"))
    with pytest.raises(LexiconError, match="no words"):
        NearestWord(Lexicon(), np.zeros((0, 3)))


def small_model(**settings):
    tf.keras.utils.set_random_seed(1)
    encoder = {"kind": "tdnn", "size": 16, "dilations": [1], "subsampling": {"factor": 2}}
    config = ModelConfig.model_validate({"encoder": encoder, "head_dropout": 0.0})
    method = WordEmbeddingTransfer(**{"size": 8, **settings})
    return method, method.prepare(AcousticModel(config, 6, {"xx": PhoneInventory(PHONES)}))


def make_batch(labels, frames=20):
    rng = np.random.default_rng(0)
    lengths = np.array([len(one) for one in labels], np.int32)
    padded = np.zeros((len(labels), lengths.max()), np.int32)
    for row, one in zip(padded, labels, strict=True):
        row[: len(one)] = one
    features = rng.normal(size=(len(labels), frames, 6)).astype(np.float32)
    zeros = tf.zeros(len(labels), tf.int32)
    spoken = tf.constant(frames - np.arange(len(labels)), tf.int32)
    rows = tf.constant(features), spoken, tf.constant(padded), tf.constant(lengths)
    return Batch(*rows, zeros, zeros, zeros, total=4, labelled=int((lengths > 0).sum()))


def test_the_loss_is_the_formula():
    rng = np.random.default_rng(0)
    similarity = rng.uniform(-1, 1, (5, 5)).astype(np.float32)
    words = ["tak", "sit", "tak", "kus", "ata"]
    other = np.array([[first != second for second in words] for first in words])
    expected = [
        np.mean([max(0.0, 0.4 - similarity[i, i] + similarity[i, j]) for j in range(5) if words[i] != words[j]])
        for i in range(5)
    ]
    losses = hinge_ranking_losses(tf.constant(similarity), tf.constant(other), 0.4)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_only_what_violates_the_margin_is_pulled():
    similarity = tf.Variable([[0.9, 0.2, 0.6], [0.0, 0.5, 0.4], [-0.5, -0.6, 0.8]])
    other = tf.constant(~np.eye(3, dtype=bool))
    with tf.GradientTape() as tape:
        losses = hinge_ranking_losses(similarity, other, 0.4)
    np.testing.assert_allclose(losses, [0.05, 0.15, 0.0], atol=1e-6)
    slopes = tape.gradient(losses, similarity).numpy()
    np.testing.assert_allclose(slopes, [[-0.5, 0, 0.5], [0, -0.5, 0.5], [0, 0, 0]], atol=1e-6)


def test_a_word_is_no_rival_of_itself_and_alone_has_no_loss():
    same = tf.zeros((3, 3), tf.bool)
    assert not np.any(hinge_ranking_losses(tf.ones((3, 3)), same, 0.4))
    method, model = small_model()
    batch = make_batch([[1, 2], [1, 2], [1, 2]])
    encoded = model.encode(batch.features, batch.lengths)
    step = Step(model, batch, encoded, None, "xx", tf.constant(0.0))
    assert method.loss_terms(step)["ranking"] == 0
    assert method.measures(step)["right_word"] == 1


def test_the_loss_of_a_batch_is_that_of_its_embeddings():
    method, model = small_model(margin=0.7, weight=3.0)
    batch = make_batch([[1, 2, 7], [3, 8], [1, 2, 7], [4, 9, 5, 7]])
    encoded = model.encode(batch.features, batch.lengths)
    embedding = model.auxiliary["word_embedding"]
    heard = embedding.embed_speech(encoded).numpy()
    words = [[PHONES[unit - 1] for unit in row if unit] for row in batch.labels.numpy()]
    read = embedding.embed_pronunciations(words)
    np.testing.assert_allclose(np.linalg.norm(heard, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(read, axis=1), 1, rtol=1e-5)
    hinges = [
        [max(0.0, 0.7 - heard[i] @ read[i] + heard[i] @ read[j]) for j in range(4) if words[j] != words[i]]
        for i in range(4)
    ]
    term = method.loss_terms(Step(model, batch, encoded, None, "xx", tf.constant(0.0)))["ranking"]
    np.testing.assert_allclose(term, 3.0 * np.mean([np.mean(one) for one in hinges]), rtol=1e-4)


@pytest.mark.parametrize("pooling", ["attention", "mean_max"])
def test_padding_changes_nothing_and_order_does(pooling):
    _, model = small_model(pooling=pooling)
    embedding = model.auxiliary["word_embedding"]
    alone = embedding.embed_pronunciations([["t", "a"]])
    together = embedding.embed_pronunciations([["t", "a"], ["a", "t"], ["s", "u", "m", "i", "k"]])
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 1e-3
    batch = make_batch([[1], [2], [3]])
    padded = tf.pad(batch.features, [[0, 0], [0, 13], [0, 0]], constant_values=7.0)
    plain = embedding.embed_speech(model.encode(batch.features, batch.lengths))
    np.testing.assert_allclose(plain, embedding.embed_speech(model.encode(padded, batch.lengths)), atol=1e-5)


def test_the_block_that_is_heard_is_stored_with_the_weights():
    _, model = small_model(block="subsampling", table="chart", pooling="mean_max")
    stored = {
        name: np.asarray(variable.value)
        for name, variable in model.variables().items()
        if name.startswith("auxiliary/word_embedding/")
    }
    _, other = small_model()
    del other.auxiliary["word_embedding"]
    restore(other, stored, "exp/x")
    there = other.auxiliary["word_embedding"]
    assert (there.block, there.table, there.size, there.pooling) == ("subsampling", "chart", 8, "mean_max")
    del stored["auxiliary/word_embedding/centre"], other.auxiliary["word_embedding"]
    with pytest.raises(ModelError, match="exp/x: weights of an unknown layer 'auxiliary/word_embedding'"):
        restore(other, stored, "exp/x")


def test_a_model_without_embeddings_says_what_to_do():
    model = AcousticModel(ModelConfig(), 6, {"xx": 7})
    with pytest.raises(ModelError, match="the phones of language 'xx' are not known"):
        WordEmbeddingTransfer().prepare(model)
    with pytest.raises(ModelError, match="no encoder block 'tdnn77'; this model has: "):
        small_model(block="tdnn77")
    method, model = small_model()
    assert method.prepare(model) is model
    with pytest.raises(ModelError, match=r"the source has .*'size': 8.*expected .*'size': 10"):
        WordEmbeddingTransfer(size=10).prepare(model)


def test_the_nearest_pronunciation_of_a_word_counts():
    lexicon = Lexicon()
    for word, phones in (("kus", "kus"), ("kus", "kis"), ("sit", "sit")):
        lexicon.add(word, list(phones))
    words = NearestWord(lexicon, np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    first, second = words.find(np.array([0.1, 0.9]), nbest=5)
    assert (first.words, first.phones) == (("kus",), ("k", "i", "s"))
    assert (second.words, second.score) == (("sit",), pytest.approx(0.78))


def test_both_encoders_are_in_the_experiment(world):
    there, again = (Experiment.load(world / "exp").model.auxiliary["word_embedding"] for _ in range(2))
    np.testing.assert_array_equal(there.embed_pronunciations(UNHEARD[:3]), again.embed_pronunciations(UNHEARD[:3]))
    fresh = small_model(size=32, pooling="mean_max")[1].auxiliary["word_embedding"]
    assert np.abs(there.embed_pronunciations(["ta"]) - fresh.embed_pronunciations(["ta"])).max() > 0.01
