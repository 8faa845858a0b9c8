"""An n-gram model over numbered units, in arrays: millions of n-grams trained in seconds, searched in microseconds.

The estimate is that of ``kneser_ney`` (interpolated modified Kneser-Ney), over a closed vocabulary and without pruning;
``ngram.train_ngram`` gives the same probabilities. The n-grams are a tree: the children of a node are contiguous and
sorted by unit, so that a query is a binary search.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speechtl.grammar.kneser_ney import Discounts
from speechtl.grammar.ngram_model import FALLBACK_DISCOUNTS

# Units 0 and 1; those of the sequences start at 2.
START, END = 0, 1
FIRST_UNIT = 2
_LOG_ZERO = -99.0


class UnitTree(NamedTuple):
    """N-grams as a tree; node 0 is the empty history, nodes of one order are contiguous."""

    unit: np.ndarray
    """``(nodes,)`` int32: the last unit of each n-gram."""
    first_child: np.ndarray
    """``(nodes + 1,)`` int32: the children of node n are ``first_child[n]`` to ``first_child[n + 1] - 1``."""
    log_probability: np.ndarray
    """``(nodes,)`` float32, natural logarithm: of the last unit after the others."""
    log_back_off: np.ndarray
    """``(nodes,)`` float32: weight of the shorter history where a unit is not among the children."""
    suffix: np.ndarray
    """``(nodes,)`` int32: the n-gram without its first unit."""


@dataclasses.dataclass(frozen=True)
class UnitNgram:
    """A back-off n-gram model.

    Attributes:
        order: length of the longest n-grams.
        tree: its n-grams, as the compiled functions take them.
    """

    order: int
    tree: UnitTree

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return what ``from_arrays`` needs, in as few bytes as possible."""
        tree = self.tree
        children = np.diff(tree.first_child)
        return {
            "unit": tree.unit.astype(np.uint16 if tree.unit.max() < 2**16 else np.int32),
            "children": children.astype(np.uint16 if children.max() < 2**16 else np.int32),
            "log_probability": tree.log_probability,
            "log_back_off": tree.log_back_off[: np.flatnonzero(children).max(initial=0) + 1],
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "UnitNgram":
        """Rebuild a model; raises ValueError or IndexError where the arrays do not belong together."""
        kinds = {"unit": "iu", "children": "iu", "log_probability": "f", "log_back_off": "f"}
        if any(arrays[name].ndim != 1 or arrays[name].dtype.kind not in kind for name, kind in kinds.items()):
            raise ValueError("arrays of other types")
        unit = arrays["unit"].astype(np.int32)
        count = len(unit)
        if not len(arrays["children"]) == len(arrays["log_probability"]) == count:
            raise ValueError("arrays of different lengths")
        if arrays["children"].min(initial=0) < 0 or arrays["children"].max(initial=0) > count:
            raise ValueError("numbers of children that cannot be")
        first_child = np.ones(count + 1, np.int64)
        first_child[1:] += np.cumsum(arrays["children"], dtype=np.int64)
        if first_child[-1] != count:
            raise ValueError("the children are not all there")
        back_off = np.zeros(count, np.float32)
        back_off[: len(arrays["log_back_off"])] = arrays["log_back_off"]
        suffix = np.zeros(count, np.int32)
        parent = np.repeat(np.arange(count), np.diff(first_child))
        size = int(unit.max(initial=0)) + 1
        previous, start, end, order = 0, 1, int(first_child[1]), 1
        keys = np.zeros(0, np.int64)
        while True:
            if order > 1:
                wanted = suffix[parent[start - 1 : end - 1]].astype(np.int64) * size + unit[start:end]
                suffix[start:end] = previous + np.searchsorted(keys, wanted)
            keys = parent[start - 1 : end - 1].astype(np.int64) * size + unit[start:end]
            if end == count:
                break
            previous, start, end, order = start, end, int(first_child[end]), order + 1
            if end <= start:
                raise ValueError("the tree is broken")
        # The compiled functions check no index, and go from suffix to suffix until there is none.
        if not (suffix[1:] >= 0).all() or not (suffix[1:] < np.arange(1, count)).all():
            raise ValueError("the tree is broken")
        log_probability = arrays["log_probability"].astype(np.float32)
        return cls(order, UnitTree(unit, first_child.astype(np.int32), log_probability, back_off, suffix))


def train_unit_ngram(
    sequences: Sequence[Sequence[int]], size: int, order: int, fallback_discounts: Discounts = FALLBACK_DISCOUNTS
) -> UnitNgram:
    """Train an interpolated modified Kneser-Ney model.

    Args:
        sequences: units from ``FIRST_UNIT`` to ``size - 1``; start and end are added.
        size: number of units with start and end; those that no sequence has can be predicted too.
        order: length of the longest n-grams.
        fallback_discounts: for orders whose counts are too few to estimate discounts.
    """
    lengths = np.array([len(sequence) + 2 for sequence in sequences], np.int64)
    tokens = np.array([unit for sequence in sequences for unit in (START, *sequence, END)], np.int64)
    place = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    # Per order: parents and units of its n-grams, and the n-gram (of the order below) that each is without its first.
    parents, units, suffixes = [np.zeros(size, np.int64)], [np.arange(size)], [np.zeros(size, np.int64)]
    occurrences = [np.bincount(tokens, minlength=size)]
    initial = [np.bincount(tokens[place == 0], minlength=size)]
    ending = tokens
    for length in range(2, order + 1):
        where = np.flatnonzero(place >= length - 1)
        if not len(where):
            break
        found, first, inverse = np.unique(
            ending[where - 1] * size + tokens[where], return_index=True, return_inverse=True
        )
        parents.append(found // size)
        units.append(found % size)
        suffixes.append(ending[where[first]])
        ending_here = np.full(len(tokens), -1, np.int64)
        ending_here[where] = inverse
        occurrences.append(np.bincount(inverse, minlength=len(found)))
        initial.append(np.bincount(inverse[place[where] == length - 1], minlength=len(found)))
        ending = ending_here
    top = len(parents)
    adjusted = [
        occurrences[-1]
        if level == top - 1
        else np.bincount(suffixes[level + 1], minlength=len(units[level])) + initial[level]
        for level in range(top)
    ]
    adjusted[0][START] = 0
    logs, back_offs = [], []
    lower = np.full(size, 1.0 / (size - 1))
    parent_count = 1
    for level in range(top):
        probability, weight = _estimate(
            adjusted[level], parents[level], parent_count, lower, suffixes[level], level, fallback_discounts
        )
        back_offs.append(weight)
        if level == 0:
            probability[START] = np.exp(_LOG_ZERO)
        logs.append(np.log(probability))
        lower = probability
        parent_count = len(units[level])
    back_offs.append(np.ones(parent_count))
    return _tree(top, parents, units, suffixes, logs, [np.log(weight) for weight in back_offs])


def _estimate(
    counts: np.ndarray,
    parents: np.ndarray,
    parent_count: int,
    lower: np.ndarray,
    suffixes: np.ndarray,
    level: int,
    fallback: Discounts,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of one order's n-grams, and the back-off weights of their histories."""
    discounts = np.array([0.0, *(_discounts(counts) or fallback)])
    off = discounts[np.minimum(counts, 3)]
    totals = np.bincount(parents, counts, minlength=parent_count)
    removed = np.bincount(parents, off, minlength=parent_count)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.where(totals > 0, removed / totals, 1.0)
        discounted = np.where(totals[parents] > 0, (counts - off) / totals[parents], 0.0)
    shorter = lower if level == 0 else lower[suffixes]
    return discounted + weights[parents] * shorter, weights


def _discounts(counts: np.ndarray) -> Discounts | None:
    """Estimate the discounts as ``kneser_ney.estimate_discounts`` does."""
    t1, t2, t3, t4 = (int(np.count_nonzero(counts == k)) for k in (1, 2, 3, 4))
    if not (t1 and t2 and t3):
        return None
    y = t1 / (t1 + 2 * t2)
    result = (1 - 2 * y * t2 / t1, 2 - 3 * y * t3 / t2, 3 - 4 * y * t4 / t3)
    return result if min(result) > 0 else None


def _tree(
    order: int,
    parents: list[np.ndarray],
    units: list[np.ndarray],
    suffixes: list[np.ndarray],
    logs: list[np.ndarray],
    back_offs: list[np.ndarray],
) -> UnitNgram:
    """Put the orders one after the other, with the empty history before them."""
    starts = np.cumsum([1, *(len(level_units) for level_units in units)])
    shifts = [0, *starts[: order - 1]]
    parent = np.concatenate([nodes + shift for nodes, shift in zip(parents, shifts)])
    suffix = np.concatenate([[0], *(nodes + shift for nodes, shift in zip(suffixes, shifts))])
    children = np.bincount(parent, minlength=int(starts[-1]))
    first_child = np.ones(int(starts[-1]) + 1, np.int64)
    first_child[1:] += np.cumsum(children)
    back_off = np.concatenate([[0.0], *back_offs[1:]]).astype(np.float32)
    return UnitNgram(
        order,
        UnitTree(
            np.concatenate([[0], *units]).astype(np.int32),
            first_child.astype(np.int32),
            np.concatenate([[0.0], *logs]).astype(np.float32),
            np.where(children > 0, back_off, np.float32(0.0)),
            suffix.astype(np.int32),
        ),
    )
