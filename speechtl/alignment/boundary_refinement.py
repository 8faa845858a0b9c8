"""Sharpen phone boundaries with a hidden Markov model of the speech that is being aligned.

A CTC model knows which phones were said and about when, but is not trained to know where one ends. Here every phone
gets a small HMM (states in a row, a mixture of diagonal Gaussians each) whose parameters come from the aligned speech
itself by Viterbi training (Juang & Rabiner 1990), beginning with the CTC alignment. It needs no labels, and its
likelihood drops as soon as a frame is on the wrong side of a boundary. With monophones, since models of phones in
context learn their neighbours' edges too and place boundaries worse (Toledano et al. 2003).
"""

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from speechtl.features.dct import cosine_transform

SILENCE = 0
"""Number of the silence in `Chain.phones`; phones are numbered from 1, as the units of a model are."""


@dataclasses.dataclass(frozen=True)
class RefinementConfig:
    """Shape and training of the models.

    Attributes:
        states: of each phone; also the fewest frames that one lasts.
        silence_states: of the silence.
        mixtures: Gaussians of a state, at most; only states with much speech get them.
        frames_per_gaussian: no state is given more Gaussians than leave each so many frames.
        iterations: rounds of training.
        reach: frames by which a phone may move out of its first alignment.
        prior: frames' worth of the overall mean and variance that every Gaussian is mixed with.
    """

    states: int = 3
    silence_states: int = 3
    mixtures: int = 8
    frames_per_gaussian: int = 40
    iterations: int = 15
    reach: int = 15
    prior: float = 5.0


@dataclasses.dataclass(frozen=True)
class Chain:
    """The phones of one utterance, roughly in time.

    Attributes:
        features: ``(frames, values)`` float32, see `boundary_features`.
        phones: ``(phones,)`` numbers from 1; `SILENCE` for a silence that must be there.
        starts: ``(phones,)`` first frame of each.
        ends: ``(phones,)`` one past its last frame.
        may_pause: ``(phones + 1,)`` whether there may be silence in front of each, and behind the last.
    """

    features: np.ndarray
    phones: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    may_pause: np.ndarray


def boundary_features(cepstra: np.ndarray) -> np.ndarray:
    """Put first and second differences behind cepstra (regression over two frames on either side, as HTK does).

    Args:
        cepstra: ``(frames, coefficients)``, normalised.

    Returns:
        float32 ``(frames, 3 · coefficients)``.
    """
    first = _slopes(cepstra)
    return np.concatenate([cepstra, first, _slopes(first)], axis=1, dtype=np.float32)


def _slopes(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, ((2, 2), (0, 0)), mode="edge")
    return (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10


def cepstra_of_log_mel(log_mel: np.ndarray, coefficients: int = 13) -> np.ndarray:
    """Return the first coefficients of the orthonormal DCT-II of log mel energies ``(frames, bins)``."""
    return (log_mel @ cosine_transform(log_mel.shape[1], coefficients)).astype(np.float32)


class BoundaryRefinement:
    """HMMs of phones and silence.

    Args:
        phones: how many there are, silence not counted.
        dimension: values in a frame of features.
        config: shape and training.
    """

    def __init__(self, phones: int, dimension: int, config: RefinementConfig | None = None):
        self.config = config = config or RefinementConfig()
        self._states = config.silence_states + phones * config.states
        shape = (self._states, config.mixtures)
        self._means = np.zeros((*shape, dimension), np.float32)
        self._precisions = np.ones((*shape, dimension), np.float32)
        self._sizes = np.ones(self._states, np.int32)
        self._constants = np.zeros(shape, np.float32)
        self._loop = np.full(self._states, np.log(0.5))
        self._leave = np.full(self._states, np.log(0.5))

    def train(
        self, chains: Sequence[Chain], *, jobs: int = 1, advance: Callable[..., None] = lambda step=1, status="": None
    ) -> list[float]:
        """Train on utterances, beginning with their alignments.

        Args:
            chains: the utterances; those into which the states do not fit are left out.
            jobs: threads.
            advance: called after every utterance of every round.

        Returns:
            Mean log likelihood of a frame in every round.
        """
        paths: list[np.ndarray | None] = [self._first_path(chain) for chain in chains]
        everything = np.concatenate([chain.features for chain in chains])
        mean, variance = everything.mean(axis=0, dtype=np.float64), everything.var(axis=0, dtype=np.float64)
        del everything
        likelihoods = []
        self._update(chains, paths, mean, variance)
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
                self._update(chains, paths, mean, variance)
                if iteration in rounds:
                    self._split(chains, paths)
                    self._update(chains, paths, mean, variance)
        return likelihoods

    def align(self, chain: Chain) -> tuple[np.ndarray, np.ndarray] | None:
        """Return first frame and end of each phone ``(phones,)``; None if the states do not fit into the utterance."""
        path, _ = self._best_path(chain)
        if path is None:
            return None
        owner = self._layout(chain)[1]
        visited = owner[path]
        numbers = np.arange(len(chain.phones))
        # Silence in front of a phone is numbered -1, so the phones' own frames are found one by one.
        places = np.flatnonzero(visited >= 0)
        at = visited[places]
        return places[np.searchsorted(at, numbers, "left")], places[np.searchsorted(at, numbers, "right") - 1] + 1

    def _layout(self, chain: Chain) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Lay out the states of an utterance in a row.

        Returns:
            ``(states,)`` each: number of the state's distribution; phone that owns it, -1 for a pause; the state that
            may be left for it other than the one in front of it and itself, -1 if none, -2 if the path may start here;
            first frame and end of its reach.
        """
        config, frames = self.config, len(chain.features)
        own, quiet = np.arange(config.states), np.arange(config.silence_states)
        models, owners, skips, lows, highs = [], [], [], [], []
        length = 0
        count = len(chain.phones)
        before = -1  # last state of the phone before
        for number in range(count + 1):
            left = int(chain.ends[number - 1]) - config.reach if number else 0
            right = int(chain.starts[number]) + config.reach if number < count else frames
            pause = bool(chain.may_pause[number])
            if pause:
                models.append(quiet)
                owners.append(np.full(len(quiet), -1))
                skips.append(np.full(len(quiet), -1))
                if not number:
                    skips[-1][0] = -2
                lows.append(np.full(len(quiet), left))
                highs.append(np.full(len(quiet), right))
                length += len(quiet)
            if number == count:
                break
            phone = int(chain.phones[number])
            states = quiet if phone == SILENCE else own + config.silence_states + (phone - 1) * config.states
            models.append(states)
            owners.append(np.full(len(states), number))
            skips.append(np.full(len(states), -1))
            if not number:
                skips[-1][0] = -2
            elif pause:
                skips[-1][0] = before
            lows.append(np.full(len(states), int(chain.starts[number]) - config.reach))
            highs.append(np.full(len(states), int(chain.ends[number]) + config.reach))
            length += len(states)
            before = length - 1
        low = np.maximum.accumulate(np.clip(np.concatenate(lows), 0, frames))
        high = np.minimum.accumulate(np.clip(np.concatenate(highs), 0, frames)[::-1])[::-1]
        # Without pauses at the ends the first and the last phone reach there.
        low[: len(models[0])], high[-len(models[-1]) :] = 0, frames
        return (
            np.concatenate(models).astype(np.int32),
            np.concatenate(owners).astype(np.int32),
            np.concatenate(skips).astype(np.int32),
            low.astype(np.int32),
            high.astype(np.int32),
        )

    def _best_path(self, chain: Chain) -> tuple[np.ndarray | None, float]:
        """Return the state of the row in each frame, and the score; no path if the states do not fit."""
        model, _, skip, low, high = self._layout(chain)
        silent = self.config.silence_states if chain.may_pause[-1] else 0
        final = [len(model) - 1, *([len(model) - 1 - silent] if silent else [])]
        path, score = _viterbi(
            chain.features,
            model,
            skip,
            low,
            high,
            np.array(final, np.int32),
            self._means,
            self._precisions,
            self._constants,
            self._sizes,
            self._loop,
            self._leave,
        )
        return (path, score) if np.isfinite(score) else (None, score)

    def _first_path(self, chain: Chain) -> np.ndarray:
        """Divide every phone of the first alignment evenly among its states, and every pause."""
        path = np.zeros(len(chain.features), np.int32)
        count, position = len(chain.phones), 0
        edges = [0, *np.stack([chain.starts, chain.ends], axis=1).ravel().tolist(), len(chain.features)]
        for number in range(count + 1):
            for pause in (True, False):
                if (pause and not chain.may_pause[number]) or (not pause and number == count):
                    continue
                begin, end = edges[2 * number + (not pause)], edges[2 * number + 1 + (not pause)]
                size = self.config.silence_states if pause or chain.phones[number] == SILENCE else self.config.states
                span = np.arange(max(end - begin, 0))
                path[begin : begin + len(span)] = position + span * size // max(len(span), 1)
                position += size
        # Frames that belong to nothing go to what is in front of them.
        return np.maximum.accumulate(path)

    def _update(
        self, chains: Sequence[Chain], paths: Sequence[np.ndarray | None], mean: np.ndarray, variance: np.ndarray
    ) -> None:
        """Estimate all parameters from the paths."""
        shape = self._means.shape
        occupancy = np.zeros(shape[:2])
        sums, squares = np.zeros(shape), np.zeros(shape)
        visits = np.zeros(self._states)
        for chain, path in zip(chains, paths, strict=True):
            if path is not None:
                model = self._layout(chain)[0]
                _accumulate(
                    chain.features,
                    model[path],
                    self._means,
                    self._precisions,
                    self._constants,
                    self._sizes,
                    occupancy,
                    sums,
                    squares,
                )
                np.add.at(visits, model[path[np.diff(path, prepend=-1) != 0]], 1)
        prior = self.config.prior
        # Toward the mean of the state for one of its Gaussians, toward that of everything for a state.
        state_mean = (sums.sum(axis=1) + prior * mean) / (occupancy.sum(axis=1)[:, np.newaxis] + prior)
        weight = occupancy[:, :, np.newaxis]
        means = (sums + prior * state_mean[:, np.newaxis]) / (weight + prior)
        scatter = squares - 2 * means * sums + weight * means**2
        variances = (scatter + prior * variance) / (weight + prior)
        self._means = means.astype(np.float32)
        self._precisions = (1 / np.maximum(variances, 0.01 * variance)).astype(np.float32)
        used = np.arange(shape[1]) < self._sizes[:, np.newaxis]
        weights = np.where(used, occupancy + 1e-3, 0)
        with np.errstate(divide="ignore"):  # Gaussians that are not used have weight 0.
            constants = np.log(weights / weights.sum(axis=1, keepdims=True))
        constants += 0.5 * np.log(self._precisions / (2 * np.pi)).sum(axis=2)
        self._constants = constants.astype(np.float32)
        total = occupancy.sum(axis=1)
        stay = (total - visits + 0.5) / (total + 1)
        self._loop, self._leave = np.log(stay), np.log(1 - stay)

    def _split(self, chains: Sequence[Chain], paths: Sequence[np.ndarray | None]) -> None:
        """Double the Gaussians of every state with speech enough, moving each pair apart along its deviation."""
        frames = np.zeros(self._states, np.int64)
        for chain, path in zip(chains, paths, strict=True):
            if path is not None:
                frames += np.bincount(self._layout(chain)[0][path], minlength=self._states)
        for state in range(self._states):
            size = int(self._sizes[state])
            if 2 * size > self.config.mixtures or frames[state] < 2 * size * self.config.frames_per_gaussian:
                continue
            step = 0.2 / np.sqrt(self._precisions[state, :size])
            old = self._means[state, :size].copy()
            self._means[state, :size], self._means[state, size : 2 * size] = old - step, old + step
            self._precisions[state, size : 2 * size] = self._precisions[state, :size]
            self._constants[state, :size] -= np.float32(np.log(2))
            self._constants[state, size : 2 * size] = self._constants[state, :size]
            self._sizes[state] = 2 * size


@numba.njit(nogil=True, cache=True, inline="always")
def _log_likelihoods(frame, means, precisions, constants, size, into):  # pragma: no cover
    """Fill ``into`` with the log density of each Gaussian of a state, and return that of their mixture."""
    best = -np.inf
    for number in range(size):
        total = np.float32(0)
        for value in range(len(frame)):
            difference = frame[value] - means[number, value]
            total += difference * difference * precisions[number, value]
        into[number] = constants[number] - 0.5 * total
        best = max(best, into[number])
    if size == 1:
        return best
    rest = 0.0
    for number in range(size):
        rest += np.exp(into[number] - best)
    return best + np.log(rest)


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _viterbi(
    features, model, skip, low, high, finals, means, precisions, constants, sizes, loop, leave
):  # pragma: no cover
    frames, states = len(features), len(model)
    densities = np.empty(constants.shape[1])
    scores, now = np.full(states, -np.inf), np.full(states, -np.inf)
    back = np.zeros((frames, states), np.int8)  # 0: stayed, 1: from the state in front, 2: skipped a pause
    first = 0
    for frame in range(frames):
        while first < states and high[first] <= frame:
            now[first] = scores[first] = -np.inf
            first += 1
        for state in range(first, states):
            if low[state] > frame:
                break
            if frame == 0:
                score = 0.0 if state == 0 or skip[state] == -2 else -np.inf
            else:
                score = scores[state] + loop[model[state]]
                if state > 0 and scores[state - 1] + leave[model[state - 1]] > score:
                    score = scores[state - 1] + leave[model[state - 1]]
                    back[frame, state] = 1
                other = skip[state]
                if other >= 0 and scores[other] + leave[model[other]] > score:
                    score = scores[other] + leave[model[other]]
                    back[frame, state] = 2
            if score > -np.inf:
                number = model[state]
                score += _log_likelihoods(
                    features[frame], means[number], precisions[number], constants[number], sizes[number], densities
                )
            now[state] = score
        scores, now = now, scores
    path = np.empty(frames, np.int32)
    state = finals[0]
    for other in finals:
        if scores[other] > scores[state]:
            state = other
    total = scores[state]
    if total == -np.inf:
        return path, total
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        if back[frame, state] == 1:
            state -= 1
        elif back[frame, state] == 2:
            state = skip[state]
    return path, total


@numba.njit(nogil=True, cache=True)
def _accumulate(features, numbers, means, precisions, constants, sizes, occupancy, sums, squares):  # pragma: no cover
    densities = np.empty(constants.shape[1])
    for frame in range(len(features)):
        state = numbers[frame]
        total = _log_likelihoods(
            features[frame], means[state], precisions[state], constants[state], sizes[state], densities
        )
        for number in range(sizes[state]):
            share = np.exp(densities[number] - total)
            occupancy[state, number] += share
            for value in range(features.shape[1]):
                sums[state, number, value] += share * features[frame, value]
                squares[state, number, value] += share * features[frame, value] * features[frame, value]
