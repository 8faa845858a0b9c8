"""End-pointing on levels as they come: the same whatever the blocks, and near what a detector finds that knows all."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.audio.digital_silence import StreamedSilence
from speechtl.audio.end_pointer import EndPointer
from speechtl.audio.voice_activity import SegmentationConfig, find_speech, frame_levels


def levels_of(parts, seed=0, noise=30.0):
    """Return levels in dB: pairs of seconds of speech and of the pause after it, after a second of noise."""
    rng = np.random.default_rng(seed)
    pieces = [noise + rng.normal(0, 1, 100)]
    for speech, pause in parts:
        pieces.append(
            noise + 25 + 8 * np.sin(np.arange(round(speech * 100)) / 4) + rng.normal(0, 1, round(speech * 100))
        )
        pieces.append(noise + rng.normal(0, 1, round(pause * 100)))
    return np.concatenate(pieces)


def segments_of(levels, config, sizes=(1,)):
    pointer, found, place, turn = EndPointer(config), [], 0, 0
    known = 0
    while place < len(levels):
        for heard in pointer.feed(levels[place : place + sizes[turn % len(sizes)]]):
            # What is known to belong to a segment stays in it, and nothing is known before it was heard.
            assert heard.start <= heard.end <= min(place + sizes[turn % len(sizes)], len(levels))
            assert heard.end >= min(known, heard.end) and heard.start >= (found[-1].end if found else 0)
            known = 0 if heard.complete else heard.end
            found += [heard] if heard.complete else []
        place, turn = place + sizes[turn % len(sizes)], turn + 1
    return [(heard.start, heard.end) for heard in [*found, *pointer.finish()]]


parts = st.lists(st.tuples(st.floats(0.02, 6), st.floats(0.1, 3)), max_size=6)


@settings(max_examples=15, deadline=None)
@given(
    parts=parts,
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5),
    longest=st.sampled_from([2, 20]),
    pause=st.sampled_from([0.3, 0.8]),
)
def test_segments_do_not_depend_on_the_blocks(parts, sizes, longest, pause):
    levels = levels_of(parts, len(parts))
    config = SegmentationConfig(longest=longest, pause=pause)
    whole = segments_of(levels, config, (len(levels),))
    assert segments_of(levels, config, sizes) == whole
    assert all(0 < end - start <= 100 * longest for start, end in whole)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(whole))


@settings(max_examples=15, deadline=None)
@given(parts=st.lists(st.tuples(st.floats(0.3, 4), st.floats(1.5, 3)), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_what_is_found_is_near_what_is_found_afterwards(parts, seed):
    levels = levels_of(parts, seed)
    found, expected = segments_of(levels, SegmentationConfig()), find_speech(levels, SegmentationConfig())
    assert len(found) == len(expected) == len(parts)
    assert np.abs(np.array(found) - np.array(expected)).max() <= 5


def test_a_segment_is_complete_when_the_pause_is():
    pointer, levels = EndPointer(SegmentationConfig(pause=0.5)), levels_of([(2, 2)])
    complete = [
        frame for frame, level in enumerate(levels) for heard in pointer.feed(np.array([level])) if heard.complete
    ]
    # Speech ends at 3 s; the level of a frame is smoothed with its neighbours'.
    assert len(complete) == 1 and 348 <= complete[0] <= 353


def test_long_speech_is_cut_where_it_is_quiet():
    levels = levels_of([(40, 2)])
    dips = np.arange(200, 4000, 150)
    for dip in dips:
        levels[dip - 12 : dip + 12] = 44
    found = segments_of(levels, SegmentationConfig(longest=8))
    cuts = [end for _, end in found[:-1]]
    assert len(cuts) > 5 and [start for start, _ in found[1:]] == cuts
    assert all(np.abs(cut - dips).min() <= 12 for cut in cuts)
    assert all(400 < end - start <= 800 for start, end in found[:-1])


def test_clicks_are_no_speech():
    levels = levels_of([(0.02, 2), (0.02, 2)])
    assert segments_of(levels, SegmentationConfig()) == []


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_silence_in_a_stream_is_filled_with_the_noise_around_it(size):
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 40, 16000 * 6).astype(np.float32)
    samples[32000:48000] = 0
    levels, frames = frame_levels(samples, 16000), samples.reshape(-1, 160)
    fill, filled = StreamedSilence(), []
    for first in range(0, len(frames), size):
        filled.append(fill(frames[first : first + size], levels[first : first + size]))
    result = np.concatenate(filled).ravel()
    assert np.array_equal(result[:32000], samples[:32000]) and np.array_equal(result[48000:], samples[48000:])
    assert 30 < result[32160:48000].std() < 42
