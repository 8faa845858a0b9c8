"""The moves of tokens within a word: on to the next phone, or staying (see ``token_passing``)."""

import numpy as np
from numba import njit

from speechtl.decoding.look_ahead import best_entry, chain_look_ahead, not_before

# Columns of tokens: where a token is, the entries of its state that are below it, and its links.
NODE, UNIT, FIRST_CHILD, LAST_CHILD, LOW, HIGH, LINK, BLANK_LINK = range(8)
# Columns of groups: all tokens of one history, the one at the root in the group itself.
HISTORY, FIRST, LAST, BEFORE, ROOT_LINK, ROOT_BLANK_LINK, ROOT_SECOND_LINK = range(7)
# Columns of scores, of tokens and of groups.
PHONE, BLANK, AHEAD, SECOND = range(4)
# Columns of moves; those of scores are PHONE and AHEAD.
MOVE_NODE, MOVE_LOW, MOVE_HIGH, MOVE_LINK = range(4)


@njit(nogil=True, cache=True, inline="always")
def _move_on(tree, ahead, row, state, dense, tokens, scores, token, moves, move_scores, count, best, beam):
    """Move a token to the children of its node; return the number of moves and the best score so far."""
    by_blank = scores[token, BLANK]
    either, link = by_blank, tokens[token, BLANK_LINK]
    if scores[token, PHONE] > either:
        either, link = scores[token, PHONE], tokens[token, LINK]
    unit, look = tokens[token, UNIT], scores[token, AHEAD]
    node, low, high = tokens[token, NODE], tokens[token, LOW], tokens[token, HIGH]
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
                    child_look = best_entry(ahead, child_low, child_high)
            score += child_look - look
        if score < best - beam or score == -np.inf:
            continue
        moves[count, MOVE_NODE], moves[count, MOVE_LINK] = child, source
        moves[count, MOVE_LOW], moves[count, MOVE_HIGH] = child_low, child_high
        move_scores[count, PHONE], move_scores[count, AHEAD] = score, child_look
        count += 1
        best = max(best, score)
    return count, best


@njit(nogil=True, cache=True, inline="always")
def _begin(groups, group_scores, group, row, said):
    """Return the score of saying a phone at the root, and the link."""
    by_phone, by_blank = group_scores[group, PHONE], group_scores[group, BLANK]
    link = groups[group, ROOT_LINK]
    # The phone before may not be this one without a blank between.
    if groups[group, BEFORE] == said:
        by_phone, link = group_scores[group, SECOND], groups[group, ROOT_SECOND_LINK]
    if by_blank > by_phone:
        by_phone, link = by_blank, groups[group, ROOT_BLANK_LINK]
    return by_phone + row[said], link


@njit(nogil=True, cache=True)
def move_all(
    tree,
    leaves,
    graph,
    ahead,
    fillers,
    branching,
    row,
    likeliest,
    threshold,
    beam,
    best,
    best_group,
    states_of,
    tokens,
    scores,
    groups,
    group_scores,
    group_count,
    ranges,
    moves,
    move_scores,
):
    """Move all tokens on to the next phones.

    ``row`` has the frame's scores, ``likeliest`` is the best of its phones. Tokens below ``threshold`` do not move.
    ``best`` is the best score of a token that stays, ``best_group`` the group to begin with, so that the cutoff is near
    what it will be. ``states_of`` gives the state of each history, and is empty where histories are states. ``ranges``
    is filled with where each group's moves are in ``moves`` and ``move_scores``, in the order of nodes. The rest is as
    in `search`.

    Returns:
        The number of moves, and the best score after them.
    """
    states, branches = len(graph.back_off), tree.last_child[0] - tree.first_child[0]
    count = 0
    for turn in range(-1, group_count):
        group = best_group if turn < 0 else turn
        if turn == best_group:
            continue
        ranges[group, 0] = ranges[group, 1] = count
        state = groups[group, HISTORY]
        if len(states_of):
            state = states_of[state]
        dense = ahead.table[state] if state < states else -1
        token, last = groups[group, FIRST], groups[group, LAST]

        either = max(group_scores[group, PHONE], group_scores[group, BLANK])
        begins = either >= threshold and either + likeliest >= best - beam
        root_look = group_scores[group, AHEAD]
        if begins and state < states:
            for place in range(ahead.first_begin[state], ahead.first_begin[state + 1]):
                child = ahead.begin_child[place]
                said = tree.unit[child]
                if either + row[said] < best - beam:
                    continue
                score, link = _begin(groups, group_scores, group, row, said)
                score += ahead.begin_score[place] - root_look
                if score < best - beam or score == -np.inf:
                    continue
                moves[count, MOVE_NODE], moves[count, MOVE_LINK] = child, link
                moves[count, MOVE_LOW], moves[count, MOVE_HIGH] = (
                    ahead.begin_entry[place],
                    ahead.begin_entry[place + 1],
                )
                move_scores[count, PHONE], move_scores[count, AHEAD] = score, ahead.begin_score[place]
                count += 1
                best = max(best, score)
        # Chains have the highest nodes, so they are the last tokens of a group, and begin between each other.
        chain = branches if begins else len(tree.root_children)
        while token < last or chain < len(tree.root_children):
            if token < last and (
                chain == len(tree.root_children)
                or tokens[token, NODE] < branching
                or tokens[token, FIRST_CHILD] < tree.root_children[chain]
            ):
                either = max(scores[token, PHONE], scores[token, BLANK])
                if either >= threshold and either + likeliest >= best - beam:
                    count, best = _move_on(
                        tree, ahead, row, state, dense, tokens, scores, token, moves, move_scores, count, best, beam
                    )
                token += 1
                continue
            child = tree.root_children[chain]
            chain += 1
            said = tree.unit[child]
            score, link = _begin(groups, group_scores, group, row, said)
            if score < best - beam or score == -np.inf:
                continue
            look = chain_look_ahead(leaves, graph, ahead, fillers, tree.first_leaf[child], state)
            score += look - root_look
            if score < best - beam or score == -np.inf:
                continue
            moves[count, MOVE_NODE], moves[count, MOVE_LINK] = child, link
            moves[count, MOVE_LOW] = moves[count, MOVE_HIGH] = 0
            move_scores[count, PHONE], move_scores[count, AHEAD] = score, look
            count += 1
            best = max(best, score)
        ranges[group, 1] = count
    return count, best


@njit(nogil=True, cache=True)
def merge_all(
    tree,
    row,
    cutoff,
    old_tokens,
    old_scores,
    old_groups,
    old_group_scores,
    old_group_count,
    ranges,
    moves,
    move_scores,
    tokens,
    scores,
    groups,
    group_scores,
    enders,
):
    """Let tokens stay, and put those that moved beside them, in the order of nodes.

    What scores less than ``cutoff`` is dropped. ``enders`` is filled with token and group of the tokens at which words
    end in this frame. The rest is as in `move_all`.

    Returns:
        The numbers of tokens, groups and enders, and how many pronunciations end at the enders.
    """
    count = group_count = ending = endings = 0
    blank = row[0]
    for old in range(old_group_count):
        begin = count
        token, last = old_groups[old, FIRST], old_groups[old, LAST]
        move, last_move = ranges[old, 0], ranges[old, 1]
        while token < last or move < last_move:
            # What comes first: a token that stays, one that moved, or both at the same node.
            if move == last_move or (token < last and old_tokens[token, NODE] <= moves[move, MOVE_NODE]):
                by_phone, by_blank = old_scores[token, PHONE], old_scores[token, BLANK]
                rest, rest_link = by_blank, old_tokens[token, BLANK_LINK]
                if by_phone > rest:
                    rest, rest_link = by_phone, old_tokens[token, LINK]
                rest += blank
                # A blank at a node without children leads nowhere: its word ended with the phone.
                if old_tokens[token, FIRST_CHILD] == old_tokens[token, LAST_CHILD]:
                    rest = -np.inf
                again, link = by_phone + row[old_tokens[token, UNIT]], old_tokens[token, LINK]
                node = old_tokens[token, NODE]
                if move < last_move and moves[move, MOVE_NODE] == node:
                    if move_scores[move, PHONE] > again:
                        again, link = move_scores[move, PHONE], moves[move, MOVE_LINK]
                    move += 1
                token += 1
                if not max(again, rest) >= cutoff:
                    continue
                for column in range(LINK):
                    tokens[count, column] = old_tokens[token - 1, column]
                tokens[count, LINK], tokens[count, BLANK_LINK] = link, rest_link
                scores[count, PHONE], scores[count, BLANK] = again, rest
                scores[count, AHEAD] = old_scores[token - 1, AHEAD]
            else:
                move += 1
                again, node = move_scores[move - 1, PHONE], moves[move - 1, MOVE_NODE]
                if not again >= cutoff:
                    continue
                tokens[count, NODE], tokens[count, UNIT] = node, tree.unit[node]
                tokens[count, FIRST_CHILD], tokens[count, LAST_CHILD] = tree.first_child[node], tree.last_child[node]
                tokens[count, LOW], tokens[count, HIGH] = moves[move - 1, MOVE_LOW], moves[move - 1, MOVE_HIGH]
                tokens[count, LINK] = tokens[count, BLANK_LINK] = moves[move - 1, MOVE_LINK]
                scores[count, PHONE], scores[count, BLANK] = again, -np.inf
                scores[count, AHEAD] = move_scores[move - 1, AHEAD]
            if again >= cutoff and tree.own_leaf[node] != tree.first_leaf[node]:
                enders[ending, 0], enders[ending, 1] = count, group_count
                endings += tree.own_leaf[node] - tree.first_leaf[node]
                ending += 1
            count += 1
        rest, rest_link = old_group_scores[old, BLANK], old_groups[old, ROOT_BLANK_LINK]
        if old_group_scores[old, PHONE] > rest:
            rest, rest_link = old_group_scores[old, PHONE], old_groups[old, ROOT_LINK]
        rest += blank
        if not rest >= cutoff:
            rest = -np.inf
            if count == begin:
                continue
        groups[group_count, HISTORY], groups[group_count, BEFORE] = old_groups[old, HISTORY], -1
        groups[group_count, FIRST], groups[group_count, LAST] = begin, count
        groups[group_count, ROOT_BLANK_LINK] = rest_link
        group_scores[group_count, PHONE] = group_scores[group_count, SECOND] = -np.inf
        group_scores[group_count, BLANK] = rest
        group_scores[group_count, AHEAD] = old_group_scores[old, AHEAD]
        group_count += 1
    return count, group_count, ending, endings
