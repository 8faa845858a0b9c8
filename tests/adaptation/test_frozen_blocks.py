"""Adaptation of blocks above frozen ones, which are computed once for each recording."""

import numpy as np
import pytest
from invented_corpus import corpus_maker
from training_runs import SHORT

from speechtl.adaptation.adapt import adapt
from speechtl.adaptation.config import METHODS, choose_config
from speechtl.adaptation.learner import Learner
from speechtl.adaptation.request import Request
from speechtl.adaptation.study import Study, run_study
from speechtl.config import parse
from speechtl.decoding.config import DecodingConfig
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.weights import load_arrays
from speechtl.training.frozen_outputs import FrozenOutputs, move_masks

# Learning is stable, so that rounding errors stay small.
FEW = ("epochs=2", "folds=2", "frames=400")
OF_METHOD = {
    "lhuc": ("blocks=last:1", "learning_rate=0.1"),
    "lora": ("blocks=last:1",),
    "layer_transfer": ("blocks=first:2", "replay=4"),
    "conservative_training": (),
}


@pytest.fixture(scope="module")
def workshop(shared_config_maker):
    """Return a folder with a trained source without dropout and the recordings of a new speaker."""
    root, make_config = shared_config_maker
    settings = [*SHORT, "model.encoder.dropout=0", "model.head_dropout=0"]
    train(load_config(make_config(), settings), root / "source")
    corpus_maker(root)("own", utterances=6, speakers=1, seed=5)
    return root


@pytest.fixture
def computed(tmp_path, monkeypatch):
    """Give a test an empty cache; return a list that grows by the number of utterances that are computed."""
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    counts, plain = [], FrozenOutputs._computed
    monkeypatch.setattr(
        FrozenOutputs, "_computed", lambda self, *rest: (counts.append(len(rest[-1])), plain(self, *rest))[1]
    )
    return counts


@pytest.mark.parametrize("method", OF_METHOD)
def test_adaptation_is_what_it_is_without(workshop, tmp_path, computed, method):
    found = {}
    for choice in ("always", "never"):
        out = tmp_path / choice
        settings = (*FEW, *OF_METHOD[method], f"cache_frozen={choice}")
        more = {"decoding": DecodingConfig(), "test": workshop / "dev"}
        result = adapt(
            Request(workshop / "source", workshop / "own", out, method=method, settings=settings, export=False, **more)
        )
        found[choice] = result, load_arrays(result.file)[0]
    (once, first), (always, second) = found["always"], found["never"]
    # Recordings, the source's speech that is replayed, the test.
    assert computed == {"layer_transfer": [6, 12, 12], "conservative_training": []}.get(method, [6, 12])
    assert once.epochs == always.epochs and once.parameters == always.parameters
    for one, other in zip(once.comparisons, always.comparisons, strict=True):
        assert one.before.words.total == other.before.words.total
        assert one.after.words.total == other.after.words.total
    for name, array in first.items():
        np.testing.assert_allclose(array, second[name], rtol=1e-3, atol=1e-5, err_msg=name)


def test_a_study_computes_every_recording_once(workshop, tmp_path, computed):
    systems = {method: (method, (*FEW[:1], *OF_METHOD[method], "cache_frozen=always")) for method in ("lhuc", "lora")}
    study = Study(workshop / "source", workshop / "dev", systems, (2,), 2, workshop / "own")
    lines = run_study(study, tmp_path / "once", None, None, DecodingConfig(), None)
    assert computed == [6, 12, 0, 0]
    assert all(line["after"]["phones"] and line["seconds"] for line in lines)
    whole = {name: (method, (*given[:-1], "cache_frozen=never")) for name, (method, given) in systems.items()}
    again = run_study(
        Study(workshop / "source", workshop / "dev", whole, (2,), 2, workshop / "own"),
        tmp_path / "never",
        None,
        None,
        DecodingConfig(),
        None,
    )
    for one, other in zip(lines, again, strict=True):
        assert {**one, "wall": 0, "processor": 0, "after": 0, "before": 0} == {
            **other,
            "wall": 0,
            "processor": 0,
            "after": 0,
            "before": 0,
        }
        for key in ("before", "after"):
            assert one[key]["phones"] == other[key]["phones"]
            np.testing.assert_allclose(one[key]["loss"], other[key]["loss"], atol=0.01)


def test_the_prefix_ends_where_the_speaker_layers_begin(workshop, computed):
    for method, blocks, expected in (
        ("lhuc", "last:1", ["subsampling", "tdnn1"]),
        ("lora", "last:2", ["subsampling"]),
        ("adapter", "first:1", None),
        ("lin", "input", None),
    ):
        config = choose_config(10.0, method, (f"blocks={blocks}", "cache_frozen=always"))
        learner = Learner(Experiment.load(workshop / "source"), config, "xx")
        assert (learner.frozen and learner.frozen.blocks) == expected


@pytest.fixture(scope="module")
def whisper(shared_config_maker):
    """Return a folder with a source on an encoder of Whisper's kind, and the recordings of a new speaker."""
    root, make_config = shared_config_maker
    make_corpus = corpus_maker(root)
    for number, name in enumerate(("loud", "faint", "whispered")):
        make_corpus(name, bins=80, utterances=6, speakers=1, seed=number)
    encoder = {"kind": "whisper", "size": 8, "blocks": 3, "heads": 2, "hidden": 16, "window": 40}
    table = load_config(make_config(train="loud", dev="faint"), SHORT).model_dump(exclude_none=True)
    table |= {"features": {"kind": "whisper"}, "normalisation": {"kind": "none"}}
    table["model"] = {"encoder": encoder, "top": {"kind": "tdnn", "size": 8, "dilations": [1], "dropout": 0.0}}
    table["augmentation"] = {"frequency_width": 40, "time_width": 20}
    train(parse(ExperimentConfig, table, "whisper"), root / "whisper")
    return root


def test_the_last_block_of_a_foundation_encoder_and_what_stands_on_it_learn_by_default(whisper, tmp_path, computed):
    source = Experiment.load(whisper / "whisper")
    config = choose_config(10.0, model=source.model)
    assert config.method == "lora" and config.blocks == ("transformer3", "norm", "subsampling", "tdnn1")
    assert config.weight and config.augment and config.stored_alone and config.standard_errors
    assert choose_config(60.0, model=source.model).learning_rate > config.learning_rate
    # The method may be named, what the user says goes before, and models on encoders of their own have a transform of
    # the features.
    assert choose_config(10.0, "lora", model=source.model) == config
    assert choose_config(10.0, None, ("epochs=3",), source.model).epochs == 3
    assert choose_config(10.0, model=AcousticModel(ModelConfig(), 80, {"xx": 3})) == choose_config(10.0)

    # Masks come after the blocks that are frozen, so that these are computed once.
    settings = ("epochs=2", "folds=2", "frames=400", "learning_rate=0.01", "cache_frozen=always")
    adapted = adapt(Request(whisper / "whisper", whisper / "whispered", tmp_path, settings=settings, export=False))
    assert computed == [6] and adapted.config.method == "lora"
    assert adapted.file == tmp_path / "speaker.h5" and adapted.size < 100_000
    places = {name.split("/")[1] for name in load_arrays(adapted.file)[0] if "/" in name}
    assert places == {"transformer3", "subsampling", "tdnn1"}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_stays_near_the_source_of_a_foundation_encoder(whisper, method):
    model = Experiment.load(whisper / "whisper").model
    config = choose_config(10.0, method, model=model)
    assert (config.epochs, config.epochs_alone, config.augment, config.weight) == (10, 3, True, 0.5)
    # Of those that made more errors in the end, held-out losses say when to stop.
    assert (config.standard_errors is None) == (method in ("fine_tuning", "conservative_training", "lhuc"))
    assert choose_config(10.0, method).standard_errors is None
    last = ("transformer3", "norm", "subsampling", "tdnn1")
    blocks = {"layer_transfer": ("stem", "transformer1", "transformer2"), "lora": last, "adapter": last, "lhuc": last}
    assert config.blocks == blocks.get(method)
    by_weights = choose_config(10.0, "conservative_training", ("distance=parameter",), model)
    assert by_weights.weight == 1.0  # Its own, by distance.


def test_masks_hide_as_much_of_the_outputs_as_of_the_features(whisper, computed):
    experiment = Experiment.load(whisper / "whisper")
    masks = experiment.config.augmentation
    moved = move_masks(experiment.model, masks, "transformer2")
    # Of 8 instead of 80 values, and every second frame.
    assert (moved.after, moved.frequency_width, moved.time_width) == ("transformer2", 4, 10)
    assert moved.time_fraction == masks.time_fraction
    assert move_masks(experiment.model, moved, "input") == masks == move_masks(experiment.model, masks, "input")
    # Noise is added to features, and where nothing is frozen these are masked, too.
    noisy = masks.model_copy(update={"noise": 0.5})
    always = ("augment=true", "cache_frozen=always")
    for method, given, blocks in (
        ("layer_transfer", masks, ["stem", "transformer1"]),
        ("layer_transfer", noisy, None),
        ("fine_tuning", moved, None),
    ):
        experiment = Experiment.load(whisper / "whisper")
        experiment.config = experiment.config.model_copy(update={"augmentation": given})
        learner = Learner(experiment, choose_config(10.0, method, (*always[: 1 + (given is masks)],)), "xx")
        assert (learner.frozen and learner.frozen.blocks) == blocks
        assert learner.masks.after == (blocks[-1] if blocks else "input")
