"""Features of foundation encoders against the extractors of transformers; see ``tests/models``."""

from pathlib import Path

import numpy as np
import pytest

from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute

GOLDEN = Path(__file__).parent.parent / "models" / "foundation_golden.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return {name: file[name] for name in file.files if name.startswith("features/")}


@pytest.mark.parametrize("bins", [80, 128])
def test_whisper_features_are_the_first_frames_of_the_window_of_30_seconds(golden, bins):
    signal, expected = golden["features/signal"].astype(np.float32), golden[f"features/whisper{bins}"]
    ours = compute(signal, FeatureConfig(kind="whisper", num_mel_bins=bins)).numpy()
    assert ours.shape == expected.shape == (len(signal) // 160, bins)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_waveforms_are_normalised_as_by_transformers(golden):
    signal, expected = golden["features/signal"].astype(np.float32), golden["features/waveform"]
    frames = compute(signal, FeatureConfig(kind="waveform")).numpy()
    assert len(frames) == (len(signal) - 400) // 320 + 1
    for number, frame in enumerate(frames):
        np.testing.assert_allclose(frame, expected[number * 320 : number * 320 + 400], atol=1e-4)
