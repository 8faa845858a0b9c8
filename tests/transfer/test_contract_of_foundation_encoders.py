"""Every transfer method on small encoders of the kinds whose weights others have trained.

`test_contract` says more of each method, on an encoder that is trained from scratch.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf
from invented_corpus import config_maker, corpus_maker, write_lexicon
from test_contract import METHODS
from training_runs import SHORT, weights

from speechtl.config import parse
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.weights import arrays_of
from speechtl.training.trainer import Trainer

SMALL = {"size": 8, "blocks": 1, "heads": 2, "hidden": 12, "window": 30}
WAVEFORM = {"channels": [6, 5], "kernels": [5, 5], "strides": [2, 2], "position_kernel": 4, "position_groups": 2}
WAVEFORM |= {"pre_norm": True, "stem_norm": "layer"}
# What WavLM has besides, and data2vec.
MORE = {"buckets": 8, "bucket_distance": 6, "position_convs": 2, "position_norm": True}
# Features, encoder and values per frame.
ENCODERS = {
    "whisper": ({"kind": "whisper", "num_mel_bins": 80}, {"kind": "whisper", **SMALL}, 80),
    "wavlm": (
        {"kind": "waveform", "frame_length_ms": 0.8125, "frame_shift_ms": 0.25},
        {"kind": "wav2vec2", **SMALL, **WAVEFORM, **MORE},
        13,
    ),
}
# What `METHODS` names in the encoder there.
BLOCKS = {"subsampling": "stem", "tdnn1": "transformer1", "tdnn2": "norm", "conv": "query"}


@pytest.fixture(scope="module", autouse=True)
def without_graphs():
    """Run every operation at once: tracing takes longer than the few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


# Every method sees the encoder that has most; every other one, and those within linear layers, the other as well.
TURNS = [
    (encoder, name)
    for number, name in enumerate(sorted(METHODS))
    for encoder in sorted(ENCODERS)
    if encoder == "wavlm" or number % 2 or "lora" in name or "within" in name
]


@pytest.fixture(scope="module")
def corpus_of(tmp_path_factory):
    """Return a function from an encoder to a directory with a source, and to a function that makes configs of it."""
    # Not a fixture with a parameter, which would be set up, and trained, again for every test.
    return functools.cache(lambda encoder: train_source(tmp_path_factory.mktemp(encoder), *ENCODERS[encoder]))


def train_source(root, features, encoder, values):
    """Train a source on an invented corpus, and return its directory and a function that makes configs like its own."""
    make_corpus = functools.partial(corpus_maker(root), bins=values, utterances=4)
    make_config = config_maker(root, make_corpus, write_lexicon(root / "lexicon.txt"))
    settings = [*SHORT, "normalisation.kind=none", "augmentation.frequency_masks=0", "augmentation.noise=0"]

    def make(transfer=(), **changes):
        path = make_config(features={"num_mel_bins": None, **features}, model={"encoder": encoder}, **changes)
        table = load_config(path, settings).model_dump(exclude_none=True)
        return parse(ExperimentConfig, {**table, "transfer": list(transfer)}, "conf.toml")

    train(make(), root / "source")
    return root, make


def named(value, source):
    """Return the settings of a method with what they name in this encoder and this source."""
    if isinstance(value, dict):
        return {BLOCKS.get(key, key): named(one, source) for key, one in value.items()}
    if isinstance(value, list):
        return [named(one, source) for one in value]
    return str(source) if value == "SOURCE" else BLOCKS.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(("encoder", "name"), sorted(TURNS))
def test_a_method_trains_what_it_says_and_the_result_loads(encoder, name, corpus_of):
    root, make = corpus_of(encoder)
    config = make(named(METHODS[name], root / "source"), train="own")
    if any(one["method"] == "self_taught" for one in METHODS[name]):
        table = config.model_dump(exclude_none=True)
        table["data"][0]["unlabelled"] = [str(root / "train")]
        config = parse(ExperimentConfig, table, "conf.toml")
    seen = {}
    start, finish = Trainer.__init__, Trainer._finish

    def started(self, model, *rest):
        seen["before"], seen["trained"] = arrays_of(model.variables()), model.trainable_variables().keys()
        start(self, model, *rest)

    def finished(self, *rest):
        finish(self, *rest)
        seen["model"] = self.model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "__init__", started)
        patch.setattr(Trainer, "_finish", finished)
        train(config, root / name)
    after = weights(root / name)
    stored = {key: array for key, array in seen["before"].items() if key in after}
    assert stored.keys() == after.keys()
    moved = {key for key, array in stored.items() if np.any(array != after[key])}
    assert moved and moved <= seen["trained"]
    experiment = Experiment.load(root / name)
    again = Experiment(experiment.directory, experiment.config, seen["model"], experiment.normaliser)
    features = np.random.default_rng(0).normal(size=(41, config.features.dimension)).astype(np.float32)
    np.testing.assert_array_equal(experiment.posteriors(features), again.posteriors(features))
