"""The Viterbi search through phone HMMs against the definition of the best path, and the memory that it takes."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from speechtl.alignment.chain import MAY_START, Chain, lay_out
from speechtl.alignment.config import RefinementConfig
from speechtl.alignment.phone_models import PhoneModels, viterbi

VALUES = 2


def random_models(random, phones, config):
    states = config.silence_states + phones * config.states
    weights = random.dirichlet(np.ones(config.mixtures), states)
    precisions = random.uniform(0.5, 2, (states, config.mixtures, VALUES)).astype(np.float32)
    stay = random.uniform(0.1, 0.9, states)
    constants = np.log(weights) + 0.5 * np.log(precisions / (2 * np.pi)).sum(axis=2)
    means = random.normal(0, 2, precisions.shape).astype(np.float32)
    sizes = random.integers(1, config.mixtures + 1, states).astype(np.int32)
    return PhoneModels(means, precisions, constants.astype(np.float32), sizes, np.log(stay), np.log(1 - stay))


def densities(features, row, models):
    """Return the log density of each frame in each state ``(frames, states)``."""
    columns = []
    for number in row.model:
        total = np.zeros(len(features))
        for mixture in range(models.sizes[number]):
            variance = 1 / models.precisions[number, mixture].astype(float)
            scale = np.exp(models.constants[number, mixture] + 0.5 * np.log(2 * np.pi * variance).sum())
            total += scale * multivariate_normal(models.means[number, mixture], np.diag(variance)).pdf(features)
        columns.append(np.log(total))
    return np.stack(columns, axis=1)


def arcs_into(row, state):
    sources = [state]
    if state:
        sources.append(state - 1)
    if row.skip[state] >= 0:
        sources.append(row.skip[state])
    return sources


def best_score(features, row, models):
    """Return the best score of all paths, by the recurrence over a full table of frames and states."""
    emitted = densities(features, row, models)
    table = np.full(emitted.shape, -np.inf)
    for frame in range(len(features)):
        for state in range(len(row.model)):
            if not row.low[state] <= frame < row.high[state]:
                continue
            if frame == 0:
                entered = 0.0 if state == 0 or row.skip[state] == MAY_START else -np.inf
            else:
                entered = max(
                    table[frame - 1, source] + (models.loop if source == state else models.leave)[row.model[source]]
                    for source in arcs_into(row, state)
                )
            table[frame, state] = entered + emitted[frame, state]
    return table[-1, row.finals].max()


def score_of(path, features, row, models):
    emitted = densities(features, row, models)
    score = emitted[0, path[0]]
    for frame in range(1, len(path)):
        before, now = path[frame - 1], path[frame]
        assert before in arcs_into(row, now)
        score += (models.loop if before == now else models.leave)[row.model[before]] + emitted[frame, now]
    return score


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 60), st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_the_path_is_the_best_within_its_windows(seed, phones, frames, reach):
    random = np.random.default_rng(seed)
    config = RefinementConfig(states=2, silence_states=1, mixtures=2, reach=reach)
    edges = np.sort(random.integers(0, frames + 1, 2 * phones))
    may_pause = random.random(phones + 1) < 0.5
    features = random.normal(0, 2, (frames, VALUES)).astype(np.float32)
    chain = Chain(features, random.integers(0, 4, phones), edges[::2], edges[1::2], may_pause)
    row, models = lay_out(chain, config), random_models(random, 3, config)
    path, score = viterbi(features, row, models)
    expected = best_score(features, row, models)
    if expected == -np.inf:
        assert score == -np.inf
        return
    assert score == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert score_of(path, features, row, models) == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert path[-1] in row.finals and (path[0] == 0 or row.skip[path[0]] == MAY_START)
    assert np.all((row.low[path] <= np.arange(frames)) & (np.arange(frames) < row.high[path]))


LONG = """
import resource
import numpy as np
from speechtl.alignment.chain import Chain, lay_out
from speechtl.alignment.boundary_refinement import BoundaryRefinement

def chain(phones):
    edges = 10 * np.arange(phones + 1)
    features = np.zeros((edges[-1], 2), np.float32)
    return Chain(features, np.ones(phones, np.int64), edges[:-1], edges[1:], np.ones(phones + 1, bool))

models = BoundaryRefinement(1, 2)
models.align(chain(10))  # Compiles.
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 200_000_000, resource.RLIM_INFINITY))
starts, ends = models.align(chain(12_000))
assert len(starts) == 12_000 and ends[-1] <= 120_000
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
def test_twenty_minutes_take_no_memory_for_what_no_path_may_pass():
    # 120,000 frames times 72,000 states would be 8.6 GB.
    subprocess.run([sys.executable, "-c", LONG], check=True)
