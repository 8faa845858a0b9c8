"""Segments of speech: nothing that sounds is lost, whatever the recording and however it arrives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.audio.voice_activity import (
    FRAMES_PER_SECOND,
    SegmentationConfig,
    find_speech,
    frame_levels,
    speech_segments,
)

CONFIG = SegmentationConfig()
RATE = 8000


def noise(seconds, decibels, seed=0, rate=RATE):
    """White noise of a level in dB as `frame_levels` measures it."""
    samples = np.random.default_rng(seed).normal(size=round(seconds * rate)).astype(np.float32)
    return samples * np.float32(10 ** (decibels / 20) / np.sqrt(1 + 0.97**2))


def levels_of(bursts, total, quiet, seed):
    """Levels of a recording: bursts ``(start, length, dB)`` in noise; they breathe, and close for plosives."""
    rng = np.random.default_rng(seed)
    levels = quiet + rng.normal(0, 0.7, total)
    for start, length, loud in bursts:
        frames = np.arange(length)
        wave = np.where(frames % 60 < 52, loud - 9 * np.abs(np.sin(frames / 15 + start)), 0)
        levels[start : start + length] = np.maximum(wave, levels[start : start + length])
    return np.maximum(levels, 0)


@st.composite
def recordings(draw):
    quiet = draw(st.floats(5, 40))
    bursts, place = [], 0
    for _ in range(draw(st.integers(0, 8))):
        place += draw(st.integers(0, 1500))
        length = draw(st.integers(20, 4000))
        bursts.append((place, length, quiet + draw(st.floats(30, 45))))
        place += length
    total = place + draw(st.integers(0, 800))
    return bursts, levels_of(bursts, total, quiet, draw(st.integers(0, 99)))


configs = st.builds(
    SegmentationConfig,
    pause=st.floats(0.1, 2.0),
    padding=st.floats(0.1, 1.0),
    longest=st.floats(1.0, 30.0),
)


@settings(max_examples=40)
@given(recordings(), configs, st.integers(0, 300))
def test_segments_are_ordered_disjoint_and_bounded(recording, config, first):
    _, levels = recording
    found = find_speech(levels, config, min(first, len(levels)))
    edges = [edge for segment in found for edge in segment]
    assert edges == sorted(edges) and all(start < end for start, end in found)
    assert all(end - start <= round(config.longest * FRAMES_PER_SECOND) for start, end in found)
    assert not edges or (edges[0] >= min(first, len(levels)) and edges[-1] <= len(levels))


@settings(max_examples=40)
@given(recordings(), configs)
def test_every_burst_of_speech_is_inside(recording, config):
    bursts, levels = recording
    covered = np.zeros(len(levels), bool)
    for start, end in find_speech(levels, config):
        covered[start:end] = True
    for start, length, _ in bursts:
        assert covered[start : start + length].all()


@settings(max_examples=30)
@given(recordings())
def test_pauses_part_segments_and_padding_stays(recording):
    bursts, levels = recording
    found = find_speech(levels, CONFIG)
    padding = round(CONFIG.padding * FRAMES_PER_SECOND)
    for start, _, _ in bursts:
        begins = next(s for s, e in found if s <= start < e)
        # In front of the first burst and of one behind a long pause, no more than the padding is kept.
        before = [s + length for s, length, _ in bursts if s < start]
        if start - max(before, default=0) > 2 * CONFIG.pause * FRAMES_PER_SECOND:
            assert max(start - padding - 2, 0) <= begins


def test_silence_and_steady_noise_have_no_speech():
    assert find_speech(np.zeros(0), CONFIG) == []
    assert find_speech(frame_levels(np.zeros(RATE, np.float32), RATE), CONFIG) == []
    for level in (10, 25, 40):
        assert find_speech(frame_levels(noise(30, level), RATE), CONFIG) == []
    hum = 300 * np.sin(2 * np.pi * 50 * np.arange(20 * RATE) / RATE).astype(np.float32)
    assert find_speech(frame_levels(hum, RATE), CONFIG) == []


def test_a_click_is_not_speech_and_a_short_word_is():
    levels = np.full(1000, 20.0)
    levels[500:502] = 70
    assert find_speech(levels, CONFIG) == []
    levels[500:510] = 70
    assert len(find_speech(levels, CONFIG)) == 1


def test_the_noise_floor_follows_the_recording():
    """A fan that starts in the middle is not speech for longer than it takes to notice."""
    levels = np.concatenate([np.full(6000, 20.0), np.full(6000, 40.0)])
    levels[3000:3200] = levels[9000:9200] = 70
    found = find_speech(levels, CONFIG)
    assert any(s <= 3000 and e >= 3200 and e - s < 400 for s, e in found)
    assert any(s <= 9000 and e >= 9200 and e - s < 400 for s, e in found)
    assert sum(e - s for s, e in found) < 3000


def test_digital_silence_between_words_is_no_noise_floor():
    """Zeros between noisy takes do not make their noise speech."""
    take = np.full(1500, 30.0)
    take[700:800] = 70
    gap = np.zeros(300)
    found = find_speech(np.concatenate([gap, take, gap, take, gap]), CONFIG)
    assert len(found) == 2 and all(e - s < 300 for s, e in found)


def test_speech_without_a_pause_is_cut_at_its_quietest_places():
    rng = np.random.default_rng(1)
    levels = np.concatenate([np.full(300, 20.0), 60 + rng.normal(0, 1, 6000), np.full(300, 20.0)])
    dips = [1800, 3400, 5100]
    for dip in dips:
        levels[dip : dip + 15] = 32
    levels[4200:4205] = 30  # Deeper, but no longer than the closure of a plosive.
    found = find_speech(levels, CONFIG)
    inner = [end for _, end in found[:-1]]
    assert [start for start, _ in found[1:]] == inner
    assert all(any(dip <= cut <= dip + 15 for cut in inner) for dip in dips)


@settings(max_examples=15)
@given(st.integers(1, 40_000), st.integers(0, 5))
def test_segments_do_not_depend_on_blocks(size, seed):
    signal = spoken(40, seed)
    whole = [s for chunk in speech_segments([signal], RATE, CONFIG) for s in chunk]
    blocks = (signal[place : place + size] for place in range(0, len(signal), size))
    cut = [s for chunk in speech_segments(blocks, RATE, CONFIG) for s in chunk]
    assert [s.start for s in cut] == [s.start for s in whole]
    for one, other in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


def spoken(seconds, seed, rate=RATE):
    """Bursts of half a second to a few seconds with pauses between them, in noise."""
    rng = np.random.default_rng(seed)
    signal = noise(seconds, 25, seed, rate)
    place = 0.5
    while place < seconds - 1:
        length = rng.uniform(0.5, 5)
        burst = noise(min(length, seconds - 0.5 - place), 60, seed + 1, rate)
        burst *= 1.1 + np.sin(np.arange(len(burst)) / rate * 20, dtype=np.float32)
        start = round(place * rate)
        signal[start : start + len(burst)] += burst
        place += length + rng.choice([0.2, 0.5, 1.5, 3.0])
    return signal


@pytest.mark.parametrize("longest", [2.0, 20.0])
def test_hours_pass_in_chunks(longest):
    """What is found across the borders of chunks is what is there: samples as in the recording, no speech between."""
    rate = 1000
    signal = spoken(1500, 3, rate)
    config = SegmentationConfig(longest=longest)
    chunks = list(speech_segments(iter(np.array_split(signal, 700)), rate, config))
    assert len(chunks) == 6  # 5 of 300 s and what they left
    assert all(sum(len(s.samples) for s in chunk) <= 320 * rate for chunk in chunks)
    left = signal.copy()
    end = 0
    for segment in (s for chunk in chunks for s in chunk):
        assert segment.start >= end and 0 < len(segment.samples) <= longest * rate
        end = segment.start + len(segment.samples)
        np.testing.assert_array_equal(segment.samples, signal[segment.start : end])
        left[segment.start : end] = 0
    assert np.sqrt((left[left != 0] ** 2).mean()) < 1.2 * 10 ** (25 / 20)  # Only noise is left.
    assert frame_levels(left, rate).max() < 40


def test_levels():
    assert frame_levels(np.zeros(805, np.float32), RATE).tolist() == [0.0] * 11
    level = frame_levels(noise(2, 50), RATE)
    assert level.shape == (200,) and abs(level.mean() - 50) < 0.5
    # A constant is as quiet as nothing, and a piece behind the last whole frame is measured over what it has.
    assert frame_levels(np.full(800, 20, np.float32), RATE).max() < 1
    tail = frame_levels(noise(2.0045, 50, seed=4), RATE)
    assert len(tail) == 201 and abs(tail[-1] - 50) < 3
