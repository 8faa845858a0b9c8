"""The moves of tokens within a word: on to the next phone, or staying (see ``token_passing``)."""

from typing import NamedTuple

import numpy as np

from speechtl.decoding.search.kernel import kernel
from speechtl.decoding.search.look_ahead import best_entry, chain_look_ahead, not_before

# Columns of tokens: where a token is, the entries of its state that are below it, and its links.
NODE, UNIT, FIRST_CHILD, LAST_CHILD, LOW, HIGH, LINK, BLANK_LINK = range(8)
# Columns of groups: all tokens of one history, the one at the root in the group itself.
HISTORY, FIRST, LAST, BEFORE, ROOT_LINK, ROOT_BLANK_LINK, ROOT_SECOND_LINK = range(7)
# Columns of scores, of tokens and of groups.
PHONE, BLANK, AHEAD, SECOND = range(4)
# Columns of moves; those of scores are PHONE and AHEAD.
MOVE_NODE, MOVE_LOW, MOVE_HIGH, MOVE_LINK = range(4)


class Front(NamedTuple):
    """All tokens of a frame."""

    tokens: np.ndarray
    """``(tokens, 8)`` int32."""
    scores: np.ndarray
    """``(tokens, 3)`` float64: PHONE, BLANK and AHEAD."""
    groups: np.ndarray
    """``(groups, 7)`` int32."""
    group_scores: np.ndarray
    """``(groups, 4)`` float64."""


class Moves(NamedTuple):
    """What moves on in a frame."""

    ranges: np.ndarray
    """``(groups, 2)`` int32: where each group's moves are, in the order of nodes."""
    places: np.ndarray
    """``(moves, 4)`` int32."""
    scores: np.ndarray
    """``(moves, 3)`` float64: PHONE and AHEAD."""


@kernel
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


@kernel
def move_all(space, row, likeliest, threshold, beam, best, best_group, states_of, sequences, front, group_count, moves):
    """Move all tokens on to the next phones.

    Args:
        space: Space.
        row: the frame's scores.
        likeliest: the best of its phones.
        threshold: tokens below it do not move.
        beam: moves this much below the best are dropped.
        best: the best score of a token that stays.
        best_group: the group to begin with, so that the cutoff is near what it will be.
        states_of: the state of each history, used with ``sequences``.
        sequences: False where histories are states.
        front: Front.
        group_count: of the front.
        moves: Moves, to be filled.

    Returns:
        The number of moves, and the best score after them.
    """
    tree, ahead = space.tree, space.ahead
    units, first_leaves, last_leaves, root_children = tree.unit, tree.first_leaf, tree.last_leaf, tree.root_children
    table, dense_nodes, entry_leaf, entry_score, block = ahead.table, ahead.nodes, ahead.leaf, ahead.score, ahead.block
    first_begin, begin_child, begin_entry = ahead.first_begin, ahead.begin_child, ahead.begin_entry
    begin_score = ahead.begin_score
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    ranges, places, move_scores = moves.ranges, moves.places, moves.scores

    states, branching, branches = len(table), space.branching, tree.last_child[0] - tree.first_child[0]
    chains = len(root_children)
    count = 0
    for turn in range(-1, group_count):
        group = best_group if turn < 0 else turn
        if turn == best_group:
            continue
        ranges[group, 0] = ranges[group, 1] = count
        state = groups[group, HISTORY]
        if sequences:
            state = states_of[state]
        dense = table[state] if state < states else -1
        token, last = groups[group, FIRST], groups[group, LAST]

        either = max(group_scores[group, PHONE], group_scores[group, BLANK])
        begins = either >= threshold and either + likeliest >= best - beam
        root_look = group_scores[group, AHEAD]
        if begins and state < states:
            for place in range(first_begin[state], first_begin[state + 1]):
                child = begin_child[place]
                said = units[child]
                # No move can be better than this, and few are as good.
                most = either + row[said] + (begin_score[place] - root_look)
                if most < best - beam or most == -np.inf:
                    continue
                score, link = _begin(groups, group_scores, group, row, said)
                score += begin_score[place] - root_look
                if score < best - beam or score == -np.inf:
                    continue
                places[count, MOVE_NODE], places[count, MOVE_LINK] = child, link
                places[count, MOVE_LOW], places[count, MOVE_HIGH] = begin_entry[place], begin_entry[place + 1]
                move_scores[count, PHONE], move_scores[count, AHEAD] = score, begin_score[place]
                count += 1
                best = max(best, score)
        # Chains have the highest nodes, so they are the last tokens of a group, and begin between each other.
        chain = branches if begins else chains
        while token < last or chain < chains:
            if token < last and (
                chain == chains or tokens[token, NODE] < branching or tokens[token, FIRST_CHILD] < root_children[chain]
            ):
                by_blank, by_phone = scores[token, BLANK], scores[token, PHONE]
                either, link = by_blank, tokens[token, BLANK_LINK]
                if by_phone > either:
                    either, link = by_phone, tokens[token, LINK]
                token += 1
                if not (either >= threshold and either + likeliest >= best - beam):
                    continue
                here = token - 1
                unit, look, node = tokens[here, UNIT], scores[here, AHEAD], tokens[here, NODE]
                low, high = tokens[here, LOW], tokens[here, HIGH]
                for child in range(tokens[here, FIRST_CHILD], tokens[here, LAST_CHILD]):
                    said = units[child]
                    score, source = either + row[said], link
                    if score < best - beam:
                        continue
                    if said == unit:
                        # The same phone again needs a blank between.
                        score, source = by_blank + row[said], tokens[here, BLANK_LINK]
                        if score < best - beam:
                            continue
                    child_look, child_low, child_high = look, low, high
                    first_leaf, last_leaf = first_leaves[child], last_leaves[child]
                    if first_leaf != first_leaves[node] or last_leaf != last_leaves[node]:
                        if dense >= 0:
                            child_look = dense_nodes[dense, child]
                        else:
                            child_low = not_before(entry_leaf, low, high, first_leaf)
                            child_high = not_before(entry_leaf, child_low, high, last_leaf)
                            if child_low != low or child_high != high:
                                child_look = best_entry(entry_score, block, child_low, child_high)
                        score += child_look - look
                    if score < best - beam or score == -np.inf:
                        continue
                    places[count, MOVE_NODE], places[count, MOVE_LINK] = child, source
                    places[count, MOVE_LOW], places[count, MOVE_HIGH] = child_low, child_high
                    move_scores[count, PHONE], move_scores[count, AHEAD] = score, child_look
                    count += 1
                    best = max(best, score)
                continue
            child = root_children[chain]
            chain += 1
            score, link = _begin(groups, group_scores, group, row, units[child])
            if score < best - beam or score == -np.inf:
                continue
            look = chain_look_ahead(space, first_leaves[child], state)
            score += look - root_look
            if score < best - beam or score == -np.inf:
                continue
            places[count, MOVE_NODE], places[count, MOVE_LINK] = child, link
            places[count, MOVE_LOW] = places[count, MOVE_HIGH] = 0
            move_scores[count, PHONE], move_scores[count, AHEAD] = score, look
            count += 1
            best = max(best, score)
        ranges[group, 1] = count
    return count, best


@kernel
def merge_all(tree, row, cutoff, old, old_group_count, moves, new, enders):
    """Let tokens stay, and put those that moved beside them, in the order of nodes.

    Args:
        tree: TreeArrays.
        row: the frame's scores.
        cutoff: what scores less is dropped.
        old: Front, of the frame before.
        old_group_count: of it.
        moves: Moves.
        new: Front, to be filled.
        enders: to be filled with token and group of the tokens at which words end in this frame.

    Returns:
        The numbers of tokens, groups and enders, and how many pronunciations end at the enders.
    """
    units, first_children, last_children = tree.unit, tree.first_child, tree.last_child
    first_leaves, own_leaves = tree.first_leaf, tree.own_leaf
    old_tokens, old_scores, old_groups, old_group_scores = old.tokens, old.scores, old.groups, old.group_scores
    tokens, scores, groups, group_scores = new.tokens, new.scores, new.groups, new.group_scores
    ranges, places, move_scores = moves.ranges, moves.places, moves.scores
    count = group_count = ending = endings = 0
    blank = row[0]
    for group in range(old_group_count):
        begin = count
        token, last = old_groups[group, FIRST], old_groups[group, LAST]
        move, last_move = ranges[group, 0], ranges[group, 1]
        while token < last or move < last_move:
            # What comes first: a token that stays, one that moved, or both at the same node.
            if move == last_move or (token < last and old_tokens[token, NODE] <= places[move, MOVE_NODE]):
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
                if move < last_move and places[move, MOVE_NODE] == node:
                    if move_scores[move, PHONE] > again:
                        again, link = move_scores[move, PHONE], places[move, MOVE_LINK]
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
                again, node = move_scores[move - 1, PHONE], places[move - 1, MOVE_NODE]
                if not again >= cutoff:
                    continue
                tokens[count, NODE], tokens[count, UNIT] = node, units[node]
                tokens[count, FIRST_CHILD], tokens[count, LAST_CHILD] = first_children[node], last_children[node]
                tokens[count, LOW], tokens[count, HIGH] = places[move - 1, MOVE_LOW], places[move - 1, MOVE_HIGH]
                tokens[count, LINK] = tokens[count, BLANK_LINK] = places[move - 1, MOVE_LINK]
                scores[count, PHONE], scores[count, BLANK] = again, -np.inf
                scores[count, AHEAD] = move_scores[move - 1, AHEAD]
            if again >= cutoff and own_leaves[node] != first_leaves[node]:
                enders[ending, 0], enders[ending, 1] = count, group_count
                endings += own_leaves[node] - first_leaves[node]
                ending += 1
            count += 1
        rest, rest_link = old_group_scores[group, BLANK], old_groups[group, ROOT_BLANK_LINK]
        if old_group_scores[group, PHONE] > rest:
            rest, rest_link = old_group_scores[group, PHONE], old_groups[group, ROOT_LINK]
        rest += blank
        if not rest >= cutoff:
            rest = -np.inf
            if count == begin:
                continue
        groups[group_count, HISTORY], groups[group_count, BEFORE] = old_groups[group, HISTORY], -1
        groups[group_count, FIRST], groups[group_count, LAST] = begin, count
        groups[group_count, ROOT_BLANK_LINK] = rest_link
        group_scores[group_count, PHONE] = group_scores[group_count, SECOND] = -np.inf
        group_scores[group_count, BLANK] = rest
        group_scores[group_count, AHEAD] = old_group_scores[group, AHEAD]
        group_count += 1
    return count, group_count, ending, endings
