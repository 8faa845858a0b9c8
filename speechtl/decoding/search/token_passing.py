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

from speechtl.decoding.search.kernel import kernel
from speechtl.decoding.search.look_ahead import root_look_ahead
from speechtl.decoding.search.memory import (
    GROUPS,
    HISTORIES,
    KINDS,
    LINKS,
    MOVES,
    SEQUENCES,
    TOKENS,
    larger_memory,
    new_memory,
)
from speechtl.decoding.search.token_moves import (
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
    merge_all,
    move_all,
)
from speechtl.decoding.search.word_ends import end_words, number_of

# What is counted between frames, and what the marks are that scores have.
_FRAME, _TOKENS, _GROUPS, _LINKS, _HISTORIES, _SEQUENCES, _TURN, _BLANK_SINCE = range(8)
_PASSED, _THRESHOLD = range(2)


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
    memory, needs = new_memory(), np.zeros(KINDS, np.int64)
    counts, marks = np.zeros(8, np.int64), np.array([0.0, -np.inf])
    depth = space.ahead.depth
    needs[GROUPS] = needs[LINKS] = needs[HISTORIES] = depth
    memory = larger_memory(memory, needs)
    _begin_sentence(space, start, sequences, memory, counts)
    while not _pass_frames(frames, blank_margin, space, beam, max_active, sequences, memory, counts, marks, needs):
        memory = larger_memory(memory, needs)
    return _ends(space.graph, memory, counts, marks[_PASSED], sequences)


@kernel
def _begin_sentence(space, start, sequences, memory, counts):
    """Put tokens into the first state, and those that it backs off to."""
    groups, group_scores, histories, links = (
        memory.even.groups,
        memory.even.group_scores,
        memory.histories,
        memory.links,
    )
    number, state, score = 0, start, 0.0
    while state >= 0:
        look = root_look_ahead(space.ahead.root, space.fillers, state)
        if look > -np.inf or space.graph.back_off[state] < 0:
            groups[number] = -1
            groups[number, FIRST] = groups[number, LAST] = 0
            groups[number, HISTORY] = number if sequences else state
            histories.state[number], histories.words[number] = state, 0
            number_of(memory.numbers_of_histories, 0, state, number)
            groups[number, ROOT_BLANK_LINK] = number
            group_scores[number] = -np.inf
            group_scores[number, AHEAD], group_scores[number, BLANK] = look, score + look
            links.before[number] = links.leaf[number] = links.frame[number] = -1
            links.graph[number] = score
            number += 1
        score += space.graph.back_off_score[state]
        state = space.graph.back_off[state]
    counts[_GROUPS] = counts[_LINKS] = counts[_HISTORIES] = number
    counts[_SEQUENCES] = 1


@kernel
def _pass_frames(frames, blank_margin, space, beam, max_active, sequences, memory, counts, marks, needs):
    """Pass frames on from the one that ``counts`` names, for as long as there is room in the memory.

    Args:
        frames: as in `search`.
        blank_margin: likewise.
        space: likewise.
        beam: likewise.
        max_active: likewise.
        sequences: likewise.
        memory: Memory.
        counts: what is in the memory after the last whole frame, updated.
        marks: what all scores lack, since frames that were passed over gave it to every token; and below which score
            tokens do not move. Updated.
        needs: filled with the room that is needed.

    Returns:
        Whether all frames are done. If not, the frame is done again, from its beginning, when there is more room.
    """
    tree, ahead = space.tree, space.ahead
    most_begins, only_blank = len(tree.root_children), min(blank_margin, beam)
    room = len(memory.enders)
    for frame in range(counts[_FRAME], len(frames)):
        counts[_FRAME] = frame
        row = frames[frame]
        blank = row[0]
        likeliest = -np.inf
        for unit in range(1, len(row)):
            likeliest = max(likeliest, row[unit])
        if likeliest < blank - only_blank:
            marks[_PASSED] += blank
            counts[_BLANK_SINCE] = 1
            counts[_FRAME] = frame + 1
            continue
        if counts[_TURN]:
            old, front = memory.odd, memory.even
        else:
            old, front = memory.even, memory.odd
        group_count = counts[_GROUPS]
        if counts[_BLANK_SINCE]:
            _say_blank(old, counts[_TOKENS], group_count)
            counts[_BLANK_SINCE] = 0

        best, best_group, most = _best_that_stays(old, group_count, row)
        needs[MOVES] = most + group_count * most_begins
        if needs[MOVES] > len(memory.moves.scores):
            return False
        moving, best = move_all(
            space,
            row,
            likeliest,
            marks[_THRESHOLD],
            beam,
            best,
            best_group,
            memory.histories.state,
            sequences,
            old,
            group_count,
            memory.moves,
        )
        if best == -np.inf:
            counts[_TOKENS] = counts[_GROUPS] = 0
            break
        needs[TOKENS] = moving + counts[_TOKENS]
        if needs[TOKENS] > room:
            return False
        count, group_count, ending, endings = merge_all(
            tree, row, best - beam, old, group_count, memory.moves, front, memory.enders
        )
        # Room for the states after the words, and those that they back off to.
        endings *= ahead.depth + 1
        needs[GROUPS], needs[LINKS] = group_count + endings, counts[_LINKS] + endings
        if needs[GROUPS] > len(front.groups) or needs[LINKS] > len(memory.links.leaf):
            return False
        if sequences:
            needs[HISTORIES], needs[SEQUENCES] = counts[_HISTORIES] + endings, counts[_SEQUENCES] + endings
            if needs[HISTORIES] > len(memory.histories.state) or 2 * needs[SEQUENCES] > len(
                memory.numbers_of_words.pair
            ):
                return False
        best, group_count, counts[_LINKS], counts[_HISTORIES], counts[_SEQUENCES] = end_words(
            space,
            frame,
            best,
            beam,
            front,
            group_count,
            memory.enders,
            ending,
            memory.table,
            memory.stamp,
            memory.links,
            counts[_LINKS],
            memory.histories,
            counts[_HISTORIES],
            counts[_SEQUENCES],
            memory.numbers_of_words,
            memory.numbers_of_histories,
            sequences,
        )
        marks[_THRESHOLD] = best - beam
        if count + group_count > max_active:
            place = _score_of_place(max_active, front, count, group_count, memory.tops)
            marks[_THRESHOLD] = max(marks[_THRESHOLD], place)
        counts[_TOKENS], counts[_GROUPS], counts[_TURN] = count, group_count, 1 - counts[_TURN]
    return True


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


@kernel
def _score_of_place(place, front, count, group_count, tops):
    """Return what the token scores that is at this place from the best (Hoare's selection, in ``tops``)."""
    scores, group_scores = front.scores, front.group_scores
    for token in range(count):
        tops[token] = max(scores[token, PHONE], scores[token, BLANK])
    for group in range(group_count):
        tops[count + group] = max(group_scores[group, PHONE], group_scores[group, BLANK])
    low, high = 0, count + group_count - 1
    while low < high:
        pivot, left, right = tops[(low + high) >> 1], low, high
        while left <= right:
            while tops[left] > pivot:
                left += 1
            while tops[right] < pivot:
                right -= 1
            if left <= right:
                tops[left], tops[right] = tops[right], tops[left]
                left += 1
                right -= 1
        if place - 1 <= right:
            high = right
        elif place - 1 >= left:
            low = left
        else:
            break
    return tops[place - 1]


@njit(nogil=True, cache=True)
def _ends(graph, memory, counts, passed, sequences):
    """Return the hypotheses: sentences may end where a word has ended. If none does, the best beginning."""
    front = memory.odd if counts[_TURN] else memory.even
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    links, histories = memory.links, memory.histories
    count, group_count, link_count = counts[_TOKENS], counts[_GROUPS], counts[_LINKS]
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
