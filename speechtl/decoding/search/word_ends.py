"""The ends of words in the search: from a leaf of the tree back to its root (see ``token_passing``)."""

from typing import NamedTuple

import numpy as np

from speechtl.decoding.search.front import (
    AHEAD,
    BEFORE,
    BLANK,
    FIRST,
    GROUPS,
    HIGH,
    HISTORY,
    LAST,
    LINK,
    LOW,
    NO_PHONE,
    NODE,
    PHONE,
    ROOT_LINK,
    ROOT_SECOND_LINK,
    SECOND,
    UNIT,
)
from speechtl.decoding.search.histories import history_of, number_of
from speechtl.decoding.search.look_ahead import find_arc, not_before, root_look_ahead
from speechtl.decoding.search.prefix_tree import FILLER, SILENCE
from speechtl.kernels.kernel import kernel

_NO_ARC = -1


class _WordEnd(NamedTuple):
    """A word that ends."""

    frame: int
    leaf: int
    unit: int
    """The last phone."""
    link: int
    """Of the word before."""
    words: int
    """For N-best lists, the number of the word sequence that ends with it."""


@kernel
def end_words(space, settings, frame, best, front, memory, ending):
    """Take the tokens at which words end to the root, in the groups of the histories that follow.

    All arrays have room for what may come.

    Args:
        space: Space.
        settings: Settings.
        frame: number of the frame.
        best: the best score of its tokens.
        front: Front, to which groups are added.
        memory: Memory: enders, where groups are found, links and histories.
        ending: number of enders.

    Returns:
        The best score.
    """
    enders, scores = memory.enders, front.scores
    _fill_finder(memory.finder, frame, front)
    for number in range(ending):
        token, group = enders[number, 0], enders[number, 1]
        if scores[token, PHONE] >= best - settings.beam:
            best = _end_token(space, settings, frame, best, front, memory, token, group)
    return best


@kernel
def _fill_finder(finder, frame, front):
    for group in range(front.counts[GROUPS]):
        place = _place(finder, frame, front.groups, front.groups[group, HISTORY])
        finder.stamp[place], finder.table[place] = frame, group


@kernel
def _place(finder, frame, groups, history):
    """Return where a history's group is in the table, or where it would be."""
    table, stamp = finder.table, finder.stamp
    mask = len(table) - 1
    mixed = np.uint64(history) * np.uint64(0x9E3779B97F4A7C15)
    place = np.int64(mixed >> np.uint64(33)) & mask
    while stamp[place] == frame and groups[table[place], HISTORY] != history:
        place = (place + 1) & mask
    return place


@kernel
def _end_token(space, settings, frame, best, front, memory, token, group):
    """End all words whose last phone a token has; return the best score."""
    tokens, scores, histories, fillers = front.tokens, front.scores, memory.histories, space.fillers
    states = len(space.graph.back_off)
    node, unit, link = tokens[token, NODE], tokens[token, UNIT], tokens[token, LINK]
    history = front.groups[group, HISTORY]
    state = histories.state[history] if settings.sequences else history
    for leaf in range(space.tree.first_leaf[node], space.tree.own_leaf[node]):
        word = space.leaves.word[leaf]
        if word == SILENCE:
            gain, next_state = 0.0, state
        elif word == FILLER:
            gain = fillers.phone + (0.0 if state >= states else fillers.entry)
            next_state = state if state >= states else states + space.graph.after_unknown[state]
        else:
            arc = _arc_of(space, tokens, token, state, leaf)
            if arc == _NO_ARC:
                continue
            gain = space.graph.score[arc] + space.leaves.score[leaf]
            next_state = space.graph.target[arc]
        reached = scores[token, PHONE] - scores[token, AHEAD] + gain
        words = 0
        if settings.sequences:
            words = histories.words[history]
            if word != SILENCE:
                words = number_of(histories.sequences, words, space.leaves.identity[leaf])
        end = _WordEnd(frame, leaf, unit, link, words)
        best = _reach(space, settings, best, front, memory, end, reached, gain, next_state)
    return best


@kernel
def _arc_of(space, tokens, token, state, leaf):
    """Return the arc of a leaf's word from a state, -1 if there is none."""
    word, ahead = space.leaves.word[leaf], space.ahead
    if tokens[token, NODE] >= space.branching:
        return find_arc(space.graph.first_arc, space.graph.word, state, word)
    low, high = tokens[token, LOW], tokens[token, HIGH]
    if ahead.table[state] >= 0:
        low, high = ahead.first[state], ahead.first[state + 1]
    # A state that knows all words has an entry for every leaf.
    if high - low <= leaf or ahead.leaf[low + leaf] != leaf:
        low = not_before(ahead.leaf, low, high, leaf)
        if low == high or ahead.leaf[low] != leaf:
            return _NO_ARC
    else:
        low += leaf
    return ahead.arc[low]


@kernel
def _reach(space, settings, best, front, memory, end, reached, gain, state):
    """Put a token into the state after a word, and into those that it backs off to; return the best score."""
    graph, states = space.graph, len(space.graph.back_off)
    silence = space.leaves.word[end.leaf] == SILENCE
    while True:
        look = root_look_ahead(space.ahead.root, space.fillers, state)
        score = reached + look
        if score >= best - settings.beam and score > -np.inf:
            history = history_of(memory.histories, end.words, state) if settings.sequences else state
            group = _group_of(front, memory.finder, end.frame, history, look)
            if _enter(front, memory.links, group, end, score, gain):
                best = max(best, score)
        if silence:
            break
        if state >= states:
            # After speech that is no word, words follow as after the state itself.
            state -= states
        elif graph.back_off[state] >= 0:
            reached += graph.back_off_score[state]
            gain += graph.back_off_score[state]
            state = graph.back_off[state]
        else:
            break
    return best


@kernel
def _group_of(front, finder, frame, history, look):
    """Return the group of a history; a new one is empty."""
    groups, group_scores = front.groups, front.group_scores
    place = _place(finder, frame, groups, history)
    if finder.stamp[place] != frame:
        group = front.counts[GROUPS]
        finder.stamp[place], finder.table[place] = frame, group
        groups[group, HISTORY], groups[group, BEFORE] = history, NO_PHONE
        groups[group, FIRST] = groups[group, LAST] = 0
        group_scores[group, PHONE] = group_scores[group, BLANK] = group_scores[group, SECOND] = -np.inf
        group_scores[group, AHEAD] = look
        front.counts[GROUPS] = group + 1
    return finder.table[place]


@kernel
def _enter(front, links, group, end, score, gain):
    """Put a token at the root if it is one of the two best of its group with different phones; return whether it is."""
    groups, group_scores = front.groups, front.group_scores
    by_phone, phone = group_scores[group, PHONE], groups[group, BEFORE]
    if not (score > by_phone or (end.unit != phone and score > group_scores[group, SECOND])):
        return False
    link = links.used[0]
    links.before[link], links.leaf[link], links.frame[link] = end.link, end.leaf, end.frame
    links.graph[link] = links.graph[end.link] + gain
    links.used[0] = link + 1
    if score > by_phone:
        if end.unit != phone:
            group_scores[group, SECOND] = by_phone
            groups[group, ROOT_SECOND_LINK] = groups[group, ROOT_LINK]
        group_scores[group, PHONE] = score
        groups[group, ROOT_LINK], groups[group, BEFORE] = link, end.unit
    else:
        group_scores[group, SECOND], groups[group, ROOT_SECOND_LINK] = score, link
    return True
