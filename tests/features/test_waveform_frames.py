"""Frames of samples for wav2vec 2.0: against the definition, and what must hold of stored and computed ones."""

import dataclasses

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.config import parse
from speechtl.data.datadir import DataDir
from speechtl.errors import ConfigError
from speechtl.features.archives import read_matrix
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute, compute_many
from speechtl.features.frame_clock import FrameClock
from speechtl.features.parts import check_features, read_parts, write_journal
from speechtl.features.waveform_frames import join_frames

CONFIG = FeatureConfig(kind="waveform")
PLAIN = FeatureConfig(kind="waveform", unit_variance=False)


def test_settings_follow_from_the_kind():
    assert (CONFIG.frame_length, CONFIG.frame_shift, CONFIG.dimension) == (400, 320, 400)
    assert (CONFIG.sample_rate, CONFIG.frame_shift_ms) == (16000, 20.0)
    assert parse(FeatureConfig, CONFIG.model_dump(), "again") == CONFIG


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 99))
def test_the_signal_comes_back_from_its_frames(samples, seed):
    signal = np.random.default_rng(seed).integers(-32768, 32768, samples).astype(np.float32)
    frames = compute(signal, PLAIN).numpy()
    assert frames.shape == (PLAIN.num_frames(samples), 400)
    if len(frames):
        np.testing.assert_array_equal(join_frames(frames, PLAIN), signal[: (len(frames) - 1) * 320 + 400])
    else:
        assert join_frames(frames, PLAIN).shape == (0,)


@pytest.mark.parametrize("level", [1.0, 300.0, 20000.0])
def test_mean_and_variance_are_those_of_the_whole_signal(level):
    signal = (np.random.default_rng(0).normal(size=5000) * level + 3 * level).astype(np.float32)
    scaled = signal / 32768
    expected = (scaled - scaled.mean()) / np.sqrt(scaled.astype(np.float64).var() + 1e-7)
    np.testing.assert_allclose(join_frames(compute(signal, CONFIG).numpy(), CONFIG) / 32768, expected[:4880], atol=2e-5)


def test_digital_silence_is_zero():
    np.testing.assert_array_equal(compute(np.zeros(1000, np.float32), CONFIG), np.zeros((2, 400)))
    np.testing.assert_allclose(compute(np.full(1000, 500, np.float32), CONFIG), 0, atol=1e-3)


def test_many_signals_and_a_batch_equal_each_alone():
    generator = np.random.default_rng(1)
    waveforms = [(generator.normal(size=n) * 1000).astype(np.float32) for n in (16000, 399, 400, 0, 721)]
    alone = [compute(waveform, CONFIG).numpy() for waveform in waveforms]
    for one, other in zip(compute_many(waveforms, CONFIG), alone, strict=True):
        np.testing.assert_array_equal(one, other)
    batch = compute(np.stack([waveforms[0], waveforms[0][::-1]]), CONFIG)
    np.testing.assert_allclose(batch[0], alone[0], atol=1e-5)


def test_a_frame_stands_for_the_middle_of_its_window():
    clock = FrameClock.of(CONFIG)
    assert clock.shift == 0.02 and clock.seconds(0) == pytest.approx(0.0025)
    # The middle of the shift is the middle of the window.
    assert clock.seconds(0.5) == pytest.approx(0.0125)


@pytest.mark.parametrize("options", [{"dither": 1.0}, {"snip_edges": False}, {"frame_shift_ms": 30.0}], ids=str)
def test_what_frames_of_samples_cannot_have_is_refused(options):
    with pytest.raises(ConfigError, match='kind = "waveform" has overlapping frames'):
        parse(FeatureConfig, {"kind": "waveform", **options}, "conf.toml")


def directory(folder):
    signal = np.random.default_rng(0).normal(size=4000) * 0.1
    soundfile.write(folder / "a.wav", signal, 16000)
    data = DataDir(folder / "data", utt2spk={"a": "a"}, wav_scp={"a": str(folder / "a.wav")})
    data.save(data.path)
    return data


def test_stored_frames_equal_those_computed_in_the_graph(tmp_path):
    pytest.importorskip("tensorflow_io")
    from speechtl.features import in_graph

    data = directory(tmp_path)
    assert not compute_features(data, CONFIG, tmp_path / "feats").broken
    element = next(in_graph.features_dataset(data, CONFIG).as_numpy_iterator())
    np.testing.assert_allclose(element["features"], read_matrix(data.feats_scp["a"]), atol=1e-5)


def test_archives_that_do_not_know_a_younger_setting_have_its_default(tmp_path):
    data = directory(tmp_path)
    config = FeatureConfig()
    compute_features(data, config, tmp_path / "feats")
    (part,) = read_parts(tmp_path / "feats")
    old = dataclasses.replace(part, config={key: part.config[key] for key in part.config if key != "unit_variance"})
    assert old.config != part.config

    class Old:
        def model_dump(self):
            return old.config

    write_journal(part.journal.with_suffix(""), part.number, Old(), part.utterances)
    assert read_parts(tmp_path / "feats") == [part]
    check_features(data, config)
    assert compute_features(data, config, tmp_path / "feats").reused == 1
