"""Mains hum is found wherever it is heard, and nowhere else."""

import functools

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from whistled_speech import RATE, whistle

from speechtl.audio.header import AudioHeader
from speechtl.audio.mains_hum import HUM, MainsHum


@functools.lru_cache
def speech(seed=0):
    """Return two to three seconds with pauses, in [-1, 1], and the power of its louder parts."""
    samples = whistle("tak sit kus ata", seed, gap=0.3)[0]
    return samples, np.percentile([np.mean(part**2) for part in np.array_split(samples, 20)], 90)


def heard(samples, rate=RATE, block=RATE):
    hum = MainsHum(rate)
    for start in range(0, len(samples), block):
        hum.add(samples[start : start + block].astype(np.float32))
    return hum.found()


@settings(max_examples=20)
@given(
    frequency=st.sampled_from([50, 60]),
    drift=st.floats(0.997, 1.003),
    others=st.lists(st.floats(0, 0.7), max_size=4),
    level=st.floats(-35, 0),
    block=st.integers(1000, 90000),
    seed=st.integers(0, 5),
)
def test_hum_is_heard(frequency, drift, others, level, block, seed):
    samples, power = speech(seed)
    time = np.arange(len(samples)) / RATE
    hum = sum(
        size * np.sin(2 * np.pi * frequency * drift * (number + 1) * time + number)
        for number, size in enumerate([1, *others])
    )
    hum *= np.sqrt(power * 10 ** (level / 10) / np.mean(hum**2))
    found = heard(samples + hum, block=block)
    assert found is not None and found[0] == frequency
    assert found[1] == pytest.approx(10 * np.log10(10 ** (level / 10) / (1 + 10 ** (level / 10))), abs=5)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_hum_is_not_heard_where_there_is_none(rate):
    rng = np.random.default_rng(0)
    time = np.arange(4 * rate) / rate
    noise = rng.normal(0, 0.01, len(time))
    sounds = {
        "noise": noise,
        "rumble": np.cumsum(noise) - np.linspace(0, noise.sum(), len(noise)),
        "silence": np.zeros(len(time)),
        "a tone": np.sin(2 * np.pi * 440 * time),
        "a low voice": sum(np.sin(2 * np.pi * (100 * time + 3 * np.sin(2 * time)) * k) for k in range(1, 9)),
        "55 Hz": np.sin(2 * np.pi * 55 * time) + noise,
        "70 dB below": np.sin(2 * np.pi * 440 * time) + 3e-4 * np.sin(2 * np.pi * 50 * time),
        "too short": np.sin(2 * np.pi * 50 * time[:rate]),
    }
    assert {name: found for name, one in sounds.items() if (found := heard(one, rate))} == {}
    assert heard(speech()[0]) is None


def test_a_header_that_was_decoded_says_so(tmp_path):
    samples, _ = speech()
    hum = 0.02 * np.sin(2 * np.pi * 60 * np.arange(len(samples)) / RATE)
    soundfile.write(tmp_path / "a.wav", np.stack([samples + hum, samples + hum], axis=1), RATE)
    soundfile.write(tmp_path / "b.wav", samples, RATE)
    assert AudioHeader.read(str(tmp_path / "a.wav"), decode=True).findings[HUM].startswith("60 Hz, ")
    assert HUM not in AudioHeader.read(str(tmp_path / "a.wav")).findings
    assert HUM not in AudioHeader.read(str(tmp_path / "b.wav"), decode=True).findings
