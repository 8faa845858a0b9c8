import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.batches.augmentation import add_noise, augment, draw, spec_augment
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


def noisy(config, features, seed=0):
    lengths = tf.fill([len(features)], features.shape[1])
    draws = np.stack([draw(config, (seed, row)) for row in range(len(features))])
    return augment(tf.constant(features), lengths, tf.constant(draws), config).numpy()


NO_MASKS = {"frequency_masks": 0, "time_masks": 0}


def test_without_noise_features_are_as_they_were():
    features = np.random.default_rng(0).normal(size=(4, 30, 8)).astype(np.float32)
    np.testing.assert_array_equal(noisy(AugmentationConfig(**NO_MASKS), features), features)
    # Noise far below the speech is not heard.
    faint = AugmentationConfig(**NO_MASKS, noise=1.0, noise_level=(-50.0, -50.0))
    np.testing.assert_allclose(noisy(faint, features), features, atol=1e-5)


def test_noise_only_adds_energy_to_its_share_of_utterances():
    config = AugmentationConfig(**NO_MASKS, noise=0.3, noise_level=(-1.0, 0.0))
    features = np.random.default_rng(0).normal(size=(400, 10, 8)).astype(np.float32)
    more = noisy(config, features) - features
    assert more.min() > -1e-5
    assert np.mean(more.max(axis=(1, 2)) > 1e-3) == pytest.approx(0.3, abs=0.07)


def test_the_level_of_noise_is_its_level_over_silence():
    config = AugmentationConfig(**NO_MASKS, noise=1.0, noise_level=(1.5, 1.5))
    silence = np.full((64, 40, 8), -30.0, np.float32)
    floors = noisy(config, silence)[:, :, :].mean(axis=(1, 2))
    # Half is steady noise; the other half is silence again, 1.5 louder.
    assert sorted({round(float(floor), 1) for floor in floors if floor < -20}) == [-28.5]
    steady = floors[floors > -20]
    assert 16 < len(steady) < 48
    np.testing.assert_allclose(steady, 1.5, atol=0.15)


def test_energies_of_two_utterances_add_up():
    config = AugmentationConfig(**NO_MASKS, noise=1.0, noise_level=(-0.5, -0.5))
    features = np.random.default_rng(1).normal(size=(2, 12, 4)).astype(np.float32)
    draws = np.zeros((2, 3, 2), np.float32)
    draws[:, 0, 1] = 0.9  # another utterance, from its start
    mixed = add_noise(tf.constant(features), tf.constant([12, 12]), tf.constant(draws), config).numpy()
    expected = np.log(np.exp(2.5 * features) + np.exp(2.5 * (features[::-1] - 0.5))) / 2.5
    np.testing.assert_allclose(mixed, expected, atol=1e-5)


def test_the_same_seed_gives_the_same_noise():
    config = AugmentationConfig(noise=0.5)
    features = np.random.default_rng(0).normal(size=(6, 30, 8)).astype(np.float32)
    np.testing.assert_array_equal(noisy(config, features, 3), noisy(config, features, 3))
    assert np.any(noisy(config, features, 3) != noisy(config, features, 4))


def test_outputs_side_by_side_are_masked_at_the_same_places():
    config = AugmentationConfig(frequency_masks=2, frequency_width=5, time_masks=2, time_width=9, after="norm")
    draws = tf.constant(np.stack([draw(config, (1, row)) for row in range(3)]))
    ones, lengths = tf.ones((3, 40, 24)), tf.constant([40, 31, 25])
    masked = augment(ones, lengths, draws, config, (12, 12)).numpy()
    alone = augment(ones[:, :, :12], lengths, draws, config, (12,)).numpy()
    np.testing.assert_array_equal(masked[:, :, :12], alone)
    np.testing.assert_array_equal(masked[:, :, 12:], alone)
    assert 0 < alone.mean() < 1
