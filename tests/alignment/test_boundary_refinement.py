"""The HMM finds boundaries that are known, from first guesses that are wrong."""

import numpy as np
import pytest
from scipy.fft import dct

from speechtl.alignment.boundary_refinement import BoundaryRefinement
from speechtl.alignment.chain import SILENCE, Chain, boundary_features, cepstra_of_log_mel
from speechtl.alignment.config import RefinementConfig

PHONES, VALUES = 5, 8


def invented(seed, utterances=40, wrong_by=4, pause_probability=0.3, noise=0.5):
    """Return chains of invented speech with first guesses that are off by up to so many frames, and the truth."""
    patterns = np.random.default_rng(99).normal(0, 3, (PHONES + 1, VALUES))
    random = np.random.default_rng(seed)
    chains, truth = [], []
    for _ in range(utterances):
        count = int(random.integers(4, 12))
        phones = random.integers(1, PHONES + 1, count)
        same = np.flatnonzero(phones[1:] == phones[:-1]) + 1
        pauses = random.random(count + 1) < pause_probability
        pauses[same] = True  # Nothing can be between two phones that are one to the ear.
        pauses[[0, -1]] = True
        rows, starts, ends = [], [], []
        for number in range(count + 1):
            rows += [SILENCE] * int(random.integers(6, 20) * pauses[number])
            if number < count:
                starts.append(len(rows))
                rows += [phones[number]] * int(random.integers(6, 14))
                ends.append(len(rows))
        features = (patterns[rows] + random.normal(0, noise, (len(rows), VALUES))).astype(np.float32)
        edges = np.array([starts, ends]).T.ravel()
        guess = np.clip(edges + random.integers(-wrong_by, wrong_by + 1, len(edges)), 0, len(rows))
        guess = np.maximum.accumulate(guess)
        chains.append(Chain(features, phones, guess[::2], guess[1::2], np.ones(count + 1, bool)))
        truth.append((np.array(starts), np.array(ends)))
    return chains, truth


@pytest.mark.parametrize("mixtures", [1, 4])
def test_boundaries_of_invented_speech_are_exact(mixtures):
    chains, truth = invented(seed=1)
    models = BoundaryRefinement(PHONES, VALUES, RefinementConfig(mixtures=mixtures))
    likelihoods = models.train(chains, jobs=2)
    assert likelihoods[-1] > likelihoods[0]
    for chain, (starts, ends) in zip(chains, truth, strict=True):
        found = models.align(chain)
        np.testing.assert_array_equal(found[0], starts)
        np.testing.assert_array_equal(found[1], ends)


def test_training_never_makes_the_speech_less_likely():
    chains, _ = invented(seed=2, utterances=10, noise=3.0)
    config = RefinementConfig(mixtures=1, prior=0.0, iterations=8, silence_states=3)
    likelihoods = BoundaryRefinement(PHONES, VALUES, config).train(chains)
    assert np.all(np.diff(likelihoods) > -1e-3)


def test_speech_that_was_not_trained_on():
    models = BoundaryRefinement(PHONES, VALUES)
    models.train(invented(seed=1)[0])
    chains, truth = invented(seed=5, utterances=5, wrong_by=8)
    for chain, (starts, ends) in zip(chains, truth, strict=True):
        found = models.align(chain)
        np.testing.assert_array_equal(found[0], starts)
        np.testing.assert_array_equal(found[1], ends)


def test_pauses_are_only_where_they_may_be():
    chains, _ = invented(seed=3, pause_probability=0.0)
    models = BoundaryRefinement(PHONES, VALUES)
    models.train(chains)
    chain = chains[0]
    may_pause = np.zeros(len(chain.phones) + 1, bool)
    starts, ends = models.align(Chain(chain.features, chain.phones, chain.starts, chain.ends, may_pause))
    assert starts[0] == 0 and ends[-1] == len(chain.features)
    np.testing.assert_array_equal(starts[1:], ends[:-1])
    assert np.all(ends - starts >= models.config.states)


def test_a_silence_of_the_transcript_is_aligned():
    chains, truth = invented(seed=4)
    models = BoundaryRefinement(PHONES, VALUES)
    models.train(chains)
    chain, (starts, ends) = chains[0], truth[0]
    phones = np.concatenate([[SILENCE], chain.phones])
    first, last = np.concatenate([[0], chain.starts]), np.concatenate([[chain.starts[0]], chain.ends])
    may_pause = np.concatenate([[False], chain.may_pause])
    may_pause[1] = False
    found = models.align(Chain(chain.features, phones, first, last, may_pause))
    np.testing.assert_array_equal(found[0], [0, *starts])
    np.testing.assert_array_equal(found[1], [starts[0], *ends])


def test_too_little_time_for_its_phones():
    chain = Chain(
        np.zeros((5, VALUES), np.float32), np.array([1, 2]), np.array([0, 2]), np.array([2, 5]), np.ones(3, bool)
    )
    models = BoundaryRefinement(PHONES, VALUES)
    assert models.align(chain) is None
    models.train([*invented(seed=1, utterances=3)[0], chain])  # It is left out.


def test_a_phone_that_is_never_said_spoils_nothing():
    chains, truth = invented(seed=6)
    models = BoundaryRefinement(PHONES + 3, VALUES)
    models.train(chains)
    np.testing.assert_array_equal(models.align(chains[0])[0], truth[0][0])


def test_features():
    random = np.random.default_rng(0)
    log_mel = random.normal(size=(7, 20))
    np.testing.assert_allclose(cepstra_of_log_mel(log_mel), dct(log_mel, norm="ortho")[:, :13], atol=1e-5)
    ramp = np.outer(np.arange(10.0), [1.0, -2.0])
    features = boundary_features(ramp)
    assert features.shape == (10, 6) and features.dtype == np.float32
    np.testing.assert_allclose(features[4:6, 2:4], [[1, -2]] * 2, atol=1e-6)
    np.testing.assert_allclose(features[4:6, 4:], 0, atol=1e-6)
