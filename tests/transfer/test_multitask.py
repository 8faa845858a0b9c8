"""Languages that share some of a model: who moves what, who keeps what, and which one is spoken."""

import json

import numpy as np
import panphon.distance
import pytest
import tensorflow as tf
from command_line import verb
from rapidfuzz.distance import Levenshtein

import speechtl
from speechtl.adaptation.learner import Speech
from speechtl.alignment.ctc import merge_repeats
from speechtl.config import parse
from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table, write_table
from speechtl.errors import ConfigError, DataError, ModelError
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.language_head import language_head
from speechtl.models.weights import arrays_of, load_arrays
from speechtl.recognition.language_identifier import LanguageIdentifier, spoken_languages
from speechtl.training.objective import Objective
from speechtl.training.optimizer import make_optimizer
from speechtl.training.update import Update
from speechtl.transfer.adapter import Adapter
from speechtl.transfer.layer_transfer import LayerTransfer
from speechtl.transfer.lora import Lora
from speechtl.transfer.multitask import LanguageIdentification, Multitask

BLOCKS = ["subsampling", "tdnn1", "tdnn2"]
CONFIG = {"encoder": {"kind": "tdnn", "size": 12, "dilations": (1, 2), "subsampling": {"factor": 2}}}
VOICES = {"xx": 99, "yy": 7, "zz": 31}


def make(heads=("xx", "yy"), **settings):
    tf.keras.utils.set_random_seed(2)
    model = AcousticModel(ModelConfig.model_validate(CONFIG), 10, dict.fromkeys(heads, 5))
    return model, Multitask.model_validate(settings)


def speech(seed, rows=3):
    rng = np.random.default_rng(seed)
    features = [rng.normal(size=(24, 10)).astype(np.float32) for _ in range(rows)]
    return Speech([f"u{row}" for row in range(rows)], features, [[1, 2, 3]] * rows).batch()


def updater(model, *methods):
    for method in methods:
        model = method.prepare(model)
    variables = model.trainable_variables()
    return Update(Objective(model, methods), variables, make_optimizer(0.01, variables), clip_norm=5.0, seed=1)


def moved(before, model):
    """Return the layers of which some weight is not what it was."""
    after = arrays_of(model.variables())
    return {"/".join(name.split("/")[:-2]) for name, array in after.items() if np.any(array != before[name])}


@pytest.mark.parametrize(
    ("shared", "own"),
    [
        ("first:1", ["tdnn1", "tdnn2"]),
        ("last:1", ["subsampling", "tdnn1"]),
        (["tdnn1"], ["subsampling", "tdnn2"]),
    ],
)
def test_steps_on_one_language_leave_what_is_the_others_alone(shared, own):
    model, method = make(shared=shared)
    features = speech(0).features
    heard = model.logits(model.encode(features, tf.fill([3], 24)), "xx").numpy()
    update = updater(model, method)
    assert {language: list(blocks) for language, blocks in model.private.items()} == {"xx": own, "yy": own}
    # Before the first step, everyone hears what the model heard without own blocks.
    for language in ("xx", "yy"):
        encoded = model.encode(features, tf.fill([3], 24), language=language)
        np.testing.assert_array_equal(model.logits(encoded, "xx").numpy(), heard)

    # Momentum of the first language's steps must not go on in the second's.
    for step in range(2):
        update([speech(step)], "xx", step, 0.1)
    before = arrays_of(model.variables())
    for step in range(3):
        terms = update([speech(step)], "yy", 2 + step, 0.2)
    assert np.isfinite(list(terms.values())).all()
    changed = {name.split("/conv")[0].split("/norm")[0] for name in moved(before, model)}
    through = {f"private/yy/{name}" if name in own else f"encoder/{name}" for name in BLOCKS}
    assert changed == {*through, "heads/yy"}


def test_what_is_kept_stays_to_the_bit_and_with_the_trunk_all_that_it_says():
    features, lengths = speech(0).features, tf.fill([3], 24)

    def says(model, language):
        return model.logits(model.encode(features, lengths, language=language), language).numpy()

    trained = {}
    for trunk in (False, True):
        model, method = make(("xx", "yy", "zz"), shared="first:2", keep=["xx", "yy"], keep_trunk=trunk)
        before, said = arrays_of(model.variables()), says(model, "xx")
        update = updater(model, method)
        trained[trunk] = {"/".join(name.split("/")[:2]) for name in model.trainable_variables()}
        assert list(model.private) == ["zz"]
    assert trained[False] == {"private/zz", "heads/zz", *(f"encoder/{name}" for name in BLOCKS)}
    assert trained[True] == {"private/zz", "heads/zz"}
    for step in range(2):
        update([speech(step)], "zz", step, 0.1)
    after = arrays_of(model.variables())
    for name, array in before.items():
        if not name.startswith("heads/zz/"):
            np.testing.assert_array_equal(after[name], array, err_msg=name)
    np.testing.assert_array_equal(says(model, "xx"), said)
    with pytest.raises(ModelError, match="language xx: nothing that its speech passes through is trained"):
        update([speech(0)], "xx", 0, 0.1)


@pytest.mark.parametrize("stopped", [True, False])
def test_the_language_head_learns_without_moving_the_trunk_unless_it_may(stopped):
    model, method = make(identify=LanguageIdentification(size=6, stop_gradient=stopped, block="tdnn1"), keep=["xx"])
    update = updater(model, method)
    batch = speech(0)
    batch = batch._replace(label_lengths=0 * batch.label_lengths)  # without transcripts, nothing else moves the trunk
    before = arrays_of(model.variables())
    losses = [update([batch], "xx", 0, 0.1)["language"] for _ in range(5)]
    assert losses[0] == pytest.approx(np.log(2)) and losses[-1] < 0.9 * losses[0]
    kernels = {
        name for name, a in arrays_of(model.variables()).items() if "kernel" in name and np.any(a != before[name])
    }
    trunk = {f"encoder/{name}/conv/kernel" for name in BLOCKS[:2]}
    assert kernels >= {"auxiliary/language/tdnn1/conv/kernel", "auxiliary/language/tdnn1/score-xx/kernel"}
    assert kernels & trunk == (set() if stopped else trunk)


def test_padding_does_not_change_what_the_language_head_hears():
    model, method = make(identify=LanguageIdentification(block="input"))
    head = language_head(method.prepare(model))
    features = np.random.default_rng(0).normal(size=(2, 30, 10)).astype(np.float32)
    together = head(tf.constant(features), tf.constant([30, 11])).numpy()
    np.testing.assert_allclose(
        head(tf.constant(features[1:, :11]), tf.constant([11])).numpy()[0], together[1], atol=1e-5
    )


def test_where_a_language_head_may_hear():
    for shared, place in (("last:1", "input"), ("first:2", "tdnn1"), ("all", "tdnn2")):
        model, method = make(shared=shared, identify={})
        method.prepare(model)
        assert language_head(model).place == place and language_head(model).languages == ["xx", "yy"]
    model, method = make(shared="first:1", identify={"block": "tdnn2"})
    with pytest.raises(ModelError, match=r"parted at block 'tdnn2'.*choose one of: input, subsampling$"):
        method.prepare(model)


def test_languages_that_are_not_there_are_errors():
    model, method = make(keep=["fr"], languages=["de"], shared="first:2")
    with pytest.raises(ModelError, match=r"this model has: xx, yy\n  de\n  fr"):
        method.prepare(model)
    with pytest.raises(ConfigError, match="but all are shared"):
        parse(Multitask, {"method": "multitask", "languages": ["xx"]}, "x.toml")


def test_other_methods_reach_languages_own_blocks():
    features, lengths = speech(0).features, tf.fill([3], 24)
    for kind, blocks in ((Lora, "first:2"), (Adapter, "first:1")):
        for own_first in (True, False):
            model, method = make(shared="last:1")
            layers = kind(blocks=blocks, rank=2)
            for one in (method, layers) if own_first else (layers, method):
                one.prepare(model)
            before = [model.encode(features, lengths, language=name).outputs["tdnn1"].numpy() for name in ("xx", "yy")]
            for name, variable in model.variables().items():
                if name.endswith("/up"):
                    variable.assign(variable.value + 0.1)
            after = [model.encode(features, lengths, language=name).outputs["tdnn1"].numpy() for name in ("xx", "yy")]
            assert all(np.abs(one - other).max() > 1e-3 for one, other in zip(before, after, strict=True))


@pytest.fixture(scope="module")
def corpora(shared_config_maker, shared_corpus_maker):
    """Return a folder, and a function that makes a config of some languages, each with patterns of its own."""
    root, _ = shared_config_maker
    for language, voice in VOICES.items():
        for part, seed in (("train", 1), ("test", 2)):
            shared_corpus_maker(f"{part}_{language}", utterances=24 if part == "train" else 8, seed=seed, voice=voice)

    def config(data, transfer=(), epochs=1):
        tables = [
            {"lexicon": str(root / "lexicon.txt"), "train": str(root / f"train_{one['language']}")} | one
            for one in data
        ]
        table = {
            "data": [{key: value for key, value in one.items() if value is not None} for one in tables],
            "transfer": list(transfer),
            "features": {"num_mel_bins": 12},
            "model": {"encoder": {**CONFIG["encoder"], "size": 16}},
            "batches": {"frames": 600, "shuffle_pool": 8},
            "augmentation": {"frequency_masks": 0, "time_masks": 0},
            "training": {"epochs": epochs, "learning_rate": 0.01, "average": 1},
        }
        return parse(ExperimentConfig, table, "x.toml")

    return root, config


@pytest.fixture(scope="module")
def experiment(corpora):
    """Return the directory of a model of two languages with a block of their own each and a language head."""
    root, config = corpora
    method = {"method": "multitask", "shared": "last:2", "identify": {"size": 16}}
    train(config([{"language": "xx"}, {"language": "yy"}], [method], epochs=8), root / "two")
    return root / "two"


def test_a_model_reloads_with_own_blocks_and_language_head(experiment):
    arrays, model = load_arrays(experiment / "weights.h5")[0], Experiment.load(experiment).model
    assert {language: list(blocks) for language, blocks in model.private.items()} == {
        "xx": ["subsampling"],
        "yy": ["subsampling"],
    }
    assert arrays.keys() == arrays_of(model.variables()).keys()
    kernel = "subsampling/conv/kernel"
    assert np.abs(arrays[f"private/xx/{kernel}"] - arrays[f"private/yy/{kernel}"]).max() > 0.01
    copied = AcousticModel(Experiment.load(experiment).config.model, 12, {"xx": 7, "yy": 7})
    copied.add_private_blocks("xx", ["subsampling", "tdnn1"])
    LayerTransfer(source=str(experiment), blocks="first:2").prepare(copied)
    ours = arrays_of(copied.variables())
    np.testing.assert_array_equal(ours[f"private/xx/{kernel}"], arrays[f"private/xx/{kernel}"])
    np.testing.assert_array_equal(ours["private/xx/tdnn1/conv/kernel"], arrays["encoder/tdnn1/conv/kernel"])
    assert not copied.private["xx"]["tdnn1"].trainable and not copied.block("tdnn1").trainable


def test_errors_of_held_out_speech_are_told_for_each_language(experiment, corpora):
    root, config = corpora
    data = [{"language": name, "dev": str(root / f"test_{name}")} for name in ("xx", "yy")]
    # The head of the second language is fresh, so its errors are others.
    source = {"method": "fine_tuning", "source": str(experiment), "fresh": ["heads/yy/*"]}
    told = train(config(data, [source]), root / "told")
    model, counts, features = Experiment.load(root / "told"), {}, {}
    panphons = panphon.distance.Distance()
    for language in ("xx", "yy"):
        pronounced, text = model.lexicon(language), read_table(root / f"test_{language}" / "text")
        phones = model.inventory(language).phones
        errors = total = 0
        distance = segments = 0
        for name, posteriors in model.posteriors_of(root / f"test_{language}", language):
            said = [phones[unit - 1] for unit in merge_repeats(posteriors.argmax(axis=1))]
            meant = pronounced.phones_of(text[name].split())
            errors, total = errors + Levenshtein.distance(said, meant), total + len(meant)
            distance += panphons.hamming_feature_edit_distance("".join(meant), "".join(said))
            segments += len(panphons.fm.ipa_segs("".join(meant)))
        counts[language], features[language] = (errors, total), (distance, segments)
        assert told[f"dev_per_{language}"] == pytest.approx(100 * errors / total)
        assert told[f"dev_pfer_{language}"] == pytest.approx(100 * distance / segments)
    assert told["dev_per_xx"] != told["dev_per_yy"]
    errors, totals = zip(*counts.values(), strict=True)
    assert told["dev_per"] == pytest.approx(100 * sum(errors) / sum(totals))
    distances, segments = zip(*features.values(), strict=True)
    assert told["dev_pfer"] == pytest.approx(100 * sum(distances) / sum(segments))


def test_the_language_is_recognised_or_what_utt2lang_says(experiment, corpora, tmp_path):
    root, _ = corpora
    model = Experiment.load(experiment)
    for language in ("xx", "yy"):
        spoken = spoken_languages(model, root / f"test_{language}")
        assert len(spoken) == 8 and all(one.name == language and one.probability > 0.5 for one in spoken.values())

    data = DataDir.load(root / "test_xx")
    data.save(tmp_path / "some")
    for name in ("feats.scp", "cmvn.scp", "utt2num_frames"):
        (tmp_path / "some" / name).write_bytes((root / "test_xx" / name).read_bytes())
    given = {name: ("xx", "yy")[number % 2] for number, name in enumerate(data.utterance_ids)}
    write_table(tmp_path / "some" / "utt2lang", given)
    spoken = spoken_languages(model, tmp_path / "some")
    assert {name: one.name for name, one in spoken.items()} == given
    assert all(one.probability is None for one in spoken.values())
    write_table(tmp_path / "some" / "utt2lang", dict.fromkeys(given, "fr"))
    with pytest.raises(DataError, match=r"utt2lang: languages that .* lacks \(it has xx, yy\).*\n  fr"):
        spoken_languages(model, tmp_path / "some")


def test_decoding_without_saying_the_language(experiment, corpora, tmp_path, capsys):
    root, _ = corpora
    both = {}
    for language in ("xx", "yy"):
        data = DataDir.load(root / f"test_{language}")
        both |= dict.fromkeys(data.utterance_ids, language)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name in ("wav.scp", "text", "utt2spk", "feats.scp", "utt2num_frames"):
        rows = {}
        for language in ("xx", "yy"):
            rows |= read_table(root / f"test_{language}" / name)
        write_table(mixed / name, rows)
    # Speakers of both languages have the same names here: take the statistics of one of each.
    speakers = {u: f"{u.split('-')[0]}-{u.split('-')[1]}" for u in both}
    write_table(mixed / "utt2spk", speakers)
    places = {}
    for language in ("xx", "yy"):
        for name, place in read_table(root / f"test_{language}" / "cmvn.scp").items():
            places[f"{name}-test_{language}"] = place
    write_table(mixed / "cmvn.scp", places)

    verb("decode", experiment, mixed, tmp_path / "out", lexicon=experiment / "lexicon", beam=60)
    assert read_table(tmp_path / "out" / "utt2lang") == both
    assert "xx: 8 recognised (probability " in capsys.readouterr().out
    lines = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    spoken = {line["utterance"]: line["segments"][0] for line in lines}
    assert {name: segment["language"] for name, segment in spoken.items()} == both
    assert all(0.5 < segment["language_probability"] <= 1 for segment in spoken.values())
    together = read_table(tmp_path / "out" / "text")
    for language in ("xx", "yy"):
        lexicon = experiment / "lexicon" / f"{language}.txt"
        alone = tmp_path / language
        options = {"lexicon": lexicon, "settings": ["decoding.beam=60"], "language": language}
        speechtl.decode(experiment, root / f"test_{language}", alone, **options)
        assert read_table(alone / "text") == {u: text for u, text in together.items() if both[u] == language}
    with pytest.raises(ConfigError, match="are of one language"):
        speechtl.decode(experiment, mixed, tmp_path / "out", lexicon=lexicon)


def test_a_language_is_added_and_the_old_ones_say_what_they_said(experiment, corpora):
    root, config = corpora
    old = [{"language": name, "train": None, "lexicon": None} for name in ("xx", "yy")]
    methods = [
        {"method": "fine_tuning", "source": str(experiment), "fresh": ["heads/zz/*"]},
        {"method": "multitask", "keep": ["xx", "yy"], "keep_trunk": True, "shared": "first:2"},
    ]
    train(config([*old, {"language": "zz"}], methods), root / "three")
    before, after = Experiment.load(experiment), Experiment.load(root / "three")
    assert after.languages == ["xx", "yy", "zz"]
    for language in ("xx", "yy"):
        assert after.lexicon(language).entries == before.lexicon(language).entries
        assert after.inventory(language) == before.inventory(language)
        pairs = zip(*(one.posteriors_of(root / f"test_{language}", language) for one in (before, after)), strict=True)
        for (name, theirs), (same, ours) in pairs:
            assert name == same
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ModelError, match="has xx, yy, zz, and was trained to recognise xx, yy"):
        LanguageIdentifier(after)
    # What is new has blocks of its own behind the shared ones, and they have learnt.
    arrays = load_arrays(root / "three" / "weights.h5")[0]
    assert np.any(arrays["private/zz/tdnn2/conv/kernel"] != arrays["encoder/tdnn2/conv/kernel"])


def test_languages_with_one_inventory(corpora, tmp_path):
    root, config = corpora
    (root / "more.txt").write_text((root / "lexicon.txt").read_text() + "tik t i k\nmu m u\n")
    for number in range(2):
        tables = [
            {"language": "xx", "head": "ipa"},
            {"language": "yy", "head": "ipa", "lexicon": str(root / "more.txt")},
        ]
        train(config(tables), root / f"ipa{number}")
    # Mixed training is a function of the seed.
    first, second = (load_arrays(root / f"ipa{number}" / "weights.h5")[0] for number in range(2))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert {name.split("/")[1] for name in first if name.startswith("heads/")} == {"ipa"}

    model = Experiment.load(root / "ipa0")
    assert model.languages == ["xx", "yy"] and list(model.inventories) == ["ipa"]
    assert [path.name for path in (root / "ipa0" / "phones").iterdir()] == ["ipa.txt"]
    assert sorted(model.lexicon("yy").words) != sorted(model.lexicon("xx").words)
    features = np.random.default_rng(0).normal(size=(31, 12)).astype(np.float32)
    np.testing.assert_array_equal(model.posteriors(features, "xx"), model.posteriors(features, "ipa"))
    # A language that no one trained is decoded through its lexicon on the common head.
    other = tmp_path / "other.txt"
    other.write_text("kasi k a s i\nuti u t i\n")
    speechtl.decode(root / "ipa0", root / "test_zz", tmp_path / "out", lexicon=other, language="ipa")
    assert {w for text in read_table(tmp_path / "out" / "text").values() for w in text.split()} <= {"kasi", "uti"}
    with pytest.raises(
        ModelError, match=r"say which language.*this model has xx, yy, and was trained to recognise none"
    ):
        speechtl.decode(root / "ipa0", root / "test_zz", tmp_path / "out", lexicon=root / "ipa0" / "lexicon")


def test_a_head_is_not_named_after_a_language_that_has_another(corpora):
    _, config = corpora
    with pytest.raises(ConfigError, match="head = 'yy' is the name of a language that has another head"):
        config([{"language": "xx", "head": "yy"}, {"language": "yy", "head": "ipa"}])
    assert config([{"language": "xx", "head": "yy"}, {"language": "yy"}]).head_of == {"xx": "yy", "yy": "yy"}


def test_a_misspelt_key_of_identify_names_the_known_ones(make_config):
    with pytest.raises(
        ConfigError, match=r"identify\.wieght: unknown key; known keys: block, size, stop_gradient, weight"
    ):
        load_config(make_config(transfer={"method": "multitask", "identify": {"wieght": 1}}))
