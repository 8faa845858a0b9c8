"""Which utterances go together, as a pure function of the seed and the epoch.

A plan consists of numbers only, so a killed run continues with exactly the batches of an uninterrupted one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speechtl.batches.config import BatchConfig


@dataclass(frozen=True)
class PlannedBatch:
    """One batch: the number of its source, and the utterances (indices into that source) in order."""

    source: int
    utterances: tuple[int, ...]


def plan_epoch(
    frames: Sequence[np.ndarray], weights: Sequence[float], config: BatchConfig, seed: int, epoch: int
) -> list[PlannedBatch]:
    """Plan one epoch of training.

    An epoch has as many utterances as all sources together. A single source contributes every utterance once. Of
    several sources, one with more than its natural share is repeated, reshuffled, as often as necessary.

    Args:
        frames: for each source, ``(utterances,)`` feature frames.
        weights: for each source, how often to draw from it, relative to its size.
        config: batch size, length pools and temperature.
        seed: of the run.
        epoch: from 0.
    """
    sizes = np.array([len(lengths) for lengths in frames], dtype=float)
    shares = (np.asarray(weights) * sizes) ** config.temperature * (sizes > 0)
    counts = np.round(sizes.sum() * shares / shares.sum()).astype(int) if len(sizes) > 1 else sizes.astype(int)
    batches = []
    for number, (lengths, count) in enumerate(zip(frames, counts, strict=True)):
        if not count:
            continue
        rng = np.random.default_rng((seed, 1, epoch, number))
        rounds = -(-count // len(lengths))
        order = np.concatenate([rng.permutation(len(lengths)) for _ in range(rounds)])[:count]
        batches += [PlannedBatch(number, batch) for batch in _bucket(order, lengths, config, rng)]
    np.random.default_rng((seed, 2, epoch)).shuffle(batches)  # type: ignore[arg-type]
    return batches


def plan_once(frames: Sequence[np.ndarray], config: BatchConfig) -> list[PlannedBatch]:
    """Plan one pass over every utterance, by length: for evaluation."""
    batches = []
    for number, lengths in enumerate(frames):
        order = np.argsort(lengths, kind="stable")
        batches += [PlannedBatch(number, batch) for batch in _cut(order, lengths, config)]
    return batches


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
    for index in order:
        longest = max(longest, int(lengths[index]))
        if current and (longest * (len(current) + 1) > config.frames or len(current) == config.utterances):
            batches.append(tuple(current))
            current, longest = [], int(lengths[index])
        current.append(int(index))
    if current:
        batches.append(tuple(current))
    return batches
