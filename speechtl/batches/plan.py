"""Which utterances go together, as a pure function of the seed and the epoch.

A plan consists of numbers only, so a killed run continues with exactly the batches of an uninterrupted one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from speechtl.batches.config import BatchConfig


@dataclass(frozen=True)
class PlannedBatch:
    """One batch: the number of its source, and the utterances (indices into that source) in order."""

    source: int
    utterances: tuple[int, ...]


def plan_epoch(
    frames: Sequence[np.ndarray],
    weights: Sequence[float],
    config: BatchConfig,
    seed: int,
    epoch: int,
    shards: Sequence[np.ndarray | None] = (),
) -> list[PlannedBatch]:
    """Plan one epoch of training.

    An epoch has as many utterances as all sources together. A single source contributes every utterance once. Of
    several sources, one with more than its natural share is repeated, reshuffled, as often as necessary.

    Speech in shards is read some shards at a time: their order is random, and so is that of the utterances within those
    that are read together, but no batch needs any others.

    Args:
        frames: for each source, ``(utterances,)`` feature frames.
        weights: for each source, how often to draw from it, relative to its size.
        config: batch size, length pools and temperature.
        seed: of the run.
        epoch: from 0.
        shards: for each source, ``(utterances,)`` the number of the shard of each utterance, or None if it has none.
    """
    sizes = np.array([len(lengths) for lengths in frames], dtype=float)
    shares = (np.asarray(weights) * sizes) ** config.temperature * (sizes > 0)
    counts = np.round(sizes.sum() * shares / shares.sum()).astype(int) if len(sizes) > 1 else sizes.astype(int)
    shards = shards or [None] * len(sizes)
    planned: list[list[PlannedBatch]] = []
    for number, (lengths, count) in enumerate(zip(frames, counts, strict=True)):
        if not count:
            continue
        rng = np.random.default_rng((seed, 1, epoch, number))
        numbers = shards[number]
        if numbers is None:
            rounds = -(-count // len(lengths))
            order = np.concatenate([rng.permutation(len(lengths)) for _ in range(rounds)])[:count]
            planned.append([PlannedBatch(number, batch) for batch in _bucket(order, lengths, config, rng)])
            continue
        planned.append([])
        for order in _by_shards(numbers, count, config, rng):
            batches = [PlannedBatch(number, batch) for batch in _bucket(order, lengths, config, rng)]
            rng.shuffle(batches)  # type: ignore[arg-type]
            planned[-1] += batches
    rng = np.random.default_rng((seed, 2, epoch))
    if all(one is None for one in shards):
        batches = [batch for of_source in planned for batch in of_source]
        rng.shuffle(batches)  # type: ignore[arg-type]
        return batches
    # Evenly mixed, and those of each source in their order.
    places = []
    for of_source in planned:
        if shards[of_source[0].source] is None:
            rng.shuffle(of_source)  # type: ignore[arg-type]
        places += [(np.arange(len(of_source)) + rng.random(len(of_source))) / len(of_source)]
    mixed = np.argsort(np.concatenate(places), kind="stable")
    batches = [batch for of_source in planned for batch in of_source]
    return [batches[place] for place in mixed]


def plan_once(
    frames: Sequence[np.ndarray], config: BatchConfig, shards: Sequence[np.ndarray | None] = ()
) -> list[PlannedBatch]:
    """Plan one pass over every utterance, by length: for evaluation. Shards are read some at a time."""
    batches = []
    for number, lengths in enumerate(frames):
        numbers = shards[number] if shards else None
        windows = [np.arange(len(lengths))]
        if numbers is not None:
            first = range(0, int(numbers.max(initial=-1)) + 1, config.shards)
            windows = [np.flatnonzero((numbers >= one) & (numbers < one + config.shards)) for one in first]
        for window in windows:
            order = window[np.argsort(lengths[window], kind="stable")]
            batches += [PlannedBatch(number, batch) for batch in _cut(order, lengths, config)]
    return batches


def _by_shards(shards: np.ndarray, count: int, config: BatchConfig, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield ``count`` utterances in random order, those of a few shards at a time."""
    by_number = np.argsort(shards, kind="stable")
    bounds = np.flatnonzero(np.diff(shards[by_number])) + 1
    members = np.split(by_number, bounds)
    while count > 0:
        order = rng.permutation(len(members))
        for first in range(0, len(order), config.shards):
            window = np.concatenate([members[number] for number in order[first : first + config.shards]])
            yield rng.permutation(window)[:count]
            count -= len(window)
            if count <= 0:
                break


def _bucket(
    order: np.ndarray, lengths: np.ndarray, config: BatchConfig, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """Sort within pools of neighbours in ``order`` and cut the pools into batches.

    A compromise between little padding and random batches: pools are random, batches within a pool are by length.
    """
    batches = []
    for start in range(0, len(order), config.shuffle_pool):
        pool = order[start : start + config.shuffle_pool]
        # Some noise on the lengths, since the longest of each pool would otherwise always be together.
        noisy = lengths[pool] * rng.uniform(0.95, 1.05, len(pool))
        batches += _cut(pool[np.argsort(noisy, kind="stable")], lengths, config)
    return batches


def _cut(order: np.ndarray, lengths: np.ndarray, config: BatchConfig) -> list[tuple[int, ...]]:
    batches: list[tuple[int, ...]] = []
    current: list[int] = []
    longest = 0
    for index, length in zip(order.tolist(), lengths[order].tolist(), strict=True):
        longest = max(longest, length)
        if current and (longest * (len(current) + 1) > config.frames or len(current) == config.utterances):
            batches.append(tuple(current))
            current, longest = [], length
        current.append(index)
    if current:
        batches.append(tuple(current))
    return batches
