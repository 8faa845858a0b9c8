"""Models that come with the package: stored in half precision, made ready once, and found by name wherever one is."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from named_models import package_as, write_card
from tiny_checkpoints import write_checkpoint
from training_runs import SHORT, weights

import speechtl
from speechtl.config import parse, read_toml
from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.export_info import ExportInfo
from speechtl.experiment.train import train
from speechtl.exporting.exported_parts import exported_parts
from speechtl.models.sinusoids import sinusoids
from speechtl.pretrained import named_models
from speechtl.pretrained.model_path import model_path, recogniser_path
from speechtl.pretrained.named_card import NamedCard
from speechtl.pretrained.package_model import package_model
from speechtl.recognition.load_model import load_model

ENCODER = {"kind": "whisper", "size": 24, "blocks": 2, "heads": 3, "hidden": 40, "window": 18, "dilations": None}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture
def tiny(source, tmp_path, monkeypatch):
    return package_as(source, tmp_path / "models", monkeypatch)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "whisper")


@pytest.fixture(scope="module")
def on_whisper(shared_config_maker, shared_corpus_maker, checkpoint):
    """Return an experiment whose encoder is a checkpoint's, but for the last block and the head."""
    root, make_config = shared_config_maker
    for number, name in enumerate(("train", "dev"), 1):
        shared_corpus_maker(name, seed=number, bins=80)
    config = make_config(
        features={"kind": "whisper", "num_mel_bins": 80},
        normalisation={"kind": "none"},
        model__encoder=ENCODER,
        transfer=[
            {"method": "layer_transfer", "source": str(checkpoint), "blocks": ["stem", "transformer1"]},
            {"method": "attributes"},
        ],
    )
    train(load_config(config, SHORT), root / "on_whisper")
    return root / "on_whisper"


def test_a_stored_model_is_the_experiment_in_half_precision(tiny, source, cache):
    found = model_path("tiny")
    assert cache in found.parents
    for name, array in weights(source).items():
        kept = weights(found)[name]
        assert kept.dtype == array.dtype
        np.testing.assert_array_equal(kept, array.astype(np.float16).astype(np.float32))
    assert tiny.size == sum(path.stat().st_size for path in tiny.folder.rglob("*") if path.is_file())
    there, here = ExperimentDirectory(source), ExperimentDirectory(found)
    assert here.features == there.features and here.inventory() == there.inventory()
    # Nothing of the machine that it was trained on.
    every = "".join(path.read_text() for path in tiny.folder.rglob("*.t*"))
    assert str(source.parent) not in every and "train" in here.data["xx"].train[0]
    # Packaged from what was expanded, it is the same again.
    again = package_model(
        found, tiny.folder.with_name("again"), tiny.folder.with_name("given.toml"), exported_parts, limit=1
    )
    for name in ("config.toml", "phones/xx.txt", "weights.safetensors.gz"):
        assert again.card.stored.digests[name] == tiny.card.stored.digests[name]


def test_it_recognises_without_tensorflow(tiny, make_corpus):
    data = make_corpus("speech", seed=4, utterances=4)
    exported, experiment = load_model(recogniser_path("tiny")), Experiment.load(model_path("tiny"))
    for (name, one), (same, other) in zip(exported.posteriors_of(data), experiment.posteriors_of(data), strict=True):
        assert name == same
        np.testing.assert_allclose(one, other, atol=1e-3)
    code = (
        f"from pathlib import Path; from speechtl.pretrained import named_models; import speechtl, sys\n"
        f"named_models.FOLDER = Path({str(tiny.folder.parent)!r})\n"
        "print(speechtl.load('tiny').languages, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    shutil.rmtree(recogniser_path("tiny").parent)
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout == "['xx'] False False\n"


def test_a_speaker_of_the_one_form_fits_the_other(tiny, tmp_path):
    from speechtl.transfer.speaker_layers import fingerprint

    info = ExportInfo.read(ExperimentDirectory(recogniser_path("tiny")))
    assert info.fingerprint == fingerprint(Experiment.load(model_path("tiny")).model)


def test_it_is_made_ready_once(tiny):
    found = model_path("tiny")
    stamp = (found / "weights.h5").stat().st_mtime_ns
    assert model_path("tiny") == found and (found / "weights.h5").stat().st_mtime_ns == stamp
    assert (found / "README.md").read_text() == tiny.card.page("tiny")


def test_a_folder_of_the_same_name_is_said(tiny, tmp_path, caplog):
    assert model_path("tinier") == Path("tinier") and model_path("./tiny") == Path("tiny") == model_path(Path("tiny"))
    model_path("tiny")
    assert not caplog.records
    (tmp_path / "tiny").mkdir()
    assert model_path("tiny") != Path("tiny")
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "tiny: the model that comes with speechtl is meant; ./tiny is what is in this folder"
    ]


def test_the_name_stands_for_the_model_in_verbs_and_in_configs(tiny, make_corpus, make_config, tmp_path):
    data = make_corpus("new", seed=3)
    assert run("decode", "tiny", data, "out").exit_code == 0
    speechtl.decode(model_path("tiny"), data, "same")
    assert Path("out/phones").read_text() == Path("same/phones").read_text() != ""
    assert run("lexicon check", tmp_path / "lexicon.txt", experiment="tiny").output.count("6 of the 6 phones") == 1
    config = load_config(make_config(transfer={"method": "fine_tuning", "source": "tiny"}), SHORT)
    train(config, "after")
    assert read_toml("after/config.toml")["transfer"][0]["source"] == "tiny"
    assert weights("after").keys() == weights(model_path("tiny")).keys()


def test_damage_is_one_message(tiny):
    table = tiny.folder / "phones" / "xx.txt"
    table.write_text(table.read_text() + "x 7\n")
    with pytest.raises(ModelError, match=r"not as it was packaged; install speechtl again\n.*phones/xx.txt: changed$"):
        model_path("tiny")
    table.unlink()
    with pytest.raises(ModelError, match=r"phones/xx.txt: missing$"):
        model_path("tiny")


@pytest.mark.parametrize("field", [name for name in NamedCard.model_fields if name not in ("stored", "frozen")])
def test_a_card_says_everything(tiny, source, tmp_path, field):
    card = write_card(tmp_path / "card.toml", **{field: None})
    with pytest.raises(ConfigError, match=f"card.toml: 1 problem\n  {field}: missing"):
        package_model(source, tmp_path / "other", card, exported_parts, limit=1)
    assert not (tmp_path / "other").exists()


def test_what_is_too_large_is_refused_and_leaves_what_was_there(tiny, source, tmp_path):
    before = {path: path.read_bytes() for path in tiny.folder.rglob("*") if path.is_file()}
    with pytest.raises(
        ModelError, match=r"more than the 0.001 MB that are allowed\n(.*\n)*  weights.safetensors.gz: 0\.\d+ MB"
    ):
        run("package", source, tiny.folder, card=tmp_path / "models" / "given.toml", limit=0.001)
    assert {path: path.read_bytes() for path in tiny.folder.rglob("*") if path.is_file()} == before
    assert run("package", source, tiny.folder, card=tmp_path / "models" / "given.toml", limit=1).exit_code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear")
    with pytest.raises(ModelError, match="mine: exists and holds no packaged model"):
        package_model(source, tmp_path / "mine", tmp_path / "models" / "given.toml", exported_parts, limit=1)


def test_only_what_was_trained_is_stored_over_a_checkpoint(on_whisper, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHTL_SMALL_MODEL", str(checkpoint))
    options = {"frozen": "hf:some/small-model", "download": 3}
    packaged = package_as(on_whisper, tmp_path / "models", monkeypatch, **options)
    frozen, stored = packaged.card.frozen, packaged.card.stored
    assert frozen.blocks == ("stem", "transformer1")
    whole = Experiment.load(on_whisper).model.parameter_count()
    positions = ENCODER["window"] * ENCODER["size"]
    assert frozen.parameters + stored.parameters + positions == sum(a.size for a in weights(on_whisper).values())
    assert 0 < frozen.parameters < whole
    found = weights(model_path("tiny"))
    for name, array in weights(on_whisper).items():
        np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=1e-3, err_msg=name)
    # Known to the bit, and so not rounded.
    np.testing.assert_array_equal(found["encoder/stem/positions"], sinusoids(18, 24))


def test_another_checkpoint_is_not_taken(on_whisper, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHTL_SMALL_MODEL", str(checkpoint))
    package_as(on_whisper, tmp_path / "models", monkeypatch, frozen="hf:some/small-model", download=3)
    other = shutil.copytree(checkpoint, tmp_path / "other")
    write_checkpoint(other, "whisper", lambda tensors: tensors["model.encoder.conv1.bias"].fill(0.5))
    monkeypatch.setenv("SPEECHTL_SMALL_MODEL", str(other))
    with pytest.raises(ModelError, match="tiny: what was found as hf:some/small-model has other weights"):
        model_path("tiny")
    monkeypatch.setenv("SPEECHTL_SMALL_MODEL", str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match=r"\$SPEECHTL_SMALL_MODEL: .*nowhere is no folder of a checkpoint"):
        model_path("tiny")
    monkeypatch.delenv("SPEECHTL_SMALL_MODEL")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(ModelError, match=r"cannot download .*Without a network: set SPEECHTL_SMALL_MODEL to a folder"):
        model_path("tiny")


def test_values_that_half_precision_cannot_hold(source, tmp_path, monkeypatch):
    from speechtl.models.weights import save_arrays

    broken = shutil.copytree(source, tmp_path / "broken")
    arrays = weights(source)
    name = "heads/xx/output/bias"
    save_arrays(broken / "weights.h5", arrays | {name: arrays[name] + 1e5})
    with pytest.raises(ModelError, match=f"half precision cannot hold\n  {name}$"):
        package_as(broken, tmp_path / "models", monkeypatch)


def test_models_are_listed(tiny):
    shutil.copytree(named_models.FOLDER / "tiny", named_models.FOLDER / ".tiny.~1-abcdef")
    assert run("models").stdout == "tiny\tA small model of invented speech.\n"
    assert run("models", "tiny").stdout == tiny.card.page("tiny")
    with pytest.raises(ModelError, match="large: no model of this name comes with speechtl; there are: tiny"):
        run("models", "large")


def test_what_comes_with_the_package():
    folder = named_models.FOLDER
    for name in named_models.model_names():
        card = parse(NamedCard, read_toml(folder / name / named_models.CARD), name)
        files = [path for path in (folder / name).rglob("*") if path.is_file()]
        assert {path.relative_to(folder / name).as_posix() for path in files} == {"card.toml", *card.stored.digests}
        assert sum(path.stat().st_size for path in files) <= (6e6 if card.frozen else 12e6)
        # They are for languages that training did not have.
        assert read_toml(folder / name / "config.toml")["decoding"]["phone_decision"] == "pooled"
    everything = [path for path in Path(speechtl.__file__).parent.rglob("*") if path.is_file()]
    # What Python and numba have compiled does not come with it.
    assert sum(path.stat().st_size for path in everything if "__pycache__" not in path.parts) < 25e6
