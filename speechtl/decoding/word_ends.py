"""The ends of words in the search: from a leaf of the tree back to its root (see ``token_passing``)."""

from typing import NamedTuple

import numpy as np
from numba import njit

from speechtl.decoding.look_ahead import find_arc, not_before, root_look_ahead
from speechtl.decoding.prefix_tree import FILLER, SILENCE
from speechtl.decoding.token_moves import (
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


@njit(nogil=True, cache=True)
def _place(table, stamp, frame, groups, history):
    """Return where a history's group is in the table, or where it would be."""
    mask = len(table) - 1
    mixed = np.uint64(history) * np.uint64(0x9E3779B97F4A7C15)
    place = np.int64(mixed >> np.uint64(33)) & mask
    while stamp[place] == frame and groups[table[place], HISTORY] != history:
        place = (place + 1) & mask
    return place


@njit(nogil=True, cache=True)
def end_words(
    tree,
    leaves,
    graph,
    ahead,
    fillers,
    branching,
    frame,
    best,
    beam,
    tokens,
    scores,
    groups,
    group_scores,
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

    Returns:
        The best score, and the numbers of groups, links, histories and word sequences.
    """
    states = len(graph.back_off)
    for group in range(group_count):
        place = _place(table, stamp, frame, groups, groups[group, HISTORY])
        stamp[place], table[place] = frame, group
    for number in range(ending):
        token, group = enders[number, 0], enders[number, 1]
        if scores[token, PHONE] < best - beam:
            continue
        node, unit, source_link = tokens[token, NODE], tokens[token, UNIT], tokens[token, LINK]
        history = groups[group, HISTORY]
        state = histories.state[history] if sequences else history
        for leaf in range(tree.first_leaf[node], tree.own_leaf[node]):
            word = leaves.word[leaf]
            if word == SILENCE:
                gain, next_state = 0.0, state
            elif word == FILLER:
                gain = fillers.phone + (0.0 if state >= states else fillers.entry)
                next_state = state if state >= states else states + graph.after_unknown[state]
            else:
                if node >= branching:
                    arc = find_arc(graph, state, word)
                    if arc < 0:
                        continue
                else:
                    low, high = tokens[token, LOW], tokens[token, HIGH]
                    if ahead.table[state] >= 0:
                        low, high = ahead.first[state], ahead.first[state + 1]
                    # A state that knows all words has an entry for every leaf.
                    if high - low <= leaf or ahead.leaf[low + leaf] != leaf:
                        low = not_before(ahead.leaf, low, high, leaf)
                        if low == high or ahead.leaf[low] != leaf:
                            continue
                    else:
                        low += leaf
                    arc = ahead.arc[low]
                gain, next_state = graph.score[arc] + leaves.score[leaf], graph.target[arc]
            reached = scores[token, PHONE] - scores[token, AHEAD] + gain
            words = 0
            if sequences:
                words = histories.words[history]
                if word != SILENCE:
                    pair = (np.int64(words) << 32) | np.int64(leaves.identity[leaf] & 0xFFFFFFFF)
                    if pair not in numbers_of_words:
                        numbers_of_words[pair] = np.int32(sequence_count)
                        sequence_count += 1
                    words = numbers_of_words[pair]
            # The state after the word, and those that it backs off to.
            while True:
                look = root_look_ahead(ahead, fillers, states, next_state)
                score = reached + look
                if score >= best - beam and score > -np.inf:
                    next_history = next_state
                    if sequences:
                        pair = (np.int64(words) << 32) | np.int64(next_state)
                        if pair not in numbers_of_histories:
                            (histories.state[history_count], histories.words[history_count]) = next_state, words
                            numbers_of_histories[pair] = np.int32(history_count)
                            history_count += 1
                        next_history = numbers_of_histories[pair]
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
                        links.before[link_count], links.leaf[link_count] = source_link, leaf
                        links.frame[link_count], links.graph[link_count] = frame, links.graph[source_link] + gain
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
                elif graph.back_off[next_state] >= 0:
                    reached += graph.back_off_score[next_state]
                    gain += graph.back_off_score[next_state]
                    next_state = graph.back_off[next_state]
                else:
                    break
    return best, group_count, link_count, history_count, sequence_count
