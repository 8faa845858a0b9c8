import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.batches.augmentation import draw, spec_augment
from speechtl.batches.config import AugmentationConfig


def masked(config, seeds, lengths, frames=50, bins=20):
    draws = np.stack([draw(config, (seed,)) for seed in seeds])
    features = tf.ones((len(seeds), frames, bins))
    return spec_augment(features, tf.constant(lengths), tf.constant(draws), config).numpy()


def test_nothing_is_masked_without_masks():
    config = AugmentationConfig(frequency_masks=0, time_masks=0)
    assert masked(config, [1, 2], [50, 30]).min() == 1
    config = AugmentationConfig(frequency_width=0, time_width=0)
    assert masked(config, [1, 2], [50, 30]).min() == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 50), st.floats(0, 1))
def test_masks_are_bands_within_their_limits(seed, length, fraction):
    config = AugmentationConfig(
        frequency_masks=1, frequency_width=6, time_masks=1, time_width=9, time_fraction=fraction
    )
    result = masked(config, [seed], [length])[0]
    bins, frames = result.max(axis=0), result.max(axis=1)
    np.testing.assert_array_equal(result, np.outer(frames, bins))
    for line, limit in ((bins, 6), (frames, np.ceil(min(9, np.float32(length) * np.float32(fraction))))):
        hidden = np.flatnonzero(line == 0)
        assert len(hidden) <= limit
        assert not len(hidden) or hidden[-1] - hidden[0] == len(hidden) - 1
    assert not np.any(frames[length:] == 0)  # masks fall on speech, not on padding


def test_all_widths_and_places_occur():
    config = AugmentationConfig(frequency_masks=1, frequency_width=3, time_masks=0)
    bins = np.array([masked(config, [seed], [50])[0, 0] for seed in range(600)])
    widths = np.bincount((bins == 0).sum(axis=1), minlength=4) / 600
    assert widths == pytest.approx([0.25] * 4, abs=0.06)
    assert np.all((bins == 0).sum(axis=0) > 0)


def test_the_same_seed_gives_the_same_masks_in_any_company():
    config = AugmentationConfig()
    alone = masked(config, [7], [40])[0]
    np.testing.assert_array_equal(masked(config, [3, 7, 9], [50, 40, 20])[1], alone)
    assert np.any(masked(config, [8], [40])[0] != alone)
