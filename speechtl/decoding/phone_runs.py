"""Which phones posteriors hold, and in which frames each of them is on: two ways to decide."""

import functools
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from speechtl.decoding.config import PhoneDecision
from speechtl.errors import LexiconError
from speechtl.lang.articulation import phone_distance
from speechtl.lang.phone_inventory import PhoneInventory

# Phones up to this distance (`phone_distance`) sound alike, and of a phone with more than this share of the
# probability of all phones the model is sure: chosen for low phone feature error rates on Bulgarian, Hungarian and
# English speech that neither training nor tests have (recipes/base/README.md). Neither matters much.
ALIKE = 0.3
SURE = 0.9


class PhoneRun(NamedTuple):
    """A phone: its unit from 1, the first frame in which it is on, and one past the last one."""

    unit: int
    first: int
    end: int


def find_runs(scores: np.ndarray, inventory: PhoneInventory, decision: PhoneDecision) -> list[PhoneRun]:
    """Find the phones as a config's ``phone_decision`` says; for the arguments see `pooled`."""
    return pooled(scores, inventory) if decision == "pooled" else best_path(scores)


def find_phones(scores: np.ndarray, inventory: PhoneInventory, decision: PhoneDecision) -> list[str]:
    """Return the phones of `find_runs` alone."""
    return inventory.decode([run.unit for run in find_runs(scores, inventory, decision)])


def best_path(scores: np.ndarray) -> list[PhoneRun]:
    """Take the best unit of every frame (Graves et al. 2006); a run of frames with the same one is a phone.

    Args:
        scores: ``(frames, units)``, unit 0 the blank.
    """
    return _runs(scores.argmax(axis=1)) if len(scores) else []


def pooled(scores: np.ndarray, inventory: PhoneInventory) -> list[PhoneRun]:
    """Decide first where there is a phone, and then which one.

    A frame holds a phone if all phones together are more probable than the blank: where a sound lies between several
    phones, as those of a language that training did not have do, none of them alone need be. Runs of one best phone
    follow each other within these frames. Two that touch and sound alike are one phone about which the model is in two
    minds, unless it is sure of both; that phone is the one with the highest sum of probabilities over all its frames.

    Args:
        scores: natural logarithms ``(frames, units)``, unit 0 the blank.
        inventory: the phones of units 1, 2, ...; what is not IPA sounds like no other phone.
    """
    if not len(scores) or not len(inventory):
        return []
    phones = np.exp(scores[:, 1:], dtype=np.float64)
    mass = phones.sum(axis=1)
    on = mass > np.exp(scores[:, 0], dtype=np.float64)
    runs: list[PhoneRun] = []
    shares: list[float] = []
    for run in _runs(np.where(on, phones.argmax(axis=1) + 1, 0)):
        frames = slice(run.first, run.end)
        share = float((phones[frames, run.unit - 1] / mass[frames]).max())
        if runs and _is_one(runs[-1], run, min(shares[-1], share) >= SURE, inventory):
            first = runs[-1].first
            unit = int(phones[first : run.end].sum(axis=0).argmax()) + 1
            runs[-1], shares[-1] = PhoneRun(unit, first, run.end), max(shares[-1], share)
        else:
            runs.append(run)
            shares.append(share)
    return runs


def _is_one(before: PhoneRun, run: PhoneRun, both_sure: bool, inventory: PhoneInventory) -> bool:
    if before.end != run.first:
        return False
    # What lay between two runs of one phone may have become part of the first.
    return before.unit == run.unit or (
        not both_sure and _alike(inventory.phone(before.unit), inventory.phone(run.unit))
    )


@functools.lru_cache(maxsize=100_000)
def _alike(phone: str, other: str) -> bool:
    try:
        return phone_distance(phone, other) <= ALIKE
    except LexiconError:
        # Not IPA, as grapheme models have.
        return False


def _runs(units: np.ndarray) -> list[PhoneRun]:
    edges = np.flatnonzero(np.diff(units, prepend=-1, append=-1))
    return [PhoneRun(int(units[first]), int(first), int(end)) for first, end in pairwise(edges) if units[first]]
