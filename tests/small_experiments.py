"""Experiment directories of small models with random weights, which no one has trained."""

import numpy as np

from speechtl.config import parse
from speechtl.experiment.config import ExperimentConfig
from speechtl.experiment.directory import write_experiment
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import arrays_of, save_arrays

PHONES = {"de": ["a", "b", "k", "ʃ", "t"], "en": ["a", "d", "i", "k", "ŋ", "s"]}
FEATURES = {"whisper": {"kind": "whisper"}, "wav2vec2": {"kind": "waveform"}}


def small_experiment(path, encoder, languages=("de",), prepare=lambda model: model, **sections):
    """Write an experiment directory.

    Args:
        path: where.
        encoder: ``[model.encoder]``.
        languages: of `PHONES`.
        prepare: changes the model before its weights are drawn.
        sections: other sections of the config.
    """
    features = FEATURES.get(encoder["kind"], {"num_mel_bins": 10})
    normalisation = {"kind": "none" if encoder["kind"] in FEATURES else "speaker"}
    augmentation = {"frequency_masks": 0}
    if encoder["kind"] == "wav2vec2":
        shift = int(np.prod(encoder["strides"]))
        length = 1
        for kernel, stride in reversed(list(zip(encoder["kernels"], encoder["strides"], strict=True))):
            length = (length - 1) * stride + kernel
        features = {**features, "frame_length_ms": (length + 0.5) / 16, "frame_shift_ms": (shift + 0.5) / 16}
    table = {
        "data": [{"language": language, "train": ["data"]} for language in languages],
        "features": features,
        "normalisation": normalisation,
        "augmentation": augmentation,
        "model": {"encoder": encoder},
        **sections,
    }
    config = parse(ExperimentConfig, table, "test")
    inventories = {language: PhoneInventory(PHONES[language]) for language in languages}
    model = AcousticModel(config.model, config.features.dimension, inventories, config.head_of)
    model = prepare(model)
    rng = np.random.default_rng(0)
    for variable in model.variables().values():
        if np.issubdtype(variable.dtype, np.floating):
            variable.assign(np.asarray(variable.value) + rng.normal(0, 0.1, variable.shape))
    layout = ExperimentLayout(path)
    lexicon = Lexicon()
    lexicon.add("tak", ["t", "a", "k"])
    lexicons = {"de": lexicon} if "de" in languages else {}
    write_experiment(layout, config, inventories, lexicons, None)
    save_arrays(layout.weights, arrays_of(model.variables()))
    return path
