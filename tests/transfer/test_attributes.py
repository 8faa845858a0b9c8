"""Attribute heads, on invented speech whose features are a linear function of the phones' articulation."""

import json

import numpy as np
import pytest
import tensorflow as tf
from command_line import verb

import speechtl
from speechtl.config import parse
from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table, write_table
from speechtl.errors import ConfigError, LexiconError, ModelError
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.archives import write_ark_scp
from speechtl.lang.phone_attributes import attribute_matrix
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.attribute_head import add_language
from speechtl.models.config import ModelConfig
from speechtl.models.restore import restore
from speechtl.models.weights import arrays_of, assign
from speechtl.transfer.attributes import Attributes

BINS = 16
VOWELS, CONSONANTS = "aiu", "ptkbɡmnŋszfv"
# Not in training: the voiced one among p t k b ɡ.
UNSEEN = "d"
# Words that differ in the unseen phone alone.
RIVALS = {f"{consonant}{vowel}": f"{consonant} {vowel}" for consonant in "dtnbɡ" for vowel in VOWELS}


def write_speech(folder, texts, seed):
    """Write a data directory of phone strings, features ``articulation · matrix + noise``, silence around."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(0, 1, (attribute_matrix("a").shape[1], BINS))
    matrices = {}
    for name, text in texts.items():
        vectors = np.repeat(attribute_matrix(text.split()) @ mix, rng.integers(4, 8, len(text.split())), axis=0)
        silence = np.zeros((rng.integers(3, 6), BINS))
        rows = np.concatenate([silence, vectors, silence])
        matrices[name] = (rows + rng.normal(0, 1, rows.shape)).astype(np.float32)
    DataDir(
        path=folder,
        wav_scp={name: f"{name}.wav" for name in texts},
        text={name: text.replace(" ", "") if folder.name == "test" else text for name, text in texts.items()},
        utt2spk={name: name[:2] for name in texts},
    ).save(folder)
    with write_ark_scp(folder / "feats.ark", folder / "feats.scp") as write:
        for name in sorted(matrices):
            write(name, matrices[name])
    write_table(folder / "utt2num_frames", {name: str(len(matrix)) for name, matrix in matrices.items()})
    return folder


def random_texts(count, consonants, seed):
    rng = np.random.default_rng(seed)
    syllables = [f"{consonant} {vowel}" for consonant in consonants for vowel in VOWELS]
    return {f"s{n % 2}-{n:03d}": " ".join(rng.choice(syllables, rng.integers(1, 4))) for n in range(count)}


def make_config(first, second, *, method):
    """Two languages with some phones in common, and others of their own."""
    table = {
        "features": {"num_mel_bins": BINS},
        "normalisation": {"kind": "none"},
        "data": [{"language": "xx", "train": str(first)}, {"language": "yy", "train": str(second)}],
        "model": {"encoder": {"kind": "tdnn", "size": 32, "dilations": [], "subsampling": {"factor": 2}}},
        "batches": {"frames": 300},
        "augmentation": {"frequency_masks": 0, "time_masks": 0},
        "training": {"epochs": 16, "learning_rate": 0.03, "average": 1},
        "transfer": method,
        "decoding": {"mode": "isolated"},
    }
    return parse(ExperimentConfig, table, "here")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attributes")
    first = write_speech(folder / "first", random_texts(80, CONSONANTS[:9], 1), 1)
    second = write_speech(folder / "second", random_texts(80, CONSONANTS[3:], 2), 2)
    rng = np.random.default_rng(3)
    words = {f"t{n % 2}-{n:03d}": word for n, word in enumerate(rng.permutation(sorted(RIVALS.values()) * 4))}
    write_speech(folder / "test", words, 4)
    (folder / "lexicon.txt").write_text("".join(f"{word} {phones}\n" for word, phones in RIVALS.items()))
    train(make_config(first, second, method=[{"method": "attributes"}]), folder / "exp")
    return folder


def scores_of(world, language_phones, features=None):
    experiment = Experiment.load(world / "exp")
    experiment.add_language("new", PhoneInventory(language_phones))
    if features is None:
        features = np.random.default_rng(0).normal(size=(40, BINS)).astype(np.float32)
    return experiment, features, experiment.posteriors(features, "new")


def test_a_phone_that_training_never_had_is_found(world):
    speechtl.decode(world / "exp", world / "test", world / "out", lexicon=world / "lexicon.txt", inventory="lexicon")
    found, said = read_table(world / "out" / "text"), DataDir.load(world / "test").text
    assert len(found) == len(said) == 60
    right = {name: found[name] == word for name, word in said.items()}
    unseen = [right[name] for name, word in said.items() if word.startswith(UNSEEN)]
    seen = [right[name] for name, word in said.items() if not word.startswith(UNSEEN)]
    assert UNSEEN not in Experiment.load(world / "exp").inventory("xx")
    # Chance is 1 in 15.
    assert np.mean(unseen) > 0.7
    assert np.mean(seen) > 0.8


def test_a_head_of_a_training_language_made_anew_gives_the_same_posteriors_to_the_bit(world):
    phones = PhoneInventory.load(world / "exp" / "phones" / "xx.txt").phones
    experiment, features, posteriors = scores_of(world, phones)
    np.testing.assert_array_equal(posteriors, experiment.posteriors(features, "xx"))


def test_a_phone_has_one_score_in_all_languages(world):
    experiment, features, posteriors = scores_of(world, ["n", "d", "a"])
    odds = {"new": posteriors[:, 1] - posteriors[:, 0]}
    for language in ("xx", "yy"):
        own = experiment.posteriors(features, language)
        odds[language] = own[:, experiment.inventory(language).index("n")] - own[:, 0]
    np.testing.assert_allclose(odds["new"], odds["xx"], atol=1e-4)
    np.testing.assert_allclose(odds["new"], odds["yy"], atol=1e-4)
    assert "p" not in experiment.inventory("yy") and "v" not in experiment.inventory("xx")


def test_transcribe_takes_the_phones_of_a_lexicon(world, tmp_path, capsys):
    import soundfile

    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    lexicon = world / "lexicon.txt"
    options = {"lexicon": lexicon, "whole": True, "out": str(tmp_path / "text")}
    verb("transcribe", world / "exp", tmp_path / "noise.wav", inventory="lexicon", **options)
    assert (tmp_path / "text").read_text().strip() in RIVALS
    assert "nearest" not in capsys.readouterr().err
    verb("transcribe", world / "exp", tmp_path / "noise.wav", language="xx", **options)
    assert "d ->" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="--inventory lexicon takes the phones of a lexicon; give it"):
        verb("transcribe", world / "exp", tmp_path / "noise.wav", inventory="lexicon")


def test_phones_alone_of_a_list_of_all_languages_and_of_one(world, tmp_path, capsys):
    import soundfile

    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    every = [PhoneInventory.load(world / "exp" / "phones" / f"{name}.txt").phones for name in ("xx", "yy")]
    assert set(every[0]) != set(every[1])
    (tmp_path / "few.txt").write_text("# of no training language\nd a ʒ\n", encoding="utf-8")

    def listed(**options):
        verb("transcribe", world / "exp", tmp_path / "noise.wav", phones=True, whole=True, format="json", **options)
        out, err = capsys.readouterr()
        ((first, *_),) = [segment["phones"] for segment in json.loads(out)["segments"]]
        return {first["phone"], *(other["phone"] for other in first["alternatives"])}, err

    few, _ = listed(inventory=tmp_path / "few.txt", nbest=30)
    assert few == {"d", "a", "ʒ"}
    # Without a language that is named or recognised, all of them.
    for options in ({}, {"inventory": "all"}):
        found, _ = listed(nbest=30, **options)
        assert found == set(every[0]) | set(every[1])
    assert listed(nbest=30, language="yy")[0] == set(every[1])
    assert "phones of all languages of the model (xx, yy)" in listed(nbest=2)[1]
    out = tmp_path / "out"
    speechtl.decode(world / "exp", world / "test", out, inventory=tmp_path / "few.txt")
    assert set(" ".join(read_table(out / "phones").values()).split()) == {"d", "a", "ʒ"}
    assert not (out / "text").exists() and (out / "phones.ctm").exists()
    # Words can be written in any of these phones; others are the nearest of them.
    speechtl.decode(world / "exp", world / "test", out, inventory=tmp_path / "few.txt", add_words=["da=d a"])
    assert set(" ".join(read_table(out / "text").values()).split()) == {"da"}
    for error, said, options in [
        (
            ConfigError,
            "no such file; give a file of phones in IPA, or one of the words auto, model",
            {"inventory": "fwe.txt"},
        ),
        (LexiconError, "few.txt:2: .*'Q'", {"inventory": tmp_path / "few.txt"}),
    ]:
        (tmp_path / "few.txt").write_text("# mine\nd Q\n")
        with pytest.raises(error, match=f"(?s){said}"):
            verb("transcribe", world / "exp", tmp_path / "noise.wav", phones=True, **options)
    (tmp_path / "few.txt").write_text("d a")
    with pytest.raises(
        ConfigError, match=r"few\.txt says which phones there are, and no words; give --lexicon, or --ph"
    ):
        verb("transcribe", world / "exp", tmp_path / "noise.wav", inventory=tmp_path / "few.txt")


def test_the_phones_of_a_lexicon_need_attribute_heads(world, tmp_path):
    trained = Experiment.load(world / "exp")
    with pytest.raises(ModelError, match="a head for language 'xx' already"):
        trained.add_language("xx", PhoneInventory("a"))
    plain = Experiment(ExperimentLayout(tmp_path), trained.config, small_model(), trained.normaliser)
    with pytest.raises(ModelError, match=r"scores the phones it was trained on and no others; .*attributes"):
        plain.add_language("new", PhoneInventory("ã"))
    with pytest.raises(ConfigError, match="give it with --lexicon"):
        speechtl.decode(world / "exp", world / "test", tmp_path, inventory="lexicon")


def small_model(phones="ptkbsaiu"):
    tf.keras.utils.set_random_seed(1)
    return AcousticModel(ModelConfig(), 6, {"xx": PhoneInventory(phones)})


def test_logits_follow_the_formula():
    model = Attributes(own_vectors=True).prepare(small_model())
    space = model.auxiliary["attributes"]
    rng = np.random.default_rng(2)
    for variable in space.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    frames = rng.normal(size=(1, 3, 384)).astype(np.float32)
    logits = model.heads["xx"](tf.constant(frames)).numpy()[0]
    scale, offset = (space.norm.scale.numpy(), space.norm.offset.numpy())
    x = (frames[0] - frames[0].mean(-1, keepdims=True)) / np.sqrt(frames[0].var(-1, keepdims=True) + 1e-5)
    x = x * scale + offset
    raw = attribute_matrix(sorted("ptkbsaiu"))
    for unit, phone in enumerate("ptkbsaiu", start=1):
        vector = (attribute_matrix([phone])[0] - raw.mean(0)) / np.sqrt(raw.shape[1])
        own = space.own.numpy()[sorted("ptkbsaiu").index(phone)]
        expected = (x @ space.projection.numpy() + space.offset.numpy()) @ vector + x @ own
        np.testing.assert_allclose(logits[:, unit], expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(logits[:, 0], (x @ space.blank.numpy())[:, 0] + space.blank_offset.numpy(), rtol=1e-4)


def test_what_no_phone_of_training_varies_in_says_nothing():
    """Here all phones are oral; a nasal vowel is scored by the rest of it."""
    for size in (0, 7):
        model = Attributes(size=size).prepare(small_model())
        space = model.auxiliary["attributes"]
        frames = tf.constant(np.random.default_rng(2).normal(size=(1, 3, 384)).astype(np.float32))
        matrix = attribute_matrix(["a", "ã"])
        with tf.GradientTape() as tape:
            scores = space.scores(frames, attribute_matrix("ptkbsaiu"), np.full(8, -1), None)
            loss = tf.reduce_sum(tf.nn.log_softmax(scores)[:, :, 1])
        moved = [variable for variable in space.trainable_variables if "norm" not in variable.path]
        for variable, slope in zip(moved, tape.gradient(loss, [v.value for v in moved]), strict=True):
            variable.assign_add(tf.zeros_like(variable) if slope is None else slope)
        oral, nasal = space.scores(frames, matrix, np.full(2, -1), None).numpy()[0, :, 1:].T
        assert np.any(matrix[0] != matrix[1])
        np.testing.assert_allclose(oral, nasal, rtol=1e-5)


def test_own_vectors_are_dropped_by_phone_and_only_in_training():
    model = Attributes(own_vectors=True, own_dropout=0.5).prepare(small_model())
    space = model.auxiliary["attributes"]
    space.rate = 0.0
    space.own.assign(tf.ones_like(space.own))
    frames = np.random.default_rng(2).normal(size=(1, 5, 384)).astype(np.float32)
    space.norm.offset.assign(tf.ones(384))
    head = model.heads["xx"]
    whole = head(frames).numpy()[0, :, 1:]
    shown = [head(frames, tf.constant([1, seed])).numpy()[0, :, 1:] for seed in range(40)]
    assert np.all(whole > 100)
    kept = np.array([np.all(scores > 100, axis=0) for scores in shown])
    assert np.all(kept == np.array([np.any(scores > 100, axis=0) for scores in shown]))
    assert 0.35 < kept.mean() < 0.65


def test_own_vectors_follow_their_phones_into_a_model_of_others():
    source = Attributes(own_vectors=True, table="chart", size=5).prepare(small_model())
    for variable in source.auxiliary["attributes"].trainable_variables:
        variable.assign(np.random.default_rng(1).normal(size=variable.shape))
    other = small_model("zbã")
    arrays = arrays_of(source.variables())
    restore(other, arrays, "exp/x")
    assign(other.variables(), arrays, "exp/x")
    add_language(source, "new", PhoneInventory("zbã"))
    frames = np.random.default_rng(2).normal(size=(1, 3, 384)).astype(np.float32)
    scores = other.heads["xx"](frames).numpy()
    np.testing.assert_array_equal(scores, source.heads["new"](frames).numpy())
    other.auxiliary["attributes"].own.assign(tf.zeros_like(other.auxiliary["attributes"].own))
    without = other.heads["xx"](frames).numpy()
    changed = np.abs(scores - without).max(axis=(0, 1)) > 0.1
    # Blank, z, b, ã: training had b, and s and a, which are nearest to the others.
    assert list(changed) == [False, True, True, True]
    lent = (scores - without)[0]
    own = dict(zip(sorted("ptkbsaiu"), source.auxiliary["attributes"].own.numpy()))
    normal = source.auxiliary["attributes"].norm(frames)[0].numpy()
    np.testing.assert_allclose(lent[:, 1:], normal @ np.stack([own["s"], own["b"], own["a"]], axis=1), atol=1e-2)
    with pytest.raises(ModelError, match=r"the source's heads have .*'own_vectors': True.*expected"):
        Attributes().prepare(other)


@pytest.mark.parametrize("inventory", ["ptkbsaiu", ["p", "t", "k", "b", "s", "a", "i", "u", "˥"]])
def test_a_phone_that_training_never_had_is_half_way_to_its_nearest(inventory):
    """Also where a tone, which no phone is like, is among those of training."""
    model = Attributes(own_vectors=True).prepare(small_model(inventory))
    for variable in model.auxiliary["attributes"].trainable_variables:
        variable.assign(np.random.default_rng(3).normal(size=variable.shape))
    add_language(model, "new", PhoneInventory(["z", "s"]))
    frames = np.random.default_rng(4).normal(size=(2, 5, 384)).astype(np.float32)
    z, s = np.moveaxis(model.heads["new"](frames).numpy()[..., 1:], -1, 0)
    space = model.auxiliary["attributes"]
    step = (attribute_matrix(["z"]) - attribute_matrix(["s"]))[0] / np.sqrt(attribute_matrix("s").shape[1]) / 2
    articulated = space.norm(frames).numpy() @ space.projection.numpy() + space.offset.numpy()
    np.testing.assert_allclose(z - s, articulated @ step, rtol=1e-3, atol=1e-3)
    assert np.abs(z - s).max() > 0.1


def test_phones_without_articulation_are_all_listed():
    with pytest.raises(ModelError, match=r"(?s)attributes:.*'NOISE'.*'SIL'"):
        Attributes().prepare(AcousticModel(ModelConfig(), 6, {"xx": PhoneInventory(["SIL", "a", "NOISE"])}))
    with pytest.raises(ModelError, match="phones of language 'xx' are not known"):
        Attributes().prepare(AcousticModel(ModelConfig(), 6, {"xx": 7}))


def test_stored_weights_of_another_kind_are_refused():
    with pytest.raises(ModelError, match="exp/x: weights of an unknown layer 'auxiliary/attributes'"):
        unknown = {"auxiliary/attributes/centre": np.zeros(3), "auxiliary/attributes/projection": np.zeros((4, 3))}
        restore(small_model(), unknown, "exp/x")


def test_languages_are_read_from_the_config(world):
    assert load_config(world / "exp" / "config.toml").transfer[0] == Attributes()
