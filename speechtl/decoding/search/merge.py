"""From one frame to the next: tokens that stay, and those that moved (see ``token_passing``)."""

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
    NO_PHONE,
    NODE,
    PHONE,
    ROOT_BLANK_LINK,
    ROOT_LINK,
    SECOND,
    TOKENS,
    UNIT,
)
from speechtl.kernels.kernel import kernel, step


@kernel
def merge_all(tree, row, threshold, cutoff, old, moves, new, enders):
    """Let tokens stay, and merge those that moved with them, in the order of nodes.

    Args:
        tree: TreeArrays.
        row: the frame's scores.
        threshold: what scored less after the last frame does not stay.
        cutoff: what scores less is dropped.
        old: Front, of the frame before.
        moves: Moves.
        new: Front, to be filled.
        enders: to be filled with token and group of the tokens at which words end in this frame.

    Returns:
        The number of enders, and of the pronunciations that end at them.
    """
    new.counts[TOKENS] = new.counts[GROUPS] = 0
    ending = endings = 0
    for group in range(old.counts[GROUPS]):
        begin = new.counts[TOKENS]
        ending, endings = _merge_group(tree, row, threshold, cutoff, old, group, moves, new, enders, ending, endings)
        _stay_at_root(row[0], threshold, cutoff, old, group, new, begin)
    return ending, endings


@step
def _merge_group(tree, row, threshold, cutoff, old, group, moves, new, enders, ending, endings):
    """Merge the tokens of a group; return the numbers of enders and of pronunciations that end at them."""
    ranges, places, old_tokens = moves.ranges, moves.places, old.tokens
    token, last = old.groups[group, FIRST], old.groups[group, LAST]
    move, last_move = ranges[group, 0], ranges[group, 1]
    count, new_group = new.counts[TOKENS], new.counts[GROUPS]
    while token < last or move < last_move:
        # What comes first: a token that stays, one that moved, or both at the same node.
        if move == last_move or (token < last and old_tokens[token, NODE] <= places[move, MOVE_NODE]):
            node = old_tokens[token, NODE]
            moved = move < last_move and places[move, MOVE_NODE] == node
            kept = _stay(row, threshold, cutoff, old, token, moves, move if moved else -1, new, count)
            token += 1
            move += moved
        else:
            node = places[move, MOVE_NODE]
            kept = moves.scores[move, PHONE] >= cutoff
            if kept:
                _arrive(tree, moves, move, new, count)
            move += 1
        if kept:
            if new.scores[count, PHONE] >= cutoff and tree.own_leaf[node] != tree.first_leaf[node]:
                enders[ending, 0], enders[ending, 1] = count, new_group
                endings += tree.own_leaf[node] - tree.first_leaf[node]
                ending += 1
            count += 1
    new.counts[TOKENS] = count
    return ending, endings


@kernel
def _stay(row, threshold, cutoff, old, token, moves, move, new, place):
    """Let a token stay, together with one that moved there (-1: none); return whether it is kept."""
    tokens, scores, blank = old.tokens, old.scores, row[0]
    by_phone, by_blank = scores[token, PHONE], scores[token, BLANK]
    if max(by_phone, by_blank) < threshold:
        by_phone = by_blank = -np.inf
    rest, rest_link = by_blank, tokens[token, BLANK_LINK]
    if by_phone > rest:
        rest, rest_link = by_phone, tokens[token, LINK]
    rest += blank
    # A blank at a node without children leads nowhere: its word ended with the phone.
    if tokens[token, FIRST_CHILD] == tokens[token, LAST_CHILD]:
        rest = -np.inf
    again, link = by_phone + row[tokens[token, UNIT]], tokens[token, LINK]
    if move >= 0 and moves.scores[move, PHONE] > again:
        again, link = moves.scores[move, PHONE], moves.places[move, MOVE_LINK]
    if not max(again, rest) >= cutoff:
        return False
    for column in range(LINK):
        new.tokens[place, column] = tokens[token, column]
    new.tokens[place, LINK], new.tokens[place, BLANK_LINK] = link, rest_link
    new.scores[place, PHONE], new.scores[place, BLANK] = again, rest
    new.scores[place, AHEAD] = scores[token, AHEAD]
    return True


@kernel
def _arrive(tree, moves, move, new, place):
    """Put a token that moved to where none stayed."""
    tokens, scores, node = new.tokens, new.scores, moves.places[move, MOVE_NODE]
    tokens[place, NODE], tokens[place, UNIT] = node, tree.unit[node]
    tokens[place, FIRST_CHILD], tokens[place, LAST_CHILD] = tree.first_child[node], tree.last_child[node]
    tokens[place, LOW], tokens[place, HIGH] = moves.places[move, MOVE_LOW], moves.places[move, MOVE_HIGH]
    tokens[place, LINK] = tokens[place, BLANK_LINK] = moves.places[move, MOVE_LINK]
    scores[place, PHONE], scores[place, BLANK] = moves.scores[move, PHONE], -np.inf
    scores[place, AHEAD] = moves.scores[move, AHEAD]


@step
def _stay_at_root(blank, threshold, cutoff, old, group, new, begin):
    """Let the token at the root of a group stay by a blank, and close the group if anything of it is left."""
    groups, group_scores, count = new.groups, new.group_scores, new.counts[TOKENS]
    rest, rest_link = old.group_scores[group, BLANK], old.groups[group, ROOT_BLANK_LINK]
    if old.group_scores[group, PHONE] > rest:
        rest, rest_link = old.group_scores[group, PHONE], old.groups[group, ROOT_LINK]
    if not (rest >= threshold and rest + blank >= cutoff):
        rest = -np.inf
        if count == begin:
            return
    rest += blank
    place = new.counts[GROUPS]
    groups[place, HISTORY], groups[place, BEFORE] = old.groups[group, HISTORY], NO_PHONE
    groups[place, FIRST], groups[place, LAST] = begin, count
    groups[place, ROOT_BLANK_LINK] = rest_link
    group_scores[place, PHONE] = group_scores[place, SECOND] = -np.inf
    group_scores[place, BLANK] = rest
    group_scores[place, AHEAD] = old.group_scores[group, AHEAD]
    new.counts[GROUPS] = place + 1
