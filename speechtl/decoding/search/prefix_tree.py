"""The pronunciations of a lexicon as a tree of phones, in flat arrays that compiled code walks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechtl.errors import LexiconError

ROOT = 0
# Labels of leaves that are no word of the graph: silence, one phone of speech that is no word, a word without an arc.
SILENCE, FILLER, NOT_IN_GRAPH = -1, -2, -3
# Room for words that are added later, so that adding one moves nothing.
_SPARE_NODES = 1 << 15
_SPARE_LEAVES = 1 << 11


class TreeArrays(NamedTuple):
    """The tree as the search sees it. Node 0 is the root; the children of a node are numbered one after the other.

    The arrays of nodes are columns of one table, so that all about a node is in one place of the memory.

    A *leaf* is one pronunciation of one word; leaves are numbered in the order of their phones, so all leaves below a
    node are one interval. Nodes from ``branching`` on are chains with one leaf each (words added later, and the
    one-phone chains of silence and fillers).
    """

    unit: np.ndarray
    """``(nodes,)`` int32: the model's unit of each node's phone."""
    first_child: np.ndarray
    last_child: np.ndarray
    """``(nodes,)`` int32: children are ``first_child`` to ``last_child`` (not included)."""
    first_leaf: np.ndarray
    last_leaf: np.ndarray
    """``(nodes,)`` int32: the leaves at or below the node, the end not included."""
    own_leaf: np.ndarray
    """``(nodes,)`` int32: the leaves at the node itself are ``first_leaf`` to ``own_leaf`` (not included)."""
    root_children: np.ndarray
    """``(children,)`` int32: where words begin, chains included."""


class LeafArrays(NamedTuple):
    """What the search knows of each leaf (pronunciation)."""

    word: np.ndarray
    """``(leaves,)`` int32: the number of its word in the word graph, or
    ``SILENCE``, ``FILLER`` (one phone) or ``NOT_IN_GRAPH`` (the graph has neither the word nor a wildcard)."""
    identity: np.ndarray
    """``(leaves,)`` int32: the number of its word in the lexicon, which tells hypotheses apart."""
    score: np.ndarray
    """``(leaves,)`` float32: what its words cost apart from the language model."""


class PrefixTree:
    """A prefix tree of pronunciations.

    Built at once with array operations (130,000 words take a fraction of a second); words can be added later, each in
    a chain of its own from the root, in time that does not depend on the size of the tree.

    Args:
        lengths: ``(pronunciations,)``: how many units each has.
        flat: their units, all at least 1, one pronunciation after the other.

    Attributes:
        order: ``(pronunciations,)``: the pronunciation of each leaf, as an index into ``lengths``.
        branching: nodes of the tree proper; later ones are chains.
        unit: the unit of each node, also of nodes that are not in use yet.
        parent: the node above each, likewise.
        nodes: nodes in use.
        leaves: leaves in use.
    """

    def __init__(self, lengths: np.ndarray, flat: np.ndarray):
        count, deepest = len(lengths), int(lengths.max(initial=0))
        table = np.zeros((count, max(deepest, 1)), ">u2")
        table[np.arange(table.shape[1]) < lengths[:, None]] = flat
        # Big-endian bytes compare as the units do, and one comparison of bytes is one of whole pronunciations.
        self.order = np.argsort(table.view(f"S{2 * table.shape[1]}").ravel(), kind="stable").astype(np.int64)
        table, lengths = table[self.order].astype(np.int32), lengths[self.order]
        self._build(table, lengths, deepest)

    def _build(self, table: np.ndarray, lengths: np.ndarray, deepest: int) -> None:
        count = len(lengths)
        shared = np.zeros(count, np.int64)
        if count > 1:
            differs = table[1:] != table[:-1]
            shared[1:] = np.where(differs.any(axis=1), differs.argmax(axis=1), lengths[1:])
        starts = np.arange(count)
        unit, first_leaf, last_leaf, own_leaf, parent = ([np.array([value])] for value in (0, 0, count, 0, -1))
        above = np.zeros(count, np.int64)
        base = 1
        for depth in range(1, deepest + 1):
            opens = (shared < depth) & (lengths >= depth)
            rows = starts[opens]
            # A node ends where the next pronunciation shares less with the one before than the node's depth.
            breaks = np.append(starts[shared < depth], count)
            ends = breaks[np.searchsorted(breaks, rows, side="right")]
            here = base + np.cumsum(opens) - 1
            unit.append(table[rows, depth - 1])
            parent.append(above[rows])
            first_leaf.append(rows)
            last_leaf.append(ends)
            ending = np.append(0, np.cumsum(lengths == depth))
            own_leaf.append(rows + ending[ends] - ending[rows])
            above = here
            base += len(rows)
        self.branching = self.nodes = base
        self.leaves = count
        room = base + _SPARE_NODES
        parents = np.concatenate(parent)
        children = np.bincount(parents[1:], minlength=base)
        last_child = 1 + np.cumsum(children)
        self.parent = _spare(parents, room)
        self._set_table(np.zeros((room, 6), np.int32))
        self.unit[:base] = np.concatenate(unit)
        self._first_child[:base] = last_child - children
        self._last_child[:base] = last_child
        self._first_leaf[:base] = np.concatenate(first_leaf)
        self._last_leaf[:base] = np.concatenate(last_leaf)
        self._own_leaf[:base] = np.concatenate(own_leaf)
        self._root_children = _spare(np.arange(1, 1 + children[ROOT]), int(children[ROOT]) + _SPARE_LEAVES)
        self._begins = int(children[ROOT])
        self._spare_leaves = _SPARE_LEAVES

    def _set_table(self, table: np.ndarray) -> None:
        self._table = table
        self.unit, self._first_child, self._last_child, self._first_leaf, self._last_leaf, self._own_leaf = table.T

    def pack(self) -> dict[str, np.ndarray]:
        """Return all of the tree, for `unpack`."""
        sizes = [self.branching, self.nodes, self.leaves, self._begins, self._spare_leaves]
        return {
            "sizes": np.array(sizes, np.int64),
            "table": self._table,
            "parent": self.parent,
            "order": self.order,
            "root_children": self._root_children,
        }

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray]) -> "PrefixTree":
        """Return the tree that was packed; it changes the arrays when words are added."""
        tree = cls.__new__(cls)
        tree.branching, tree.nodes, tree.leaves, tree._begins, tree._spare_leaves = arrays["sizes"].tolist()
        tree.parent, tree.order, tree._root_children = arrays["parent"], arrays["order"], arrays["root_children"]
        tree._set_table(arrays["table"])
        return tree

    def copy(self) -> "PrefixTree":
        """Return the same tree; what is added to either is not in the other."""
        return PrefixTree.unpack({name: array.copy() for name, array in self.pack().items()})

    def add_chain(self, units: Sequence[int]) -> int:
        """Add a pronunciation as a chain from the root and return its leaf.

        Raises:
            LexiconError: there is no room left; build the tree again with all words.
        """
        first, last = self.nodes, self.nodes + len(units)
        if last > len(self.unit) or not self._spare_leaves:
            raise LexiconError(f"more than {_SPARE_LEAVES} words were added; put them into the lexicon instead")
        leaf = self.leaves
        self.unit[first:last] = units
        self.parent[first:last] = [ROOT, *range(first, last - 1)]
        self._first_child[first:last] = range(first + 1, last + 1)
        self._last_child[first:last] = [*range(first + 2, last + 1), last]
        self._first_leaf[first:last] = self._own_leaf[first:last] = leaf
        self._last_leaf[first:last] = leaf + 1
        self._own_leaf[last - 1] = leaf + 1
        self._root_children[self._begins] = first
        self._begins += 1
        self.nodes, self.leaves, self._spare_leaves = last, leaf + 1, self._spare_leaves - 1
        return leaf

    @property
    def spare_leaves(self) -> int:
        """How many more words can be added."""
        return self._spare_leaves

    def arrays(self) -> TreeArrays:
        """Return the arrays of the search, views of what is in use."""
        used = slice(0, self.nodes)
        return TreeArrays(
            self.unit[used],
            self._first_child[used],
            self._last_child[used],
            self._first_leaf[used],
            self._last_leaf[used],
            self._own_leaf[used],
            self._root_children[: self._begins],
        )

    def leaf_nodes(self) -> np.ndarray:
        """Return the node ``(leaves,)`` at which each leaf of the tree proper ends."""
        nodes = np.arange(self.branching)
        own = self._own_leaf[: self.branching] - self._first_leaf[: self.branching]
        result = np.empty(int(own.sum()), np.int64)
        first = np.repeat(self._first_leaf[: self.branching], own)
        within = np.arange(len(first)) - np.repeat(np.cumsum(own) - own, own)
        result[first + within] = np.repeat(nodes, own)
        return result

    def units_to(self, node: int) -> list[int]:
        """Return the units on the way from the root to a node."""
        units = []
        while node > 0:
            units.append(int(self.unit[node]))
            node = int(self.parent[node])
        return units[::-1]


def _spare(values: np.ndarray | Iterable[int], room: int) -> np.ndarray:
    result = np.zeros(room, np.int32)
    values = np.asarray(values)
    result[: len(values)] = values
    return result
