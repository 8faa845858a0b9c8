import numpy as np
import pytest
import scipy.signal

from speechtl.audio.pitch import shift_pitch, warp_formants, warp_frequencies

RATE = 16000


def vowel(pitch_period=128, formant=1000.0, seconds=1.0):
    """Return pulses every ``pitch_period`` samples through one resonance."""
    pulses = np.zeros(round(seconds * RATE))
    pulses[::pitch_period] = 1.0
    radius = np.exp(-np.pi * 100 / RATE)
    poles = [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2]
    samples = scipy.signal.lfilter([1.0], poles, pulses)
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def formant_of(samples):
    frequencies, power = scipy.signal.welch(samples, RATE, nperseg=128, nfft=4096)
    return frequencies[np.argmax(power)]


def pitch_of(samples):
    middle = samples[4000:12000].astype(np.float64)
    correlation = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    return RATE / (60 + np.argmax(correlation[60:400]))


@pytest.mark.parametrize("semitones", [-4, -1, 0.5, 3])
def test_pitch_and_formants_move_together(semitones):
    samples = vowel()
    moved = shift_pitch(samples, RATE, semitones)
    factor = 2 ** (semitones / 12)
    assert moved.shape == samples.shape and moved.dtype == np.float32
    assert pitch_of(moved) == pytest.approx(125 * factor, rel=0.01)
    assert formant_of(moved) == pytest.approx(1000 * factor, rel=0.03)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_formants_move_alone(factor):
    samples = vowel()
    moved = warp_formants(samples, RATE, factor)
    assert moved.shape == samples.shape and moved.dtype == np.float32
    assert pitch_of(moved) == pytest.approx(125, rel=0.01)
    # The highest harmonic of 125 Hz is that next to the formant.
    assert formant_of(moved) == pytest.approx(1000 * factor, abs=62.5)


@pytest.mark.parametrize("change", [shift_pitch, warp_formants])
def test_channels_are_changed_alike_and_short_or_silent_audio_survives(change):
    both = change(np.stack([vowel(), vowel(formant=1500.0)]), RATE, 1.2)
    assert both.shape == (2, RATE)
    np.testing.assert_allclose(both[0], change(vowel(), RATE, 1.2), atol=1e-5)
    for length in (1, 30, 500):
        assert np.isfinite(change(vowel()[:length], RATE, 1.2)).all()
    assert not change(np.zeros(4000, np.float32), RATE, 1.2).any()


def test_frequencies_are_scaled_below_the_boundary_and_stay_within_the_spectrum():
    frequencies = np.linspace(0, 8000, 513)
    for factor in (0.9, 1.1):
        moved = warp_frequencies(frequencies, RATE, factor)
        assert (np.diff(moved) > 0).all() and moved[0] == 0 and moved[-1] == pytest.approx(8000)
        low = frequencies < 4000
        np.testing.assert_allclose(moved[low], factor * frequencies[low])
