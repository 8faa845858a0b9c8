"""The search itself: Viterbi token passing over a prefix tree, compiled, without Python's lock.

A *token* stands at a node of the tree with a *history*: the state of the grammar, or, for N-best lists, the whole word
sequence. It keeps the best score of all alignments that end there with the node's phone, and of those that end with a
blank after it, as CTC (Graves et al. 2006) tells them apart: the phone may only be said again after a blank. Tokens at
the root stand between words; there the phone before may be any, so the two best with different phones are kept.

A token's score contains its *look-ahead*: the best that the grammar can still give to a word below the node, after this
history (Ortmanns et al. 1996, but with the whole grammar in place of its unigrams). It comes off when the word ends and
the word's own probability is put in its place, so it moves grammar costs forward and changes no result.

A history's tokens enter the tree only for the words that the grammar has an n-gram for; for all others the history
backs off, which is a token of the shorter history at the root. So histories share what they do not know anything
special of, and, as in graphs of transducers, a path through a back-off counts where it is better than the n-gram.

The tokens of a history lie one after the other, a *group*, in the order of their nodes. A node's children have higher
numbers the higher its own is, so what moves on comes in this order too, and meets what stays without a look-up.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from speechtl.decoding.kernel import kernel
from speechtl.decoding.look_ahead import root_look_ahead
from speechtl.decoding.token_moves import (
    AHEAD,
    BEFORE,
    BLANK,
    BLANK_LINK,
    FIRST,
    FIRST_CHILD,
    HISTORY,
    LAST,
    LAST_CHILD,
    LINK,
    NODE,
    PHONE,
    ROOT_BLANK_LINK,
    ROOT_LINK,
    SECOND,
    UNIT,
    Front,
    Moves,
    merge_all,
    move_all,
)
from speechtl.decoding.word_ends import Histories, Links, Numbers, end_words, number_of

_ROOM = 1 << 10


class Found(NamedTuple):
    """What the search returns. Links are chains back in time, one link for each word."""

    link_before: np.ndarray
    link_leaf: np.ndarray
    link_frame: np.ndarray
    end_link: np.ndarray
    end_score: np.ndarray
    end_graph: np.ndarray
    """Hypotheses, best first: their score, and the part of it that is due to grammar and lexicon."""
    node: int
    """-1, or the node in which the best hypothesis was cut short (0: between words, or nowhere at all)."""


@njit(nogil=True, cache=True)
def _longer(array, count):
    """Return the array with at least so many rows."""
    if count <= len(array):
        return array
    result = np.empty((2 * count, array.shape[1]), array.dtype)
    result[: len(array)] = array
    return result


@njit(nogil=True, cache=True)
def _longer_list(array, count):
    if count <= len(array):
        return array
    result = np.empty(2 * count, array.dtype)
    result[: len(array)] = array
    return result


@njit(nogil=True, cache=True)
def _empty_front():
    return Front(
        np.empty((_ROOM, 8), np.int32),
        np.empty((_ROOM, 3), np.float64),
        np.empty((_ROOM, 7), np.int32),
        np.empty((_ROOM, 4), np.float64),
    )


@njit(nogil=True, cache=True)
def _larger_front(front, tokens, groups):
    """Return the front with room for so many tokens and groups."""
    if tokens <= len(front.tokens) and groups <= len(front.groups):
        return front
    return Front(
        _longer(front.tokens, tokens),
        _longer(front.scores, tokens),
        _longer(front.groups, groups),
        _longer(front.group_scores, groups),
    )


@njit(nogil=True, cache=True)
def _larger_numbers(numbers, count):
    """Return the table with room for so many pairs."""
    size = len(numbers.pair)
    if 2 * count <= size:
        return numbers
    while size < 4 * count:
        size *= 2
    result = Numbers(np.empty(size, np.int64), np.full(size, -1, np.int32))
    for place in range(len(numbers.pair)):
        pair, number = numbers.pair[place], numbers.number[place]
        if number >= 0:
            number_of(result, np.int32(pair >> 32), np.int32(pair & 0xFFFFFFFF), number)
    return result


@njit(nogil=True, cache=True)
def search(frames, blank_margin, space, start, beam, max_active, sequences):
    """Find the best hypotheses of an utterance.

    Args:
        frames: ``(frames, units)`` float32: scaled log posteriors, unit 0 the blank.
        blank_margin: where the blank is better than every phone by more, or by more than the beam, nothing else counts.
        space: Space.
        start: first state of the grammar.
        beam: tokens this much below the best are dropped.
        max_active: tokens that survive a frame at most.
        sequences: True keeps histories of different words apart, for N-best lists.

    Returns:
        Found.
    """
    tree, graph, ahead = space.tree, space.graph, space.ahead
    front, old = _empty_front(), _empty_front()
    moves = Moves(np.empty((_ROOM, 2), np.int32), np.empty((_ROOM, 4), np.int32), np.empty((_ROOM, 3), np.float64))
    enders = np.empty((_ROOM, 2), np.int32)
    table, stamp = np.empty(4 * _ROOM, np.int32), np.full(4 * _ROOM, -1, np.int32)
    links = Links(
        np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32), np.empty(_ROOM, np.float64)
    )
    histories = Histories(np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32))
    no_states = np.empty(0, np.int32)
    numbers_of_words = Numbers(np.empty(_ROOM, np.int64), np.full(_ROOM, -1, np.int32))
    numbers_of_histories = Numbers(np.empty(_ROOM, np.int64), np.full(_ROOM, -1, np.int32))
    link_count, sequence_count, most_begins = 0, 1, len(tree.root_children)

    # At the start: the first state, and those that it backs off to.
    count = group_count = 0
    state, score = start, 0.0
    while state >= 0:
        look = root_look_ahead(ahead.root, space.fillers, state)
        if look > -np.inf or graph.back_off[state] < 0:
            front = _larger_front(front, 0, group_count + 1)
            groups, group_scores = front.groups, front.group_scores
            groups[group_count] = -1
            groups[group_count, FIRST] = groups[group_count, LAST] = 0
            groups[group_count, HISTORY] = group_count if sequences else state
            histories.state[group_count], histories.words[group_count] = state, 0
            number_of(numbers_of_histories, 0, state, group_count)
            groups[group_count, ROOT_BLANK_LINK] = link_count
            group_scores[group_count] = -np.inf
            group_scores[group_count, AHEAD], group_scores[group_count, BLANK] = look, score + look
            links.before[link_count] = links.leaf[link_count] = links.frame[link_count] = -1
            links.graph[link_count] = score
            link_count += 1
            group_count += 1
        score += graph.back_off_score[state]
        state = graph.back_off[state]
    history_count = group_count
    # All scores lack this, which the frames that were passed over gave to every token.
    passed = 0.0
    threshold = -np.inf
    only_blank = min(blank_margin, beam)
    blank_since = False

    for frame in range(len(frames)):
        row = frames[frame]
        blank = row[0]
        likeliest = -np.inf
        for unit in range(1, len(row)):
            likeliest = max(likeliest, row[unit])
        if likeliest < blank - only_blank:
            passed += blank
            blank_since = True
            continue
        if blank_since:
            _say_blank(front, count, group_count)
            blank_since = False

        best, best_group, most = _best_that_stays(front, group_count, row)
        most += group_count * most_begins
        front, old = old, front
        moves = Moves(_longer(moves.ranges, group_count), _longer(moves.places, most), _longer(moves.scores, most))
        moving, best = move_all(
            space,
            row,
            likeliest,
            threshold,
            beam,
            best,
            best_group,
            histories.state if sequences else no_states,
            old,
            group_count,
            moves,
        )
        if best == -np.inf:
            count = group_count = 0
            break
        most = moving + count
        front, enders = _larger_front(front, most, group_count), _longer(enders, most)
        count, group_count, ending, endings = merge_all(tree, row, best - beam, old, group_count, moves, front, enders)
        if ending:
            # Room for the states after the words, and those that they back off to.
            endings *= ahead.depth + 1
            most = group_count + endings
            front = _larger_front(front, 0, most)
            if 2 * most > len(table):
                size = len(table)
                # A power of two, because places are the lowest bits of a mixture.
                while size < 4 * most:
                    size *= 2
                table, stamp = np.empty(size, np.int32), np.full(size, -1, np.int32)
            most = link_count + endings
            if most > len(links.leaf):
                links = Links(
                    _longer_list(links.before, most),
                    _longer_list(links.leaf, most),
                    _longer_list(links.frame, most),
                    _longer_list(links.graph, most),
                )
            if sequences:
                most = history_count + endings
                if most > len(histories.state):
                    histories = Histories(_longer_list(histories.state, most), _longer_list(histories.words, most))
                numbers_of_histories = _larger_numbers(numbers_of_histories, most)
                numbers_of_words = _larger_numbers(numbers_of_words, sequence_count + endings)
            best, group_count, link_count, history_count, sequence_count = end_words(
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
            )
        threshold = best - beam
        if count + group_count > max_active:
            threshold = max(threshold, _score_of_place(max_active, front, count, group_count))

    return _ends(graph, passed, front, count, group_count, links, link_count, histories, sequences)


@kernel
def _best_that_stays(front, group_count, row):
    """Return the best score of what stays, its group, and how many children all nodes have.

    The best of what stays tells from the first what need not move.
    """
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    best, best_group, children, blank = -np.inf, 0, 0, row[0]
    for group in range(group_count):
        top = max(group_scores[group, PHONE], group_scores[group, BLANK]) + blank
        for token in range(groups[group, FIRST], groups[group, LAST]):
            below = tokens[token, LAST_CHILD] - tokens[token, FIRST_CHILD]
            children += below
            top = max(top, scores[token, PHONE] + row[tokens[token, UNIT]])
            if below:
                top = max(top, max(scores[token, PHONE], scores[token, BLANK]) + blank)
        if top > best:
            best, best_group = top, group
    return best, best_group, children


@kernel
def _say_blank(front, count, group_count):
    """Turn phones into phones with a blank after them."""
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    for token in range(count):
        if scores[token, PHONE] > scores[token, BLANK]:
            scores[token, BLANK], tokens[token, BLANK_LINK] = scores[token, PHONE], tokens[token, LINK]
        scores[token, PHONE] = -np.inf
        if tokens[token, FIRST_CHILD] == tokens[token, LAST_CHILD]:
            scores[token, BLANK] = -np.inf
    for group in range(group_count):
        if group_scores[group, PHONE] > group_scores[group, BLANK]:
            group_scores[group, BLANK] = group_scores[group, PHONE]
            groups[group, ROOT_BLANK_LINK] = groups[group, ROOT_LINK]
        group_scores[group, PHONE] = group_scores[group, SECOND] = -np.inf
        groups[group, BEFORE] = -1


@njit(nogil=True, cache=True)
def _score_of_place(place, front, count, group_count):
    """Return what the token scores that is at this place from the best."""
    scores, group_scores = front.scores, front.group_scores
    tops = np.empty(count + group_count, np.float64)
    for token in range(count):
        tops[token] = max(scores[token, PHONE], scores[token, BLANK])
    for group in range(group_count):
        tops[count + group] = max(group_scores[group, PHONE], group_scores[group, BLANK])
    return np.partition(tops, len(tops) - place)[len(tops) - place]


@njit(nogil=True, cache=True)
def _ends(graph, passed, front, count, group_count, links, link_count, histories, sequences):
    """Return the hypotheses: sentences may end where a word has ended. If none does, the best beginning."""
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    ends = 0
    end_score, end_graph = np.empty(group_count + 1, np.float64), np.empty(group_count + 1, np.float64)
    end_link, end_words_of = np.empty(group_count + 1, np.int32), np.empty(group_count + 1, np.int32)
    cut_node, cut_score = 0, -np.inf
    end_score[group_count], end_graph[group_count], end_link[group_count] = -np.inf, 0.0, -1
    for group in range(group_count):
        by_phone = group_scores[group, PHONE] >= group_scores[group, BLANK]
        score = group_scores[group, PHONE if by_phone else BLANK]
        if score == -np.inf:
            continue
        link = groups[group, ROOT_LINK if by_phone else ROOT_BLANK_LINK]
        history = groups[group, HISTORY]
        final = graph.final[(histories.state[history] if sequences else history) % len(graph.final)]
        if final > -np.inf:
            end_score[ends] = score - group_scores[group, AHEAD] + final + passed
            end_graph[ends], end_link[ends] = links.graph[link] + final, link
            end_words_of[ends] = histories.words[history] if sequences else 0
            ends += 1
        elif score > cut_score:
            cut_score = score
            end_score[group_count] = score - group_scores[group, AHEAD] + passed
            end_graph[group_count], end_link[group_count] = links.graph[link], link
    if ends:
        cut_node = -1
        order = np.argsort(-end_score[:ends])
        if sequences:
            # The same words may end in several states.
            seen = {np.int32(-1)}
            kept = 0
            for number in order:
                if end_words_of[number] not in seen:
                    seen.add(end_words_of[number])
                    order[kept] = number
                    kept += 1
            order = order[:kept]
    else:
        for token in range(count):
            by_phone = scores[token, PHONE] >= scores[token, BLANK]
            score = scores[token, PHONE if by_phone else BLANK]
            if score > cut_score:
                link = tokens[token, LINK if by_phone else BLANK_LINK]
                cut_score, cut_node = score, tokens[token, NODE]
                end_score[group_count] = score - scores[token, AHEAD] + passed
                end_graph[group_count], end_link[group_count] = links.graph[link], link
        order = np.full(1, group_count)
    return Found(
        links.before[:link_count],
        links.leaf[:link_count],
        links.frame[:link_count],
        end_link[order],
        end_score[order],
        end_graph[order],
        cut_node,
    )
