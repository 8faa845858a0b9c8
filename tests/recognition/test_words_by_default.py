"""What a model of several languages that scores any phone does without being told: its own words, or a lexicon's."""

import gzip
import json
import logging

import numpy as np
import pytest
import soundfile
from command_line import run
from named_models import package_as
from whistled_speech import RATE, WORDS, train_on_whistles, whistle

import speechtl
from speechtl.data.datadir import DataDir
from speechtl.errors import ConfigError, LexiconError, ModelError
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.grammar.ngram_model import train_ngram
from speechtl.pretrained import named_models
from speechtl.pretrained.model_path import model_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return an experiment of two languages with heads by attributes."""
    transfer = '[[transfer]]\nmethod = "attributes"\nown_vectors = true\n'
    return train_on_whistles(tmp_path_factory.mktemp("two"), ("en", "yy"), transfer)


@pytest.fixture(scope="module", autouse=True)
def named(trained, tmp_path_factory):
    """Package it as "two", with words of English in which a dictionary and a language model are not the same."""
    root = tmp_path_factory.mktemp("package")
    words = root / "words" / "en"
    words.mkdir(parents=True)
    lines = [f"{word} {said}\n" for word, variants in sorted(WORDS.items()) for said in variants]
    (words / "lexicon.txt.gz").write_bytes(gzip.compress("".join(lines).encode()))
    frequent = [word for word in WORDS if word != "kus"]
    train_ngram([frequent, frequent[::-1]], 2).write_arpa(words / "lm.arpa.gz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEECHTL_CACHE", str(root / "cache"))
        patch.setattr(named_models, "WORDS", root / "words")
        package_as(trained, root / "models", patch, "two")
        yield root


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "talk.wav"
    soundfile.write(path, whistle("tak si ata", 77)[0], RATE)
    return path


def test_words_of_the_only_language_that_has_some(recording, caplog):
    caplog.set_level(logging.INFO, "speechtl")
    recogniser = speechtl.load("two")
    assert recogniser.languages == ["en"]
    assert recogniser.transcribe(recording).text == "tak si ata"
    assert "words of language 'en'; give a --lexicon of another language, or --phones" in caplog.text
    # The dictionary has a word that the language model lacks: it is found once it is added, as it is pronounced there.
    spoken = whistle("tak kus", 78)[0]
    assert "kus" not in recogniser.transcribe(spoken, RATE).text
    assert recogniser.add_word("kus") == [("k", "u", "s")]
    assert recogniser.transcribe(spoken, RATE).text == "tak kus"
    assert speechtl.load("two", add_words=["kus"]).transcribe(spoken, RATE).text == "tak kus"


def test_words_and_language_model_come_along_when_the_model_is_exported(recording, tmp_path):
    run("export", "two", tmp_path / "two.speechtl")
    spoken = whistle("tak kus", 78)[0]
    for model in ("two", tmp_path / "two.speechtl"):
        recogniser = speechtl.load(model)
        assert recogniser.transcribe(recording).text == "tak si ata"
        # Which the dictionary has, and the language model lacks.
        assert "kus" not in recogniser.transcribe(spoken, RATE).text


def test_phones_need_no_lexicon(recording):
    assert run("transcribe", "two", recording, phones=True).stdout.split() == list("taksiata")
    # Phones of all languages are of none that JSON could name.
    for more in ({}, {"language": "en"}):
        (segment,) = json.loads(run("transcribe", "two", recording, phones=True, format="json", **more).stdout)[
            "segments"
        ]
        assert segment.get("language") == more.get("language")


def test_what_is_no_speaker_is_told(recording, trained, tmp_path):
    with pytest.raises(ModelError, match=r"nobody: no layers of a speaker there; give the folder that speechtl adapt"):
        run("transcribe", "two", recording, speaker=tmp_path / "nobody")
    with pytest.raises(ModelError, match="a whole model, not the layers of a speaker; give it in place of the model"):
        run("transcribe", "two", recording, speaker=trained)


def test_a_wrong_setting_is_told_from_what_the_model_says(recording):
    with pytest.raises(ConfigError, match=r"^--set: \[decoding\]: 1 problem\n  beem: unknown key; "):
        run("transcribe", "two", recording, set_="decoding.beem=3")


@pytest.mark.parametrize("language", [None, "sw"])
def test_a_lexicon_of_any_language_brings_its_phones(recording, tmp_path, language):
    lexicon = tmp_path / "lexicon.txt"
    # Like t and s but for the voice: none of the model's languages has them.
    lexicon.write_text("dak d a k\nzi z i\nata a t a\n")
    recogniser = speechtl.load("two", lexicon=lexicon, language=language)
    assert recogniser.languages == [language or "lexicon"]
    assert set(recogniser.experiment.inventory(recogniser.languages[0])) == set("adiktz")
    assert recogniser.transcribe(recording).text == "dak zi ata"
    # A language of the model has the phones of its head.
    known = speechtl.load("two", lexicon=lexicon, language="yy")
    assert set(known.experiment.inventory("yy")) == set("aikstu")


def test_a_list_of_words_is_pronounced_by_rules(recording, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("tak\nsi\nata\n")
    outcome = run("transcribe", "two", recording, lexicon=words, rules="pl")
    assert outcome.stdout == "tak si ata\n"
    words.write_text("tak\n123\n")
    with pytest.raises(LexiconError, match=r"1 of 2 words cannot be pronounced by guess\n  '123' has digits"):
        run("transcribe", "two", recording, lexicon=words, rules="pl")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a data directory of another speaker, whose words have the phones of a language that the model lacks."""
    folder = tmp_path_factory.mktemp("data")
    text, wav = {}, {}
    for number in range(6):
        name = f"anna-{number}"
        text[name] = " ".join(np.random.default_rng(number).permutation(["dak", "zi", "ata"]))
        wav[name] = str(folder / f"{name}.wav")
        said = text[name].replace("dak", "tak").replace("zi", "si")
        soundfile.write(wav[name], whistle(said, 100 + number)[0], RATE)
    DataDir(path=folder / "data", wav_scp=wav, text=text, utt2spk=dict.fromkeys(text, "anna")).save(folder / "data")
    compute_features(
        DataDir.load(folder / "data"), FeatureConfig(sample_rate=RATE, num_mel_bins=16), folder / "data" / "feats"
    )
    (folder / "lexicon.txt").write_text("dak d a k\nzi z i\nata a t a\n")
    return folder


def test_decoding_a_new_language(data, tmp_path):
    run("decode", "two", data / "data", tmp_path / "out", lexicon=data / "lexicon.txt")
    assert (tmp_path / "out" / "text").read_text() == (data / "data" / "text").read_text()
    # Phones alone are those of all languages of the model.
    run("decode", "two", data / "data", tmp_path / "phones")
    assert set((tmp_path / "phones" / "phones").read_text().split()) >= set("aikt")


def test_aligning_a_new_language(data, tmp_path):
    run("align", "two", data / "data", tmp_path / "out", lexicon=data / "lexicon.txt", language="sw")
    lines = [line.split() for line in (tmp_path / "out" / "ctm").read_text().splitlines()]
    words = [line for line in lines if line[0] == "anna-0"]
    said = DataDir.load(data / "data").text["anna-0"].split()
    assert [word[4] for word in words] == said
    spoken = whistle(" ".join(said).replace("dak", "tak").replace("zi", "si"), 100)[1]
    for word, (start, end) in zip(words, spoken, strict=True):
        assert abs(float(word[2]) - start) < 0.15 and abs(float(word[2]) + float(word[3]) - end) < 0.15


@pytest.mark.parametrize("method", ["lhuc", "fine_tuning"])
def test_adapting_to_a_speaker_of_a_new_language(data, tmp_path, method):
    out = tmp_path / "anna"
    options = {"lexicon": data / "lexicon.txt", "language": "sw", "method": method, "set_": "epochs=2"}
    run("adapt", "two", data / "data", out, **options)
    talk = data / "anna-1.wav"
    adapted = {"speaker": out} if method == "lhuc" else {}
    recogniser = speechtl.load("two" if adapted else out, lexicon=data / "lexicon.txt", language="sw", **adapted)
    assert recogniser.transcribe(talk).text == DataDir.load(data / "data").text["anna-1"]
    if not adapted:
        kept = ExperimentDirectory(out)
        assert kept.languages == ["en", "yy", "sw"] and set(kept.inventory("sw")) == set("adiktz")
        assert (
            kept.language_model("en").read_bytes()
            == ExperimentDirectory(model_path("two")).language_model("en").read_bytes()
        )


def test_a_language_without_words_is_one_message(recording):
    with pytest.raises(LexiconError, match=r"yy.txt: missing; this model comes without words of 'yy'; give"):
        run("transcribe", "two", recording, language="yy")
    with pytest.raises(ModelError, match=r"^two: no head for language 'sw'; this model has: en, yy .* --lexicon of"):
        run("transcribe", "two", recording, language="sw")
