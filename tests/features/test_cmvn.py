"""CMVN statistics: Kaldi's layout, additivity, and what normalising does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.errors import DataError
from speechtl.features import cmvn


def random_features(frames, seed=0, bins=5):
    return (np.random.default_rng(seed).normal(size=(frames, bins)) * 3 + 7).astype(np.float32)


def test_layout_is_that_of_kaldi():
    stats = cmvn.accumulate(np.array([[1, 2], [3, 5]], np.float32))
    np.testing.assert_array_equal(stats, [[4, 7, 2], [10, 29, 0]])
    assert stats.dtype == np.float64


@given(frames=st.integers(2, 50), cut=st.integers(0, 50))
def test_statistics_add_up(frames, cut):
    features = random_features(frames)
    parts = [cmvn.accumulate(features[:cut]), cmvn.accumulate(features[cut:])]
    np.testing.assert_allclose(cmvn.add(parts), cmvn.accumulate(features))


def test_normalised_features_have_mean_zero_and_variance_one():
    features = random_features(500)
    normalised = cmvn.apply(features, cmvn.accumulate(features))
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=0), 1, atol=1e-5)
    means_only = cmvn.apply(features, cmvn.accumulate(features), norm_vars=False)
    np.testing.assert_allclose(means_only, features - features.mean(axis=0), atol=1e-4)


def test_constant_features_stay_finite():
    features = np.full((20, 3), -15.9, np.float32)
    np.testing.assert_allclose(cmvn.apply(features, cmvn.accumulate(features)), 0, atol=1)


def test_unfit_statistics_are_refused():
    features = random_features(10)
    with pytest.raises(DataError, match=r"do not fit the features \(got \(2, 5\), expected \(2, 6\)\)"):
        cmvn.apply(features, cmvn.accumulate(random_features(10, bins=4)))
    with pytest.raises(DataError, match="without a frame"):
        cmvn.apply(features, np.zeros((2, 6)))
    with pytest.raises(DataError, match="must have one shape"):
        cmvn.add([np.zeros((2, 6)), np.zeros((2, 5))])
