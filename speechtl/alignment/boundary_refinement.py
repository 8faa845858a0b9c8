"""Refine phone boundaries with hidden Markov models of the speech that is being aligned.

A CTC model knows which phones were spoken and about when, but is not trained to know where one ends. Here every phone
has a small HMM (states in a row, each a mixture of Gaussians with diagonal covariances), estimated on the aligned
speech itself by Viterbi training (Juang & Rabiner 1990) from the CTC alignment. It needs no labels, and its likelihood
drops as soon as a frame is on the wrong side of a boundary. The models are monophones: models of phones in context
learn the edges of their neighbours too, and place boundaries worse (Toledano et al. 2003).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from speechtl.alignment.chain import Chain, first_path, lay_out
from speechtl.alignment.config import RefinementConfig
from speechtl.alignment.phone_models import PhoneModels, Statistics, accumulate, viterbi


class BoundaryRefinement:
    """HMMs of phones and silence.

    Args:
        phones: their number, silence not counted.
        dimension: values in a frame of features.
        config: shape and training.
    """

    def __init__(self, phones: int, dimension: int, config: RefinementConfig | None = None):
        self.config = config = config or RefinementConfig()
        states = config.silence_states + phones * config.states
        shape = (states, config.mixtures)
        self._models = PhoneModels(
            means=np.zeros((*shape, dimension), np.float32),
            precisions=np.ones((*shape, dimension), np.float32),
            constants=np.zeros(shape, np.float32),
            sizes=np.ones(states, np.int32),
            loop=np.full(states, np.log(0.5)),
            leave=np.full(states, np.log(0.5)),
        )

    def train(
        self, chains: Sequence[Chain], *, jobs: int = 1, advance: Callable[..., None] = lambda step=1, status="": None
    ) -> list[float]:
        """Train on utterances, starting from their alignments.

        Args:
            chains: the utterances; those that are too short for their states are left out.
            jobs: threads.
            advance: called after every utterance of every round.

        Returns:
            Mean log likelihood per frame in every round.
        """
        paths: list[np.ndarray | None] = [first_path(chain, self.config) for chain in chains]
        everything = np.concatenate([chain.features for chain in chains])
        overall = everything.mean(axis=0, dtype=np.float64), everything.var(axis=0, dtype=np.float64)
        del everything
        likelihoods = []
        self._update(chains, paths, overall)
        # The Gaussians double in the middle third, when the boundaries have settled once.
        doublings = int(np.log2(self.config.mixtures))
        rounds = np.linspace(self.config.iterations / 3, 2 * self.config.iterations / 3, doublings).astype(int)
        with ThreadPoolExecutor(jobs) as pool:
            for iteration in range(self.config.iterations):
                total, frames = 0.0, 0
                for number, (path, score) in enumerate(pool.map(self._best_path, chains)):
                    paths[number] = path
                    if path is not None:
                        total, frames = total + score, frames + len(path)
                    advance()
                likelihoods.append(total / max(frames, 1))
                self._update(chains, paths, overall)
                if iteration in rounds:
                    self._split(chains, paths)
                    self._update(chains, paths, overall)
        return likelihoods

    def align(self, chain: Chain) -> tuple[np.ndarray, np.ndarray] | None:
        """Return first frame and end of each phone ``(phones,)``; None if the utterance is too short for its states."""
        path, _ = self._best_path(chain)
        if path is None:
            return None
        visited = lay_out(chain, self.config).owner[path]
        numbers = np.arange(len(chain.phones))
        # Pauses are numbered -1, so the frames of the phones themselves are searched.
        places = np.flatnonzero(visited >= 0)
        at = visited[places]
        return places[np.searchsorted(at, numbers, "left")], places[np.searchsorted(at, numbers, "right") - 1] + 1

    def _best_path(self, chain: Chain) -> tuple[np.ndarray | None, float]:
        """Return the state in each frame, and the score; no path if the states do not fit."""
        path, score = viterbi(chain.features, lay_out(chain, self.config), self._models)
        return (path, score) if np.isfinite(score) else (None, score)

    def _update(
        self, chains: Sequence[Chain], paths: Sequence[np.ndarray | None], overall: tuple[np.ndarray, np.ndarray]
    ) -> None:
        """Estimate all parameters from the paths, with the overall mean and variance as a prior."""
        shape = self._models.means.shape
        statistics = Statistics(np.zeros(shape[:2]), np.zeros(shape), np.zeros(shape))
        visits = np.zeros(shape[0])
        for chain, path in zip(chains, paths, strict=True):
            if path is not None:
                model = lay_out(chain, self.config).model
                accumulate(chain.features, model[path], self._models, statistics)
                np.add.at(visits, model[path[np.diff(path, prepend=-1) != 0]], 1)
        self._models = _estimate(statistics, visits, overall, self.config.prior, self._models.sizes)

    def _split(self, chains: Sequence[Chain], paths: Sequence[np.ndarray | None]) -> None:
        """Double the Gaussians of every state with enough speech, moving each pair apart along its deviation."""
        means, precisions, constants, sizes, *_ = self._models
        frames = np.zeros(len(sizes), np.int64)
        for chain, path in zip(chains, paths, strict=True):
            if path is not None:
                frames += np.bincount(lay_out(chain, self.config).model[path], minlength=len(sizes))
        for state in range(len(sizes)):
            size = int(sizes[state])
            if 2 * size > self.config.mixtures or frames[state] < 2 * size * self.config.frames_per_gaussian:
                continue
            step = 0.2 / np.sqrt(precisions[state, :size])
            old = means[state, :size].copy()
            means[state, :size], means[state, size : 2 * size] = old - step, old + step
            precisions[state, size : 2 * size] = precisions[state, :size]
            constants[state, :size] -= np.float32(np.log(2))
            constants[state, size : 2 * size] = constants[state, :size]
            sizes[state] = 2 * size


def _estimate(
    statistics: Statistics, visits: np.ndarray, overall: tuple[np.ndarray, np.ndarray], prior: float, sizes: np.ndarray
) -> PhoneModels:
    """Return the parameters that are most probable given the statistics and the prior.

    Args:
        statistics: of all paths.
        visits: ``(states,)`` how often each state was entered.
        overall: mean and variance ``(values,)`` of all frames.
        prior: their weight in frames.
        sizes: ``(states,)`` Gaussians in use.
    """
    occupancy, sums, squares = statistics
    mean, variance = overall
    # A Gaussian is drawn toward the mean of its state, and a state toward the overall mean.
    state_mean = (sums.sum(axis=1) + prior * mean) / (occupancy.sum(axis=1)[:, np.newaxis] + prior)
    weight = occupancy[:, :, np.newaxis]
    means = (sums + prior * state_mean[:, np.newaxis]) / (weight + prior)
    scatter = squares - 2 * means * sums + weight * means**2
    variances = (scatter + prior * variance) / (weight + prior)
    precisions = (1 / np.maximum(variances, 0.01 * variance)).astype(np.float32)
    used = np.arange(occupancy.shape[1]) < sizes[:, np.newaxis]
    weights = np.where(used, occupancy + 1e-3, 0)
    with np.errstate(divide="ignore"):  # Gaussians that are not in use have weight 0.
        constants = np.log(weights / weights.sum(axis=1, keepdims=True))
    constants += 0.5 * np.log(precisions / (2 * np.pi)).sum(axis=2)
    total = occupancy.sum(axis=1)
    stay = (total - visits + 0.5) / (total + 1)
    return PhoneModels(
        means.astype(np.float32),
        precisions,
        constants.astype(np.float32),
        sizes,
        np.log(stay),
        np.log(1 - stay),
    )
