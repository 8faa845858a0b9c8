"""The ends of words in the search: from a leaf of the tree back to its root (see ``token_passing``)."""

from typing import NamedTuple

import numpy as np

from speechtl.decoding.search.kernel import kernel
from speechtl.decoding.search.look_ahead import find_arc, not_before, root_look_ahead
from speechtl.decoding.search.prefix_tree import FILLER, SILENCE
from speechtl.decoding.search.token_moves import (
    AHEAD,
    BEFORE,
    BLANK,
    FIRST,
    HIGH,
    HISTORY,
    LAST,
    LINK,
    LOW,
    NODE,
    PHONE,
    ROOT_LINK,
    ROOT_SECOND_LINK,
    SECOND,
    UNIT,
)


class Links(NamedTuple):
    """Chains back in time, one link for each word."""

    before: np.ndarray
    leaf: np.ndarray
    frame: np.ndarray
    graph: np.ndarray
    """The score of grammar and lexicon up to here."""


class Histories(NamedTuple):
    """For N-best lists a history is a pair of a state and a word sequence; both have numbers."""

    state: np.ndarray
    words: np.ndarray


class Numbers(NamedTuple):
    """A hash table from pairs of numbers to numbers; its length is a power of two."""

    pair: np.ndarray
    """``(places,)`` int64."""
    number: np.ndarray
    """``(places,)`` int32, -1 where nothing is."""


@kernel
def number_of(numbers, first, second, free):
    """Return the number of a pair of int32; one that is new gets the number ``free``."""
    pair = (np.int64(first) << 32) | np.int64(second & 0xFFFFFFFF)
    mask = len(numbers.pair) - 1
    place = np.int64((np.uint64(pair) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(33)) & mask
    while numbers.number[place] >= 0 and numbers.pair[place] != pair:
        place = (place + 1) & mask
    if numbers.number[place] < 0:
        numbers.pair[place], numbers.number[place] = pair, free
    return numbers.number[place]


@kernel
def _place(table, stamp, frame, groups, history):
    """Return where a history's group is in the table, or where it would be."""
    mask = len(table) - 1
    mixed = np.uint64(history) * np.uint64(0x9E3779B97F4A7C15)
    place = np.int64(mixed >> np.uint64(33)) & mask
    while stamp[place] == frame and groups[table[place], HISTORY] != history:
        place = (place + 1) & mask
    return place


@kernel
def end_words(
    space,
    frame,
    best,
    beam,
    front,
    group_count,
    enders,
    ending,
    table,
    stamp,
    links,
    link_count,
    histories,
    history_count,
    sequence_count,
    numbers_of_words,
    numbers_of_histories,
    sequences,
):
    """Take the tokens at which words end to the root, in the groups of the histories that follow.

    All arrays have room for what may come.

    Args:
        space: Space.
        frame: number of the frame.
        best: the best score of its tokens.
        beam: what scores this much less is dropped.
        front: Front.
        group_count: of the front.
        enders: token and group of the tokens at which words end.
        ending: how many these are.
        table: where groups are found by history; its length is a power of two.
        stamp: the frame in which each place of the table was filled.
        links: Links.
        link_count: of them.
        histories: Histories, used with ``sequences`` alone, as are the next four.
        history_count: of them.
        sequence_count: how many word sequences there are.
        numbers_of_words: Numbers, words before and word -> number of the sequence.
        numbers_of_histories: Numbers, sequence and state -> number of the history.
        sequences: True keeps histories of different words apart.

    Returns:
        The best score, and the numbers of groups, links, histories and word sequences.
    """
    tree, graph, ahead, fillers, branching = space.tree, space.graph, space.ahead, space.fillers, space.branching
    first_leaves, own_leaves = tree.first_leaf, tree.own_leaf
    words_of, identities, leaf_scores = space.leaves.word, space.leaves.identity, space.leaves.score
    first_arc, arc_words, arc_scores, targets = graph.first_arc, graph.word, graph.score, graph.target
    back_off, back_off_score, after_unknown = graph.back_off, graph.back_off_score, graph.after_unknown
    dense, first_entry, entry_leaf, entry_arc, root = ahead.table, ahead.first, ahead.leaf, ahead.arc, ahead.root
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    link_before, link_leaf, link_frame, link_graph = links.before, links.leaf, links.frame, links.graph
    history_state, history_words = histories.state, histories.words

    states = len(back_off)
    for group in range(group_count):
        place = _place(table, stamp, frame, groups, groups[group, HISTORY])
        stamp[place], table[place] = frame, group
    for number in range(ending):
        token, group = enders[number, 0], enders[number, 1]
        if scores[token, PHONE] < best - beam:
            continue
        node, unit, source_link = tokens[token, NODE], tokens[token, UNIT], tokens[token, LINK]
        history = groups[group, HISTORY]
        state = history_state[history] if sequences else history
        for leaf in range(first_leaves[node], own_leaves[node]):
            word = words_of[leaf]
            if word == SILENCE:
                gain, next_state = 0.0, state
            elif word == FILLER:
                gain = fillers.phone + (0.0 if state >= states else fillers.entry)
                next_state = state if state >= states else states + after_unknown[state]
            else:
                if node >= branching:
                    arc = find_arc(first_arc, arc_words, state, word)
                    if arc < 0:
                        continue
                else:
                    low, high = tokens[token, LOW], tokens[token, HIGH]
                    if dense[state] >= 0:
                        low, high = first_entry[state], first_entry[state + 1]
                    # A state that knows all words has an entry for every leaf.
                    if high - low <= leaf or entry_leaf[low + leaf] != leaf:
                        low = not_before(entry_leaf, low, high, leaf)
                        if low == high or entry_leaf[low] != leaf:
                            continue
                    else:
                        low += leaf
                    arc = entry_arc[low]
                gain, next_state = arc_scores[arc] + leaf_scores[leaf], targets[arc]
            reached = scores[token, PHONE] - scores[token, AHEAD] + gain
            words = 0
            if sequences:
                words = history_words[history]
                if word != SILENCE:
                    words = number_of(numbers_of_words, words, identities[leaf], sequence_count)
                    sequence_count += words == sequence_count
            # The state after the word, and those that it backs off to.
            while True:
                look = root_look_ahead(root, fillers, next_state)
                score = reached + look
                if score >= best - beam and score > -np.inf:
                    next_history = next_state
                    if sequences:
                        next_history = number_of(numbers_of_histories, words, next_state, history_count)
                        if next_history == history_count:
                            history_state[history_count], history_words[history_count] = next_state, words
                            history_count += 1
                    place = _place(table, stamp, frame, groups, next_history)
                    if stamp[place] != frame:
                        stamp[place], table[place] = frame, group_count
                        groups[group_count, HISTORY], groups[group_count, BEFORE] = next_history, -1
                        groups[group_count, FIRST] = groups[group_count, LAST] = 0
                        group_scores[group_count, PHONE] = group_scores[group_count, BLANK] = -np.inf
                        (group_scores[group_count, SECOND], group_scores[group_count, AHEAD]) = -np.inf, look
                        group_count += 1
                    other = table[place]
                    by_phone, phone = group_scores[other, PHONE], groups[other, BEFORE]
                    if score > by_phone or (unit != phone and score > group_scores[other, SECOND]):
                        link_before[link_count], link_leaf[link_count] = source_link, leaf
                        link_frame[link_count], link_graph[link_count] = frame, link_graph[source_link] + gain
                        if score > by_phone:
                            if unit != phone:
                                group_scores[other, SECOND] = by_phone
                                groups[other, ROOT_SECOND_LINK] = groups[other, ROOT_LINK]
                            group_scores[other, PHONE] = score
                            groups[other, ROOT_LINK], groups[other, BEFORE] = link_count, unit
                        else:
                            (group_scores[other, SECOND], groups[other, ROOT_SECOND_LINK]) = score, link_count
                        link_count += 1
                        best = max(best, score)
                if word == SILENCE:
                    break
                if next_state >= states:
                    # After speech that is no word, words follow as after the state itself.
                    next_state -= states
                elif back_off[next_state] >= 0:
                    reached += back_off_score[next_state]
                    gain += back_off_score[next_state]
                    next_state = back_off[next_state]
                else:
                    break
    return best, group_count, link_count, history_count, sequence_count
