"""Digital silence is filled with noise, and nothing else is touched."""

import numpy as np
import pytest

from speechtl.audio.digital_silence import fill_digital_silence
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute_many

RATE = 16000


def recording(zeros):
    """A second of loud sound, a second of faint noise, and zeros of so many seconds in between."""
    generator = np.random.default_rng(1)
    loud, faint = generator.normal(0, 3000, RATE), generator.normal(0, 20, RATE)
    return np.concatenate([loud, np.zeros(int(zeros * RATE)), faint]).astype(np.float32)


def test_sound_stays_and_silence_is_as_quiet_as_the_quietest_sound():
    samples = recording(0.5)
    filled = fill_digital_silence(samples, RATE)
    gap = slice(RATE, RATE + RATE // 2)
    assert np.array_equal(
        np.delete(filled, range(RATE, RATE + RATE // 2)), np.delete(samples, range(RATE, RATE + RATE // 2))
    )
    assert filled[gap].std() == pytest.approx(20, rel=0.2)
    assert np.array_equal(filled, fill_digital_silence(samples, RATE))


def test_without_digital_silence_nothing_changes():
    samples = recording(0)
    assert fill_digital_silence(samples, RATE) is samples


def room(samples, level):
    """Return sound as a microphone gives it: white noise for speech, and pauses with what rooms have at low pitches."""
    generator = np.random.default_rng(2)
    low = np.convolve(generator.normal(0, 1, samples + 99), np.hanning(100), "valid") * 4
    speech = np.where(np.arange(samples) // (RATE // 4) % 2, 0, generator.normal(0, 2000, samples))
    return (level * (low + speech)).astype(np.float32)


@pytest.mark.parametrize("level", [1, 0.3, 0.1, 0.03, 0.01])
def test_pauses_of_quiet_recordings_are_no_digital_silence(level):
    samples = room(2 * RATE, level)
    assert (fill_digital_silence(samples, RATE) == samples).mean() > 0.97
    samples[RATE // 2 : RATE // 2 + 1600] = 0
    filled = fill_digital_silence(samples, RATE)
    gap = slice(RATE // 2, RATE // 2 + 1600)
    assert (np.delete(filled, gap) == np.delete(samples, gap)).mean() > 0.97
    # As the pauses are, at any level.
    assert 0.3 < filled[gap].std() / room(2 * RATE, level)[RATE // 4 : RATE // 2].std() < 3


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(5, np.float32), np.zeros(RATE, np.float32)])
def test_nothing_but_silence(samples):
    filled = fill_digital_silence(samples, RATE)
    assert len(filled) == len(samples)
    assert not len(samples) or 0 < np.abs(filled).max() < 6


def test_features_of_filled_silence_are_near_those_of_a_pause():
    """What normalisation sees of the gap differs from the faint noise by less than the noise does from the sound."""
    features = compute_many([fill_digital_silence(recording(1.0), RATE)], FeatureConfig())[0]
    loud, gap, faint = (features[start : start + 80].mean() for start in (10, 110, 210))
    assert abs(gap - faint) < 0.1 * (loud - faint)
