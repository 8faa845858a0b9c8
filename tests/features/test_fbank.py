"""The features against kaldi-native-fbank, and what must hold of any."""

import kaldi_native_fbank
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.config import parse
from speechtl.errors import ConfigError
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute, compute_many, fbank, mfcc

FLOOR = np.log(np.finfo(np.float32).eps)


def kaldi(waveform: np.ndarray, config: FeatureConfig) -> np.ndarray:
    is_mfcc = config.kind == "mfcc"
    options = kaldi_native_fbank.MfccOptions() if is_mfcc else kaldi_native_fbank.FbankOptions()
    frames = options.frame_opts
    frames.dither = 0
    frames.samp_freq = config.sample_rate
    frames.frame_length_ms = config.frame_length_ms
    frames.frame_shift_ms = config.frame_shift_ms
    frames.preemph_coeff = config.preemphasis
    frames.window_type = config.window
    frames.snip_edges = config.snip_edges
    options.mel_opts.num_bins = config.num_mel_bins
    options.mel_opts.low_freq = config.low_freq
    options.mel_opts.high_freq = config.high_freq
    options.use_energy = config.use_energy
    if is_mfcc:
        options.num_ceps = config.num_ceps
        options.cepstral_lifter = config.cepstral_lifter
    online = (kaldi_native_fbank.OnlineMfcc if is_mfcc else kaldi_native_fbank.OnlineFbank)(options)
    online.accept_waveform(config.sample_rate, waveform)
    online.input_finished()
    rows = [online.get_frame(index) for index in range(online.num_frames_ready)]
    return np.array(rows, np.float32).reshape(len(rows), config.dimension)


def speech_like(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Harmonics that rise and fall over noise, as whole numbers like recorded samples."""
    time = np.arange(int(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * 120 * k * (time + 0.01 * np.sin(5 * time))) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).normal(size=len(time))
    return np.round(3000 * np.sin(3 * time) ** 2 * voice + 100 * noise).astype(np.float32)


OPTION_SETS = [
    {},
    {"num_mel_bins": 40},
    {"sample_rate": 8000, "num_mel_bins": 40},
    {"sample_rate": 48000},
    {"sample_rate": 44100, "num_mel_bins": 64},
    {"low_freq": 100, "high_freq": 7000},
    {"low_freq": 0, "high_freq": -400, "num_mel_bins": 40},
    {"window": "hamming"},
    {"window": "hanning"},
    {"window": "blackman"},
    {"window": "rectangular"},
    {"window": "sine"},
    {"preemphasis": 0.0},
    {"frame_length_ms": 32, "frame_shift_ms": 12.5},
    {"snip_edges": False},
    {"snip_edges": False, "frame_length_ms": 20, "frame_shift_ms": 20},
    {"use_energy": True},
    {"kind": "mfcc", "num_mel_bins": 23},
    {"kind": "mfcc", "num_mel_bins": 40, "num_ceps": 20, "cepstral_lifter": 0},
    {"kind": "mfcc", "num_mel_bins": 40, "num_ceps": 40, "use_energy": True, "snip_edges": False},
]


@pytest.mark.parametrize("options", OPTION_SETS, ids=str)
def test_agrees_with_kaldi(options):
    config = FeatureConfig(**options)
    waveform = speech_like(1.5, config.sample_rate)
    ours = compute(waveform, config).numpy()
    np.testing.assert_allclose(ours, kaldi(waveform, config), atol=1e-3, rtol=0)
    assert ours.shape == (config.num_frames(len(waveform)), config.dimension)


@settings(max_examples=20, deadline=None)
@given(
    samples=st.integers(0, 3000),
    snip_edges=st.booleans(),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1.0, 100.0, 30000.0]),
)
def test_agrees_with_kaldi_at_any_length(samples, snip_edges, seed, scale):
    config = FeatureConfig(snip_edges=snip_edges, num_mel_bins=23)
    waveform = (np.random.default_rng(seed).normal(size=samples) * scale).astype(np.float32)
    np.testing.assert_allclose(compute(waveform, config), kaldi(waveform, config), atol=1e-3, rtol=0)


@pytest.mark.parametrize("offset", [0, 1000, 20000, -32768])
@pytest.mark.parametrize("window", ["povey", "hamming"])
def test_a_constant_offset_changes_nothing(offset, window):
    config = FeatureConfig(window=window, num_mel_bins=40)
    waveform = speech_like(1, 16000)
    shifted = compute(waveform + np.float32(offset), config)
    # The mean itself is rounded to float32, so a large offset leaves a trace, in the lowest bins most of all.
    np.testing.assert_allclose(shifted, compute(waveform, config), atol=1e-3 if abs(offset) <= 1000 else 0.02)
    np.testing.assert_allclose(shifted, kaldi(waveform + np.float32(offset), config), atol=0.02)


@pytest.mark.parametrize("level", [0, 0.001, 1])
def test_silence_gives_the_floor_and_no_nan(level):
    waveform = np.full(1600, level, np.float32)
    energies = compute(waveform, FeatureConfig()).numpy()
    assert energies.shape == (8, 80)
    np.testing.assert_allclose(energies, FLOOR)
    assert np.isfinite(compute(waveform, FeatureConfig(kind="mfcc", use_energy=True)).numpy()).all()


def test_faint_noise_agrees_with_kaldi():
    waveform = np.random.default_rng(0).integers(-1, 2, 8000).astype(np.float32)
    np.testing.assert_allclose(compute(waveform, FeatureConfig()), kaldi(waveform, FeatureConfig()), atol=1e-3)


@pytest.mark.parametrize("samples", [0, 1, 399])
def test_less_than_a_frame_gives_no_frames(samples):
    config = FeatureConfig()
    assert compute(np.ones(samples, np.float32), config).shape == (0, 80)
    assert compute(np.ones((3, samples), np.float32), config).shape == (3, 0, 80)
    assert [matrix.shape for matrix in compute_many([np.ones(samples, np.float32)], config)] == [(0, 80)]


@pytest.mark.parametrize("options", [{}, {"snip_edges": False}, {"kind": "mfcc", "use_energy": True}], ids=str)
def test_many_signals_at_once_equal_each_alone(options):
    config = FeatureConfig(**options)
    generator = np.random.default_rng(1)
    lengths = [16000, 399, 400, 0, 401, 160, 561, 200000, 7]
    waveforms = [(generator.normal(size=n) * 1000).astype(np.float32) for n in lengths]
    together = compute_many(waveforms, config)
    assert len(together) == len(lengths)
    for waveform, matrix in zip(waveforms, together):
        np.testing.assert_allclose(matrix, compute(waveform, config), atol=1e-4)


def test_no_signals_give_no_matrices():
    assert compute_many([], FeatureConfig()) == []


@pytest.mark.parametrize("snip_edges", [True, False])
def test_a_batch_equals_its_rows(snip_edges):
    config = FeatureConfig(snip_edges=snip_edges)
    batch = np.stack([speech_like(0.5, 16000, seed) for seed in range(3)])
    for features, waveform in zip(compute(batch, config).numpy(), batch):
        np.testing.assert_allclose(features, compute(waveform, config), atol=1e-5)


def test_kinds_have_their_own_functions():
    waveform = speech_like(0.3, 16000)
    config = FeatureConfig(num_ceps=12)
    assert fbank(waveform, config).shape[1] == 80
    assert mfcc(waveform, config).shape[1] == 12
    np.testing.assert_array_equal(mfcc(waveform, config), compute(waveform, FeatureConfig(kind="mfcc", num_ceps=12)))


def test_is_not_traced_again_for_every_length():
    config = FeatureConfig(num_mel_bins=17)
    traced = []

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def extract(waveform):
        traced.append(1)
        return fbank(waveform, config)

    for samples in (400, 1000, 5000):
        assert extract(np.ones(samples, np.float32)).shape == (config.num_frames(samples), 17)
    assert len(traced) == 1


def test_dither_is_reproducible_and_of_the_given_size():
    config = FeatureConfig(dither=1.0, window="rectangular", preemphasis=0.0)
    silence = np.zeros(16000, np.float32)
    features = compute(silence, config).numpy()
    np.testing.assert_array_equal(features, compute_many([silence], config)[0])
    # White noise of variance 1 has a spectrum of frame_length on average; a band sums about ten bins with weights.
    reference = kaldi(np.random.default_rng(0).normal(size=16000).astype(np.float32), config)
    assert abs(features.mean() - reference.mean()) < 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low_freq": 4000, "high_freq": 3000}, "from 4000 to 3000 Hz"),
        ({"high_freq": 9000}, "between 0 and 8000 Hz"),
        ({"kind": "mfcc", "num_ceps": 30, "num_mel_bins": 20}, "30 cepstra need at least as many mel bins"),
        ({"frame_shift_ms": 0.01}, "is impossible"),
        ({"num_mel_bin": 40}, "unknown key"),
        ({"channel": -1}, "channel"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        parse(FeatureConfig, options, "conf.toml: [features]")
