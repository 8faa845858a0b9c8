"""Frames to seconds and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data.ctm import TimedLabel
from speechtl.features.config import FeatureConfig
from speechtl.features.frame_clock import FrameClock


@given(
    st.lists(st.integers(0, 200), max_size=8).map(sorted),
    st.booleans(),
    st.sampled_from([8000, 16000]),
    st.sampled_from([10.0, 12.5]),
)
def test_boundaries_come_back_from_seconds(boundaries, snip_edges, rate, shift):
    clock = FrameClock.of(FeatureConfig(snip_edges=snip_edges, sample_rate=rate, frame_shift_ms=shift))
    labels = [TimedLabel("a", clock.seconds(place), clock.seconds(place + 3)) for place in boundaries]
    assert clock.spans(labels, 300) == [(place, place + 3) for place in boundaries]


def test_labels_end_with_the_frames():
    clock = FrameClock.of(FeatureConfig())
    assert clock.spans([TimedLabel("a", 0.0, 0.1), TimedLabel("b", 0.1, 9.0)], 20) == [(0, 9), (9, 20)]


def test_the_time_of_a_frame():
    clock = FrameClock.of(FeatureConfig(), subsampling=3)
    assert clock.seconds(0) == pytest.approx(0.0075) and clock.seconds(4) == pytest.approx(0.0475)
    np.testing.assert_allclose(clock.seconds(np.array([0, 4])), [0.0075, 0.0475])
    assert (clock.boundary(0), clock.boundary(2)) == (-1.0, 5.0)
    assert FrameClock.of(FeatureConfig(snip_edges=False)).offset == 0
