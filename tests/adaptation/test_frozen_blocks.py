"""Adaptation of blocks above frozen ones, which are computed once for each recording."""

import numpy as np
import pytest
from invented_corpus import corpus_maker
from training_runs import SHORT

from speechtl.adaptation.adapt import adapt
from speechtl.adaptation.config import choose_config
from speechtl.adaptation.learner import Learner
from speechtl.adaptation.request import Request
from speechtl.adaptation.study import Study, run_study
from speechtl.decoding.config import DecodingConfig
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.weights import load_arrays
from speechtl.training.frozen_outputs import FrozenOutputs

# Learning is stable, so that rounding errors stay small.
FEW = ("epochs=2", "folds=2", "frames=400")
METHODS = {
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


@pytest.mark.parametrize("method", METHODS)
def test_adaptation_is_what_it_is_without(workshop, tmp_path, computed, method):
    found = {}
    for choice in ("always", "never"):
        out = tmp_path / choice
        settings = (*FEW, *METHODS[method], f"cache_frozen={choice}")
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
    systems = {method: (method, (*FEW[:1], *METHODS[method], "cache_frozen=always")) for method in ("lhuc", "lora")}
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
