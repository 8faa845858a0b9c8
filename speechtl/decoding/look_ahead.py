"""The grammar's best score for every interval of leaves: what the search looks ahead to."""

import numpy as np

from speechtl.decoding.prefix_tree import TreeArrays
from speechtl.decoding.token_passing import BLOCK, LeafArrays, LookAheadArrays
from speechtl.decoding.word_graph import GraphArrays

# A row over all nodes is kept for states that back off to nothing and have more entries than this, but not too many.
_DENSE_ENTRIES = 256
_DENSE_BYTES = 1 << 28
# Above so many entries, arcs of <unk> that many words share are left to the states that others back off to.
_MOST_ENTRIES = 20_000_000
_MANY_LEAVES = 64


def build_look_ahead(tree: TreeArrays, leaves: LeafArrays, graph: GraphArrays, branching: int) -> LookAheadArrays:
    """Sort the grammar's arcs by leaf and find the best of every interval that will be asked for.

    Args:
        tree: the tree; only its first ``branching`` nodes and their leaves count, chains look their word up.
        leaves: words and scores of the leaves.
        graph: the weighted grammar.
        branching: nodes of the tree proper.
    """
    states = len(graph.back_off)
    count = int(tree.last_leaf[0])
    words = leaves.word[:count]
    by_word = np.argsort(words, kind="stable")
    size = int(max(words.max(initial=-1), graph.word.max(initial=-1))) + 2
    first_of_word = np.searchsorted(words[by_word], np.arange(size))
    leaves_of_word = np.diff(np.append(first_of_word, count))

    state = np.repeat(np.arange(states), np.diff(graph.first_arc))
    copies = leaves_of_word[graph.word]
    if copies.sum() > _MOST_ENTRIES:
        copies = np.where((copies > _MANY_LEAVES) & (graph.back_off[state] >= 0), 0, copies)
    arc = np.repeat(np.arange(len(copies)), copies)
    within = np.arange(len(arc)) - np.repeat(np.cumsum(copies) - copies, copies)
    leaf = by_word[first_of_word[graph.word[arc]] + within]
    score = graph.score[arc] + leaves.score[leaf]
    state = state[arc]
    order = np.lexsort((leaf, state))
    state, leaf, score = state[order], leaf[order].astype(np.int32), score[order].astype(np.float32)
    first = np.searchsorted(state, np.arange(states + 1)).astype(np.int64)

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

    starts = np.minimum(np.arange(0, len(score), BLOCK), max(len(score) - 1, 0))
    block = np.maximum.reduceat(score, starts) if len(score) else np.zeros(0, np.float32)
    root = np.full(states, -np.inf)
    used = np.flatnonzero(entries)
    if len(used):
        root[used] = np.maximum.reduceat(score, first[used])
    depth_one = np.arange(tree.first_child[0], tree.last_child[0])
    begin = np.repeat(depth_one, tree.last_leaf[depth_one] - tree.first_leaf[depth_one]).astype(np.int32)
    return LookAheadArrays(
        first, leaf, score, block, table, nodes, np.maximum(root, graph.final).astype(np.float32), begin
    )
