"""Whoever reads stored features refuses those that were computed with other ``[features]`` than the model's."""

import re

import numpy as np
import pytest
import soundfile
from command_line import verb

import speechtl
from speechtl.adaptation.adapt import adapt
from speechtl.adaptation.request import Request
from speechtl.adaptation.study import Study, run_study
from speechtl.alignment.corpus import Corpus
from speechtl.alignment.corpus_refinement import refine_corpus
from speechtl.batches.config import DataConfig, NormalisationConfig
from speechtl.batches.global_stats import global_stats
from speechtl.batches.source import Normaliser, Source
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import recorded_config
from speechtl.lang.lexicon import Lexicon
from speechtl.recognition.language_identifier import LanguageIdentifier, spoken_languages
from speechtl.recognition.nearest_word import nearest_words

MODEL = FeatureConfig(sample_rate=16000, num_mel_bins=12)
OTHER = FeatureConfig(sample_rate=8000, num_mel_bins=12)


def speak(folder, config):
    """Write a data directory of eight noises by two speakers, with features."""
    rng = np.random.default_rng(1)
    wav, text, speaker = {}, {}, {}
    folder.mkdir(parents=True)
    for number in range(8):
        name = f"s{number % 2}-{number}"
        wav[name], text[name], speaker[name] = str(folder / f"{name}.wav"), "tak", f"s{number % 2}"
        soundfile.write(wav[name], rng.normal(0, 0.1, 8000), 16000)
    DataDir(path=folder, wav_scp=wav, text=text, utt2spk=speaker).save(folder)
    compute_features(DataDir.load(folder), config, folder / "feats")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a model of 16000 Hz, and a data directory of 8000 Hz with as many bins."""
    root = tmp_path_factory.mktemp("rates")
    speak(root / "right", MODEL)
    speak(root / "wrong", OTHER)
    (root / "lexicon.txt").write_text("tak t a k\n")
    (root / "conf.toml").write_text(
        f'[[data]]\nlanguage = "xx"\ntrain = "{root}/right"\nlexicon = "{root}/lexicon.txt"\n'
        "[features]\nnum_mel_bins = 12\n"
        '[model.encoder]\nkind = "tdnn"\nsize = 8\ndilations = [1]\nsubsampling = {factor = 2}\n'
        '[batches]\nframes = 400\n[training]\nepochs = 1\n[[transfer]]\nmethod = "word_embedding"\nsize = 4\n'
    )
    train(load_config(root / "conf.toml"), root / "exp")
    return root


def refuses(folder):
    """Expect the error that names the directory, the differing keys with both values, and the command."""
    message = (
        f"{folder}: features differ from the model's in sample_rate; compute those of the model: "
        f"speechtl features {folder} --overwrite --model MODEL\n  sample_rate: stored 8000, expected 16000"
    )
    return pytest.raises(DataError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("setting", ["train", "unlabelled", "dev"])
def test_train(place, tmp_path, setting):
    text = (place / "conf.toml").read_text()
    if setting == "train":
        text = text.replace("/right", "/wrong")
    else:
        text = text.replace("lexicon =", f'{setting} = "{place}/wrong"\nlexicon =')
    (tmp_path / "conf.toml").write_text(text)
    with refuses(place / "wrong"):
        train(load_config(tmp_path / "conf.toml"), tmp_path / "exp")


def test_global_statistics(place):
    with refuses(place / "wrong"):
        global_stats([DataConfig(train=(str(place / "right"), str(place / "wrong")))], MODEL)


def test_decode(place, tmp_path):
    speechtl.decode(place / "exp", place / "right", tmp_path / "right", lexicon=place / "lexicon.txt")
    with refuses(place / "wrong"):
        speechtl.decode(place / "exp", place / "wrong", tmp_path / "wrong", lexicon=place / "lexicon.txt")
    assert not (tmp_path / "wrong").exists()


def test_tune(place, tmp_path):
    with refuses(place / "wrong"):
        speechtl.decode(
            place / "exp",
            place / "right",
            tmp_path / "out",
            lexicon=place / "lexicon.txt",
            tune_on=place / "wrong",
        )


def test_posteriors_and_batches(place):
    experiment = Experiment.load(place / "exp")
    assert len(dict(experiment.posteriors_of(place / "right"))) == 8
    for read in (experiment.posteriors_of, experiment.batches_of):
        with refuses(place / "wrong"):
            list(read(place / "wrong"))


def test_nearest_word_and_spoken_language(place, monkeypatch):
    experiment = Experiment.load(place / "exp")
    lexicon = Lexicon.load(place / "lexicon.txt")
    with refuses(place / "wrong"):
        list(nearest_words(experiment, place / "wrong", lexicon))
    monkeypatch.setattr(LanguageIdentifier, "__init__", lambda self, experiment: None)
    with refuses(place / "wrong"):
        spoken_languages(experiment, place / "wrong")


def test_align(place, tmp_path):
    verb("align", place / "exp", place / "right", tmp_path / "right", refine="never")
    with refuses(place / "wrong"):
        verb("align", place / "exp", place / "wrong", tmp_path / "wrong")


def test_refine(place):
    inventory = Experiment.load(place / "exp").inventory()
    with refuses(place / "wrong"):
        refine_corpus(Corpus(DataDir.load(place / "wrong"), inventory, None, MODEL, 2), {})


@pytest.mark.parametrize("role", ["data", "replay", "source_speech"])
def test_study(place, tmp_path, role):
    directories = {"data": place / "right", role: place / "wrong"}
    study = Study(place / "exp", systems={"lhuc": ("lhuc", ())}, counts=(1,), folds=2, **directories)
    with refuses(place / "wrong"):
        run_study(study, tmp_path / "out", None, None, Experiment.load(place / "exp").config.decoding, None)


@pytest.mark.parametrize("role", ["data", "replay", "test", "source_speech"])
def test_adapt(place, tmp_path, role):
    directories = {"data": place / "right", role: place / "wrong"}
    settings = ("epochs=1", "folds=2", *(["replay=2"] if role == "replay" else []))
    with refuses(place / "wrong"):
        adapt(Request(source=place / "exp", out=tmp_path / "out", method="lhuc", settings=settings, **directories))


def test_probe(place):
    with refuses(place / "wrong"):
        verb("probe", place / "exp", data=[place / "right", place / "wrong"])


def test_a_subset_is_checked_through_its_archives(place, tmp_path):
    DataDir.load(place / "wrong").select(["s0-2", "s1-3"]).save(tmp_path / "subset")
    with refuses(tmp_path / "subset"):
        list(Experiment.load(place / "exp").posteriors_of(tmp_path / "subset"))


def test_features_without_a_record_must_only_have_the_dimension(place, tmp_path):
    experiment = Experiment.load(place / "exp")
    for config, name in ((OTHER, "fits"), (FeatureConfig(num_mel_bins=13), "does_not")):
        folder = speak(tmp_path / name, config)
        for journal in (folder / "feats").glob("*.json"):
            journal.unlink()
    assert len(dict(experiment.posteriors_of(tmp_path / "fits"))) == 8
    with pytest.raises(
        DataError, match=r"does_not: features with 13 values per frame, expected 12; compute those of the"
    ):
        list(experiment.posteriors_of(tmp_path / "does_not"))


def test_only_the_archives_that_are_referred_to_count(place, tmp_path):
    folder = speak(tmp_path / "data", OTHER)
    compute_features(DataDir.load(folder), MODEL, folder / "again")
    DataDir.load(folder).save(tmp_path / "copy")
    compute_features(DataDir.load(folder), OTHER, folder / "feats")
    experiment = Experiment.load(place / "exp")
    assert len(dict(experiment.posteriors_of(tmp_path / "copy"))) == 8
    with refuses(folder):
        list(experiment.posteriors_of(folder))


def test_splice(place, tmp_path):
    phones = tmp_path / "phones.ctm"
    names = DataDir.load(place / "right").utterance_ids
    lines = [f"{name} 1 {start} 0.1 {phone}\n" for name in names for start, phone in ((0, "t"), (0.1, "a"), (0.2, "k"))]
    phones.write_text("".join(lines))
    # Spliced features know what they are: as the features that they are made of.
    for name, config in (("right", MODEL), ("wrong", OTHER)):
        verb("data splice", place / name, phones, tmp_path / name)
        assert recorded_config(DataDir.load(tmp_path / name)) == config
    with refuses(tmp_path / "wrong"):
        Source([tmp_path / "wrong"], DataConfig(), Normaliser(NormalisationConfig(), None), MODEL)
    with refuses(place / "wrong"):
        verb("data splice", place / "wrong", phones, tmp_path / "none", config=place / "conf.toml")
