"""Language-model look-ahead: the best score in every interval of leaves."""

from typing import NamedTuple

import numpy as np

from speechtl.decoding.search.prefix_tree import FILLER, SILENCE, LeafArrays, TreeArrays
from speechtl.grammar.word_graph import GraphArrays
from speechtl.kernels.kernel import kernel

_BLOCK = 32
# Intervals of up to this many entries are searched linearly.
_FEW = 8
# A row over all nodes is kept for states that back off to nothing and have more entries than this, but not too many.
_DENSE_ENTRIES = 256
_DENSE_BYTES = 1 << 28
# Above this many entries, arcs of <unk> that many words share are left to the states that others back off to.
_MOST_ENTRIES = 20_000_000
_MANY_LEAVES = 64


class LookAheadArrays(NamedTuple):
    """Arcs of the language model, sorted by state and leaf (*entries*), for the best score in an interval of leaves."""

    first: np.ndarray
    """``(states + 1,)`` int32: the entries of state s are ``first[s]`` to ``first[s + 1]`` (not included)."""
    leaf: np.ndarray
    """``(entries,)`` int32."""
    score: np.ndarray
    """``(entries,)`` float32: language model and leaf together."""
    arc: np.ndarray
    """``(entries,)`` int32: the arc in the language model."""
    block: np.ndarray
    """``(blocks,)`` float32: the best of each 32 entries."""
    table: np.ndarray
    """``(states,)`` int32: the row of ``nodes`` that has the state's look-ahead, or -1."""
    nodes: np.ndarray
    """``(rows, nodes)`` float32."""
    root: np.ndarray
    """``(states,)`` float32: look-ahead of the root, ends of sentences included."""
    first_begin: np.ndarray
    """``(states + 1,)`` int32: how words may begin after each state, ``first_begin[s]`` to ``first_begin[s + 1]``."""
    begin_child: np.ndarray
    begin_entry: np.ndarray
    begin_score: np.ndarray
    """``(begins + 1,)``: the child of the root, the first entry below it, the best of the entries below it."""
    depth: int
    """How many states are on the longest way of back-offs."""


class FillerCosts(NamedTuple):
    """The costs of speech that is no word of the lexicon."""

    entry: float
    """Score of beginning a stretch of it."""
    phone: float
    """Score of each phone."""


class Space(NamedTuple):
    """All that the search reads."""

    tree: TreeArrays
    leaves: LeafArrays
    graph: GraphArrays
    ahead: LookAheadArrays
    fillers: FillerCosts
    branching: int
    """Nodes of the tree from here on are chains."""


def build_look_ahead(tree: TreeArrays, leaves: LeafArrays, graph: GraphArrays, branching: int) -> LookAheadArrays:
    """Sort the arcs of a language model by leaf, and find the best of every interval that the search will need.

    Args:
        tree: the tree; only its first ``branching`` nodes and their leaves count, chains look their word up.
        leaves: words and scores of the leaves.
        graph: the weighted language model.
        branching: nodes of the tree proper.
    """
    states = len(graph.back_off)
    count = int(tree.last_leaf[0])
    state, leaf, arc = _entries(leaves.word[:count], graph)
    score = (graph.score[arc] + leaves.score[leaf]).astype(np.float32)
    first = np.searchsorted(state, np.arange(states + 1)).astype(np.int32)

    entries = np.diff(first)
    candidates = np.flatnonzero((entries > _DENSE_ENTRIES) & (graph.back_off < 0))
    candidates = candidates[np.argsort(-entries[candidates], kind="stable")][: max(_DENSE_BYTES // (4 * branching), 1)]
    table = np.full(states, -1, np.int32)
    table[candidates] = np.arange(len(candidates))
    nodes = np.empty((len(candidates), branching), np.float32)
    # Every interval [first leaf, last leaf) at once: reduceat takes pairs, and the values between them are dropped.
    pairs = np.stack([tree.first_leaf[:branching], tree.last_leaf[:branching]], axis=1).ravel()
    for row, one in enumerate(candidates):
        of_leaf = np.full(count + 1, -np.inf, np.float32)
        some = slice(first[one], first[one + 1])
        np.maximum.at(of_leaf, leaf[some], score[some])
        nodes[row] = np.maximum.reduceat(of_leaf, pairs)[::2]

    starts = np.arange(0, len(score), _BLOCK)
    root = np.full(states, -np.inf)
    used = np.flatnonzero(entries)
    if len(used):
        root[used] = np.maximum.reduceat(score, first[used])
    depth_one = np.arange(tree.first_child[0], tree.last_child[0])
    child = np.repeat(depth_one, tree.last_leaf[depth_one] - tree.first_leaf[depth_one])[leaf]
    begins = np.flatnonzero(np.append(True, (np.diff(state) != 0) | (np.diff(child) != 0))[: len(state)])
    return LookAheadArrays(
        first,
        leaf,
        score,
        arc.astype(np.int32),
        np.maximum.reduceat(score, starts) if len(score) else score,
        table,
        nodes,
        np.maximum(root, graph.final).astype(np.float32),
        np.searchsorted(begins, first).astype(np.int32),
        child[begins].astype(np.int32),
        np.append(begins, len(score)).astype(np.int32),
        np.maximum.reduceat(score, begins) if len(score) else score,
        _depth(graph.back_off),
    )


def _entries(words: np.ndarray, graph: GraphArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return state, leaf and arc for each arc and leaf of the same word, sorted by state and leaf."""
    by_word = np.argsort(words, kind="stable")
    size = int(max(words.max(initial=-1), graph.word.max(initial=-1))) + 2
    first_of_word = np.searchsorted(words[by_word], np.arange(size))
    leaves_of_word = np.diff(np.append(first_of_word, len(words)))
    state = np.repeat(np.arange(len(graph.back_off)), np.diff(graph.first_arc))
    copies = leaves_of_word[graph.word]
    if copies.sum() > _MOST_ENTRIES:
        copies = np.where((copies > _MANY_LEAVES) & (graph.back_off[state] >= 0), 0, copies)
    arc = np.repeat(np.arange(len(copies)), copies)
    within = np.arange(len(arc)) - np.repeat(np.cumsum(copies) - copies, copies)
    leaf = by_word[first_of_word[graph.word[arc]] + within]
    order = np.argsort(state[arc] * (len(words) + 1) + leaf, kind="stable")
    return state[arc][order], leaf[order].astype(np.int32), arc[order]


def _depth(back_off: np.ndarray) -> int:
    depth, reached = 0, np.arange(len(back_off))
    while len(reached):
        reached = np.unique(back_off[reached])
        reached = reached[reached >= 0]
        depth += 1
    return depth


@kernel
def find_arc(first_arc, words, state, word):
    """Return the arc of a word from a state, -1 if there is none."""
    low, high = first_arc[state], first_arc[state + 1]
    stop = high
    while low < high:
        middle = (low + high) >> 1
        if words[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and words[low] == word else -1


@kernel
def not_before(leaves, low, high, leaf):
    """Return the first place in a sorted interval that has this leaf or a later one."""
    while high - low > _FEW:
        middle = (low + high) >> 1
        if leaves[middle] < leaf:
            low = middle + 1
        else:
            high = middle
    while low < high and leaves[low] < leaf:
        low += 1
    return low


@kernel
def best_entry(scores, blocks, low, high):
    """Return the best score of an interval of entries; ``blocks`` has the best of each 32."""
    best = -np.inf
    while low < high:
        if low % _BLOCK == 0 and low + _BLOCK <= high:
            best = max(best, blocks[low // _BLOCK])
            low += _BLOCK
        else:
            best = max(best, scores[low])
            low += 1
    return best


@kernel
def root_look_ahead(root, fillers, state):
    """Return the best that may come after a state. States from ``len(root)`` on stand after speech that is no word."""
    if state >= len(root):
        return fillers.phone
    return max(root[state], fillers.phone + fillers.entry)


@kernel
def chain_look_ahead(space, leaf, state):
    """Return the score of the only word of a chain after a state; -inf if the state does not know it."""
    graph, fillers = space.graph, space.fillers
    states = len(graph.back_off)
    word = space.leaves.word[leaf]
    if word == SILENCE:
        return root_look_ahead(space.ahead.root, fillers, state)
    if word == FILLER:
        return fillers.phone + (0.0 if state >= states else fillers.entry)
    if state >= states:
        return -np.inf
    arc = find_arc(graph.first_arc, graph.word, state, word)
    return -np.inf if arc < 0 else graph.score[arc] + space.leaves.score[leaf]
