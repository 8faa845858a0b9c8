from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.batches.config import BatchConfig
from speechtl.batches.plan import plan_epoch, plan_once

FRAMES = st.lists(st.integers(1, 900), min_size=1, max_size=60).map(np.array)


@settings(deadline=None)
@given(FRAMES, st.integers(0, 5), st.integers(1, 2000), st.integers(1, 9))
def test_an_epoch_is_every_utterance_once_within_the_limits(frames, epoch, limit, utterances):
    config = BatchConfig(frames=limit, utterances=utterances, shuffle_pool=16)
    plan = plan_epoch([frames], [1.0], config, seed=3, epoch=epoch)
    assert sorted(index for batch in plan for index in batch.utterances) == list(range(len(frames)))
    for batch in plan:
        lengths = frames[list(batch.utterances)]
        assert len(lengths) <= utterances
        assert len(lengths) == 1 or max(lengths) * len(lengths) <= limit
    assert plan == plan_epoch([frames], [1.0], config, seed=3, epoch=epoch)


def test_epochs_and_seeds_differ():
    frames = np.arange(1, 200)
    plans = [plan_epoch([frames], [1.0], BatchConfig(), seed, epoch) for seed, epoch in ((1, 0), (1, 1), (2, 0))]
    assert plans[0] != plans[1] and plans[0] != plans[2]


def test_buckets_keep_padding_small():
    frames = np.random.default_rng(0).integers(50, 1500, 2000)
    plan = plan_epoch([frames], [1.0], BatchConfig(), seed=1, epoch=0)
    padded = sum(max(frames[list(b.utterances)]) * len(b.utterances) for b in plan)
    assert frames.sum() / padded > 0.93


def test_shares_follow_weights_and_temperature():
    sources = [np.full(900, 100), np.full(100, 100)]

    def share(weights, temperature):
        plan = plan_epoch(sources, weights, BatchConfig(temperature=temperature), seed=1, epoch=0)
        counts = Counter()
        for batch in plan:
            counts[batch.source] += len(batch.utterances)
        assert sum(counts.values()) == 1000
        return counts[1] / 1000

    assert share([1, 1], 1.0) == 0.1
    assert share([1, 1], 0.0) == 0.5
    assert share([1, 1], 0.5) == 0.25
    assert share([1, 9], 1.0) == 0.5


def test_a_small_source_starts_over_only_after_it_was_read_whole():
    plan = plan_epoch([np.full(90, 10), np.full(10, 10)], [1, 1], BatchConfig(temperature=0), seed=1, epoch=0)
    counts = Counter(index for batch in plan if batch.source == 1 for index in batch.utterances)
    assert set(counts.values()) == {5} and len(counts) == 10


def test_an_empty_source_is_passed_over():
    plan = plan_epoch([np.zeros(0, int), np.full(3, 10)], [1, 1], BatchConfig(), seed=1, epoch=0)
    assert {batch.source for batch in plan} == {1}


@settings(deadline=None)
@given(FRAMES, FRAMES)
def test_evaluation_reads_everything_once(first, second):
    plan = plan_once([first, second], BatchConfig(frames=1000))
    for number, frames in enumerate((first, second)):
        found = [index for batch in plan if batch.source == number for index in batch.utterances]
        assert sorted(found) == list(range(len(frames)))
