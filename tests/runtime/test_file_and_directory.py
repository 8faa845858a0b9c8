"""Every verb that takes a model, on an exported file and on the directory that it was made of: the same comes out."""

import re
import shutil

import numpy as np
import pytest
import soundfile
from command_line import run
from named_models import write_card
from small_encoders import ENCODERS
from small_experiments import small_experiment

import speechtl
from speechtl.data.datadir import DataDir
from speechtl.errors import SpeechtlError
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.experiment.experiment import Experiment
from speechtl.features.compute import compute_features
from speechtl.grammar.ngram_model import train_ngram
from speechtl.layout import ExperimentLayout
from speechtl.models.weights import load_arrays, save_arrays
from speechtl.transfer.attributes import Attributes

TEXTS = {f"{name}-{number}": "tak" for name in ("anna", "bert") for number in range(3)} | {"anna-0": "tak tak"}
_TIMES = re.compile(r'"(frames_per_second|seconds_taken|seconds|wall|processor)": [-+.e0-9]+|[0-9.]+ s\b|[0-9.]+ times')
_RANDOM = re.compile(r"-[0-9a-f]{6}(?=\.)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with two models of the same weights, ``directory`` and ``file``, speech and words.

    The model has what a model can have: two languages, heads by attributes, global statistics, a lexicon and a
    language model of its own.
    """
    folder = tmp_path_factory.mktemp("models")
    place = small_experiment(
        folder / "directory", ENCODERS["tdnn"], ("de", "en"), Attributes().prepare, normalisation={"kind": "global"}
    )
    layout = ExperimentLayout(place)
    rng = np.random.default_rng(1)
    save_arrays(layout.cmvn, {"global": np.stack([np.append(rng.normal(9, 1, 10), 1), np.append(np.full(10, 99), 0)])})
    train_ngram([["tak"], ["tak", "tak"]], 2).write_arpa(layout.language_model("de"))
    run("export", place)
    run("export", place, folder / "file", precision="float32")
    wav = {}
    for name, text in TEXTS.items():
        wav[name] = str(folder / "speech" / f"{name}.wav")
        (folder / "speech").mkdir(exist_ok=True)
        soundfile.write(wav[name], rng.normal(0, 0.1, 16000) * np.hanning(16000), 16000)
        (folder / "speech" / f"{name}.txt").write_text(text)
    speakers = {name: name.split("-")[0] for name in TEXTS}
    DataDir(folder / "data", wav_scp=wav, text=TEXTS, utt2spk=speakers).save(folder / "data")
    compute_features(DataDir.load(folder / "data"), ExperimentDirectory(place).features, folder / "feats")
    (folder / "words.txt").write_text("tak t a k\nbat b a t\n")
    (folder / "grammar.jsgf").write_text("#JSGF V1.0;\ngrammar g;\npublic <s> = (tak | bat)+;\n")
    train_ngram([["tak", "bat"], ["bat"]], 2).write_arpa(folder / "lm.arpa")
    write_card(folder / "card.toml")
    return folder


def both(folder, act):
    """Return what an action gives with the directory and with the file, each in a folder of results of its own."""
    found = []
    for name in ("directory", "file"):
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        # By the same name, since it is printed.
        model = folder / "model"
        (folder / name).rename(model)
        try:
            printed = act(model, out)
            printed = _plain(printed.stdout) if hasattr(printed, "stdout") else printed
            left = {_plain(path.relative_to(out)): content(path) for path in sorted(out.rglob("*")) if path.is_file()}
        finally:
            model.rename(folder / name)
        found.append((printed, left))
    return found


def _plain(text):
    """Leave out times, and what is random in names."""
    return _RANDOM.sub("", _TIMES.sub("", str(text)))


def different(first, second):
    """Return the names of the files that are not the same."""
    names = first[1].keys() | second[1].keys()
    return sorted(name for name in names if first[1].get(name, "missing") != second[1].get(name, "missing"))


def content(path):
    """Return what a file says, but for the time that it took."""
    if path.suffix == ".svg":
        return None
    if path.suffix == ".h5":
        arrays, attributes = load_arrays(path)
        return {name: array.tolist() for name, array in arrays.items()}, attributes
    try:
        return _plain(path.read_text())
    except UnicodeDecodeError:
        return path.read_bytes()


RECOGNITION = {
    "its own words": {},
    "phones": {"phones": True},
    "times": {"format": "json"},
    "the other language": {"language": "en", "phones": True},
    "a word more": {"add_word": "bat=b a t"},
    "a word that is guessed": {"add_word": "tat", "language": "de"},
    "a lexicon": {"lexicon": "words.txt"},
    "a lexicon of another language": {"lexicon": "words.txt", "language": "xx"},
    "all phones of the model": {"lexicon": "words.txt", "inventory": "all"},
    "a language model": {"lexicon": "words.txt", "lm": "lm.arpa"},
    "a grammar": {"lexicon": "words.txt", "grammar": "grammar.jsgf"},
    "a setting": {"set_": "decoding.beam=7"},
}


@pytest.mark.parametrize("name", RECOGNITION)
def test_recognition(name, folder):
    options = {
        key: folder / value if key in ("lexicon", "lm", "grammar") else value
        for key, value in RECOGNITION[name].items()
    }
    first, second = both(folder, lambda model, out: run("transcribe", model, folder / "speech", **options))
    assert first == second and first[0].strip()
    decoding = {key: value for key, value in options.items() if key not in ("phones", "format")}
    first, second = both(folder, lambda model, out: run("decode", model, folder / "data", out / "x", **decoding))
    assert first == second and first[1]


def test_words_that_are_added_to_a_loaded_model(folder):
    def act(model, out):
        recogniser = speechtl.load(model)
        added = recogniser.add_word("bat", "b a t"), recogniser.add_word("tatak")
        texts = [recogniser.transcribe(path).text for path in sorted((folder / "speech").glob("*.wav"))]
        return added, texts, recogniser.languages

    first, second = both(folder, act)
    assert first == second


def _train(model, out, folder):
    (folder / "conf.toml").write_text(
        f'[[data]]\nlanguage = "de"\ntrain = "{folder}/data"\nlexicon = "{folder}/words.txt"\n'
        f'[[transfer]]\nmethod = "fine_tuning"\nsource = "{model}"\n'
        "[features]\nnum_mel_bins = 10\n[normalisation]\nkind = 'global'\n[augmentation]\nfrequency_masks = 0\n"
        "[model.encoder]\nkind = 'tdnn'\nsize = 16\ndilations = [1, 3]\n[training]\nepochs = 1\n"
    )
    run("train", folder / "conf.toml", out / "exp")
    variables = Experiment.load(out / "exp").model.variables()
    shutil.rmtree(out / "exp")
    return {name: np.asarray(variable.value).tolist() for name, variable in variables.items()}


def _export_graph(model, out, folder):
    run("export", model, out / "x", format="onnx", language="de")
    names = sorted(path.name for path in (out / "x").iterdir())
    # The same graph may number its operations otherwise.
    shutil.rmtree(out / "x")
    return names


OTHERS = {
    "align": lambda m, out, f: run("align", m, f / "data", out / "a", language="de", refine="never"),
    "adapt": lambda m, out, f: run("adapt", m, f / "speech", out / "s", method="lhuc", set_="epochs=1", language="de"),
    "study": lambda m, out, f: run(
        "study", m, f / "data", out / "t", system=["a=lhuc,epochs=1"], counts="1", folds=2, language="de"
    ),
    "probe": lambda m, out, f: run("probe", m, data=f / "data", by="speaker"),
    "train": _train,
    "lexicon check": lambda m, out, f: run("lexicon check", f / "words.txt", experiment=m, language="en"),
    "lexicon convert": lambda m, out, f: run(
        "lexicon convert", f / "words.txt", out / "l.txt", notation="ipa", experiment=m, language="en"
    ),
    "lexicon add": lambda m, out, f: run(
        "lexicon add", f / "words.txt", "tab=t a b", out=out / "l.txt", experiment=m, language="de"
    ),
    "export --format": _export_graph,
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_verbs(name, folder):
    first, second = both(folder, lambda model, out: OTHERS[name](model, out, folder))
    assert not different(first, second)
    assert first[0] == second[0] and first != ("", {})


REFUSED = {
    "export": (lambda m, out, f: run("export", m, out / "x.speechtl"), "is exported already"),
    "export in place": (lambda m, out, f: run("export", m), "is exported already"),
    "report": (lambda m, out, f: run("report", m, out=out / "r.html"), "log.jsonl"),
    "package": (lambda m, out, f: run("package", m, out / "p", card=f / "card.toml"), "is exported already"),
    "train": (lambda m, out, f: run("train", _any_config(f), m), "is an exported model"),
    "adapt into it": (lambda m, out, f: run("adapt", m, f / "speech", m, method="lhuc", language="de"), "model"),
}


def _any_config(folder):
    (folder / "any.toml").write_text(f'[[data]]\nlanguage = "de"\ntrain = "{folder}/data"\n')
    return folder / "any.toml"


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_the_directory_says_so(name, folder, tmp_path):
    act, message = REFUSED[name]
    kept = (folder / "file").read_bytes()
    with pytest.raises(SpeechtlError, match=message):
        act(folder / "file", tmp_path, folder)
    assert (folder / "file").read_bytes() == kept and not list(tmp_path.iterdir())
