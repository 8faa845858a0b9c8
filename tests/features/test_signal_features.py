"""Features in NumPy against those in TensorFlow, which are tested against Kaldi and transformers."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.features import fbank
from speechtl.features.config import FeatureConfig
from speechtl.features.filters import slaney_filters
from speechtl.features.signal_features import compute_many

CONFIGS = {
    "fbank": {},
    "energy": {"use_energy": True, "window": "hamming"},
    "mfcc": {"kind": "mfcc", "num_mel_bins": 40},
    "mfcc_energy": {"kind": "mfcc", "use_energy": True, "cepstral_lifter": 0.0, "num_mel_bins": 23},
    "mirrored": {"snip_edges": False, "sample_rate": 8000, "num_mel_bins": 40, "preemphasis": 0.5, "window": "sine"},
    "whisper": {"kind": "whisper"},
    "waveform": {"kind": "waveform"},
    "waveform_as_it_is": {"kind": "waveform", "unit_variance": False},
}


def signal(samples, seed):
    """Return noise whose level moves over four orders of magnitude, in the 16-bit range."""
    rng = np.random.default_rng(seed)
    level = np.interp(np.arange(samples), np.linspace(0, samples, 9), 10 ** rng.uniform(0, 4, 9))
    return (rng.normal(0, 1, samples) * level).clip(-32768, 32767).astype(np.float32)


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=6)
@given(lengths=st.lists(st.integers(0, 30000), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_they_equal_those_of_tensorflow(name, lengths, seed):
    config = FeatureConfig(**CONFIGS[name])
    signals = [signal(samples, seed + number) for number, samples in enumerate(lengths)]
    for own, theirs in zip(compute_many(signals, config), fbank.compute_many(signals, config), strict=True):
        assert own.dtype == np.float32 and own.shape == theirs.shape
        bound = np.full(own.shape, 1e-3 if config.kind == "mfcc" else 1e-4)
        if config.kind == "fbank" and own.size:
            # TensorFlow's Fourier transform is one of float32, with errors of a billionth of the energy of the frame.
            bound += 1e-9 * np.exp(theirs.max(axis=1, keepdims=True) - theirs)
        assert np.all(np.abs(own - theirs) <= bound)


def test_dither_is_noise_of_the_level_that_was_asked_for():
    silence = np.zeros(16000, np.float32)
    (dithered,) = compute_many([silence], FeatureConfig(dither=2.0))
    (twice,) = compute_many([silence], FeatureConfig(dither=4.0))
    np.testing.assert_allclose(twice - dithered, np.log(4.0), atol=1e-3)


@pytest.mark.parametrize("bins", [80, 128])
def test_slaneys_filters_are_librosas(bins):
    expected = librosa.filters.mel(sr=16000, n_fft=400, n_mels=bins).T
    np.testing.assert_allclose(slaney_filters(16000, 400, bins), expected, atol=1e-7)
