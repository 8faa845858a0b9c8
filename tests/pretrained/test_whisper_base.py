"""The real Whisper base: the outputs of its blocks are those of transformers.

Its weights are not part of this repository; ``SPEECHTL_WHISPER_BASE`` names a folder with them. What they are compared
with was made by ``make_whisper_base_golden.py``.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from speechtl.features.fbank import compute
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import assign
from speechtl.pretrained.checkpoint import Checkpoint
from speechtl.pretrained.convert import convert

FOLDER = os.environ.get("SPEECHTL_WHISPER_BASE")


def signal():
    time = np.arange(48000) / 16000
    voice = sum(np.sin(2 * np.pi * 110 * k * (time + 0.02 * np.sin(4 * time))) / k for k in range(1, 25))
    return np.where(time < 2.9, np.round(4000 * np.sin(5 * time) ** 2 * voice), 0).astype(np.float32)


@pytest.mark.skipif(FOLDER is None, reason="SPEECHTL_WHISPER_BASE names no folder with Whisper base")
def test_outputs_of_every_block():
    converted = convert(Checkpoint(Path(FOLDER)))
    padded = converted.model.encoder.model_copy(update={"pad": True})
    features = compute(signal(), converted.features)
    model = AcousticModel(converted.model.model_copy(update={"encoder": padded}), features.shape[1], {})
    assign(model.variables(), converted.arrays, FOLDER)
    found = model.encode(tf.constant(features[np.newaxis]), tf.constant([len(features)])).outputs
    with np.load(Path(__file__).parent / "whisper_base_golden.npz") as golden:
        assert list(golden.files) == list(converted.blocks)
        for name in golden.files:
            expected, ours = golden[name], found[name][0, 0:150:10, ::32].numpy()
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=name)
