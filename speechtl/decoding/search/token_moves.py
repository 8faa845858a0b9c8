"""The moves of tokens within a word: on to the next phone (see ``token_passing``)."""

import numpy as np

from speechtl.decoding.search.front import (
    AHEAD,
    BEFORE,
    BLANK,
    BLANK_LINK,
    FIRST,
    FIRST_CHILD,
    GROUPS,
    HIGH,
    HISTORY,
    LAST,
    LAST_CHILD,
    LINK,
    LOW,
    MOVE_HIGH,
    MOVE_LINK,
    MOVE_LOW,
    MOVE_NODE,
    NODE,
    PHONE,
    ROOT_BLANK_LINK,
    ROOT_LINK,
    ROOT_SECOND_LINK,
    SECOND,
    UNIT,
)
from speechtl.decoding.search.look_ahead import best_entry, chain_look_ahead, not_before
from speechtl.kernels.kernel import kernel, step


@kernel
def move_all(space, settings, frame, best, best_group, front, moves, histories):
    """Move all tokens on to the next phones.

    Args:
        space: Space.
        settings: Settings.
        frame: Frame.
        best: the best score of a token that stays.
        best_group: the group to begin with, so that the cutoff is near what it will be.
        front: Front.
        moves: Moves, to be filled.
        histories: Histories, used where these are not states.

    Returns:
        The best score after the moves.
    """
    beam = settings.beam
    moves.used[0] = 0
    for turn in range(-1, front.counts[GROUPS]):
        group = best_group if turn < 0 else turn
        if turn == best_group:
            continue
        state = front.groups[group, HISTORY]
        if settings.sequences:
            state = histories.state[state]
        moves.ranges[group, 0] = moves.used[0]
        either = max(front.group_scores[group, PHONE], front.group_scores[group, BLANK])
        begins = either >= frame.threshold and either + frame.likeliest >= best - beam
        if begins and state < len(space.ahead.table):
            best = _begin_words(space, beam, frame, best, front, group, state, moves)
        if begins or front.groups[group, FIRST] < front.groups[group, LAST]:
            best = _move_group(space, beam, frame, best, front, group, state, begins, moves)
        moves.ranges[group, 1] = moves.used[0]
    return best


@kernel
def _append(moves, node, link, low, high, score, ahead):
    """Add a move."""
    count = moves.used[0]
    moves.places[count, MOVE_NODE], moves.places[count, MOVE_LINK] = node, link
    moves.places[count, MOVE_LOW], moves.places[count, MOVE_HIGH] = low, high
    moves.scores[count, PHONE], moves.scores[count, AHEAD] = score, ahead
    moves.used[0] = count + 1


@kernel
def _begin(groups, group_scores, group, row, said):
    """Return the score of a phone that begins a word, and the link."""
    by_phone, by_blank = group_scores[group, PHONE], group_scores[group, BLANK]
    link = groups[group, ROOT_LINK]
    # The phone before may not be this one without a blank between.
    if groups[group, BEFORE] == said:
        by_phone, link = group_scores[group, SECOND], groups[group, ROOT_SECOND_LINK]
    if by_blank > by_phone:
        by_phone, link = by_blank, groups[group, ROOT_BLANK_LINK]
    return by_phone + row[said], link


@kernel
def _begin_words(space, beam, frame, best, front, group, state, moves):
    """Begin the words that a state has arcs for, but for chains; return the best score."""
    ahead, row = space.ahead, frame.row
    groups, group_scores = front.groups, front.group_scores
    either, root_look = max(group_scores[group, PHONE], group_scores[group, BLANK]), group_scores[group, AHEAD]
    for place in range(ahead.first_begin[state], ahead.first_begin[state + 1]):
        child, look = ahead.begin_child[place], ahead.begin_score[place]
        said = space.tree.unit[child]
        # No move can be better than this, and few are as good.
        most = either + row[said] + (look - root_look)
        if most < best - beam or most == -np.inf:
            continue
        score, link = _begin(groups, group_scores, group, row, said)
        score += look - root_look
        if score < best - beam or score == -np.inf:
            continue
        _append(moves, child, link, ahead.begin_entry[place], ahead.begin_entry[place + 1], score, look)
        best = max(best, score)
    return best


@kernel
def _move_group(space, beam, frame, best, front, group, state, begins, moves):
    """Move the tokens of a group, and begin the chains if words begin; return the best score."""
    root_children, tokens, scores = space.tree.root_children, front.tokens, front.scores
    token, last = front.groups[group, FIRST], front.groups[group, LAST]
    # Chains have the highest nodes, so they are the last tokens of a group, and begin between each other.
    chains = len(root_children)
    chain = space.tree.last_child[0] - space.tree.first_child[0] if begins else chains
    while token < last or chain < chains:
        if token < last and (
            chain == chains
            or tokens[token, NODE] < space.branching
            or tokens[token, FIRST_CHILD] < root_children[chain]
        ):
            either = max(scores[token, BLANK], scores[token, PHONE])
            if either >= frame.threshold and either + frame.likeliest >= best - beam:
                best = _move_token(space, beam, frame, best, front, token, state, moves)
            token += 1
        else:
            best = _begin_chain(space, beam, frame, best, front, group, state, root_children[chain], moves)
            chain += 1
    return best


@kernel
def _move_token(space, beam, frame, best, front, token, state, moves):
    """Move a token on to the children of its node; return the best score."""
    tree, ahead, row = space.tree, space.ahead, frame.row
    tokens, scores = front.tokens, front.scores
    dense = ahead.table[state] if state < len(ahead.table) else -1
    by_blank, by_phone = scores[token, BLANK], scores[token, PHONE]
    either, link = by_blank, tokens[token, BLANK_LINK]
    if by_phone > either:
        either, link = by_phone, tokens[token, LINK]
    unit, look, node = tokens[token, UNIT], scores[token, AHEAD], tokens[token, NODE]
    low, high = tokens[token, LOW], tokens[token, HIGH]
    for child in range(tokens[token, FIRST_CHILD], tokens[token, LAST_CHILD]):
        said = tree.unit[child]
        score, source = either + row[said], link
        if score < best - beam:
            continue
        if said == unit:
            # The same phone again needs a blank between.
            score, source = by_blank + row[said], tokens[token, BLANK_LINK]
            if score < best - beam:
                continue
        child_look, child_low, child_high = look, low, high
        first_leaf, last_leaf = tree.first_leaf[child], tree.last_leaf[child]
        if first_leaf != tree.first_leaf[node] or last_leaf != tree.last_leaf[node]:
            if dense >= 0:
                child_look = ahead.nodes[dense, child]
            else:
                child_low = not_before(ahead.leaf, low, high, first_leaf)
                child_high = not_before(ahead.leaf, child_low, high, last_leaf)
                if child_low != low or child_high != high:
                    child_look = best_entry(ahead.score, ahead.block, child_low, child_high)
            score += child_look - look
        if score < best - beam or score == -np.inf:
            continue
        _append(moves, child, source, child_low, child_high, score, child_look)
        best = max(best, score)
    return best


@step
def _begin_chain(space, beam, frame, best, front, group, state, child, moves):
    """Begin the word of a chain; return the best score."""
    tree, row = space.tree, frame.row
    score, link = _begin(front.groups, front.group_scores, group, row, tree.unit[child])
    if score < best - beam or score == -np.inf:
        return best
    look = chain_look_ahead(space, tree.first_leaf[child], state)
    score += look - front.group_scores[group, AHEAD]
    if score < best - beam or score == -np.inf:
        return best
    _append(moves, child, link, 0, 0, score, look)
    return max(best, score)
