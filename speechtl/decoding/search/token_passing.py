"""Viterbi token passing over a prefix tree, compiled; releases the GIL.

A *token* stands at a node of the tree with a *history*: the state of the language model or, for N-best lists, the whole
word sequence. It keeps the best score of all alignments that end there with the node's phone, and of those that end
with a blank after it, as CTC (Graves et al. 2006) tells them apart: the phone may only be repeated after a blank.
Tokens at the root stand between words; there the phone before may be any, so the two best with different phones are
kept.

A token's score contains its *look-ahead*: the best score that the language model can still give to a word below the
node after this history (Ortmanns et al. 1996, but with the whole model in place of its unigrams). When the word ends it
is replaced by the word's probability, so it moves costs of the language model forward and changes no result.

The tokens of a history enter the tree only for the words that it has an n-gram for; for all others the history backs
off, which is a token of the shorter history at the root. So histories share the words that they have no n-gram for and,
as in transducers, a path through a back-off counts where it is better than the n-gram.

The tokens of a history lie one after the other, a *group*, in the order of their nodes. A node's children have higher
numbers the higher its number, so what moves on comes in this order too, and meets what stays without a look-up.
"""

from typing import NamedTuple

import numpy as np

from speechtl.decoding.search.front import (
    AHEAD,
    BEFORE,
    BLANK,
    BLANK_LINK,
    FIRST,
    FIRST_CHILD,
    GROUPS,
    HISTORY,
    LAST,
    LAST_CHILD,
    LINK,
    NO_PHONE,
    PHONE,
    ROOT_BLANK_LINK,
    ROOT_LINK,
    SECOND,
    TOKENS,
    UNIT,
    Frame,
    Settings,
)
from speechtl.decoding.search.histories import history_of
from speechtl.decoding.search.look_ahead import root_look_ahead
from speechtl.decoding.search.memory import (
    ROOM_GROUPS,
    ROOM_HISTORIES,
    ROOM_LINKS,
    ROOM_MOVES,
    ROOM_SEQUENCES,
    ROOM_TOKENS,
)
from speechtl.decoding.search.merge import merge_all
from speechtl.decoding.search.token_moves import move_all
from speechtl.decoding.search.word_ends import end_words
from speechtl.kernels.kernel import kernel

# Entries of `Progress`.
FRAME, TURN, BLANK_SINCE, FULL, KEPT = range(5)
PASSED, THRESHOLD, BEAM = range(3)


class Progress(NamedTuple):
    """How far a search is."""

    counts: np.ndarray
    """``(5,)`` int64: the next frame; whether the tokens of the last one are the odd ones; whether frames of blanks
    alone were passed over since; how many links or word sequences there may be until unused ones are dropped, and the
    least such number."""
    marks: np.ndarray
    """``(3,)`` float64: what all scores lack, since frames that were passed over gave it to every token; the score
    below which tokens neither move nor stay; and the beam of the next frame."""


@kernel
def pass_frames(frames, first, space, settings, memory, progress, needs):
    """Pass frames on from the next one, for as long as there is room in the memory.

    Args:
        frames: ``(frames, units)`` float32: scaled log posteriors, unit 0 the blank.
        first: the number of the first of them in the utterance.
        space: Space.
        settings: Settings.
        memory: Memory.
        progress: Progress, updated.
        needs: filled with the room that is needed.

    Returns:
        Whether all frames are done. If not, the frame is done again, from its beginning, when there is more room.
    """
    counts, marks = progress.counts, progress.marks
    only_blank = min(settings.blank_margin, settings.beam)
    for number in range(counts[FRAME], first + len(frames)):
        counts[FRAME] = number
        row = frames[number - first]
        likeliest = -np.inf
        for unit in range(1, len(row)):
            likeliest = max(likeliest, row[unit])
        if likeliest < row[0] - only_blank:
            marks[PASSED] += row[0]
            counts[BLANK_SINCE] = 1
            counts[FRAME] = number + 1
            continue
        if counts[TURN]:
            old, new = memory.odd, memory.even
        else:
            old, new = memory.even, memory.odd
        if counts[BLANK_SINCE]:
            _stay_by_blank(old)
            counts[BLANK_SINCE] = 0

        threshold, beam = marks[THRESHOLD], marks[BEAM]
        narrow = Settings(beam, settings.blank_margin, settings.max_active, settings.beam_delta, settings.sequences)
        best, best_group, children = _best_that_stays(old, row, threshold)
        needs[ROOM_MOVES] = children + old.counts[GROUPS] * len(space.tree.root_children)
        if needs[ROOM_MOVES] > len(memory.moves.scores):
            return False
        frame = Frame(number, row, likeliest, threshold)
        best = move_all(space, narrow, frame, best, best_group, old, memory.moves, memory.histories)
        if best == -np.inf:
            old.counts[TOKENS] = old.counts[GROUPS] = 0
            break
        needs[ROOM_TOKENS] = memory.moves.used[0] + old.counts[TOKENS]
        if needs[ROOM_TOKENS] > len(memory.enders):
            return False
        cutoff = best - beam
        ending, endings = merge_all(space.tree, row, threshold, cutoff, old, memory.moves, new, memory.enders)
        # Room for the states after the words, and those that they back off to.
        if not _has_room_for(endings * (space.ahead.depth + 1), new, memory, needs, settings.sequences):
            return False
        if ending:
            best = end_words(space, narrow, number, best, new, memory, ending)
        marks[THRESHOLD], marks[BEAM] = best - beam, settings.beam
        if new.counts[TOKENS] + new.counts[GROUPS] > settings.max_active:
            # More would be made of these than can survive the next frame, too: what the beam then drops at once needs
            # no place. Kaldi's decoders narrow their beam in the same way.
            marks[THRESHOLD] = max(marks[THRESHOLD], _score_of_place(settings.max_active, new, memory.tops))
            marks[BEAM] = min(settings.beam, best - marks[THRESHOLD] + settings.beam_delta)
        counts[TURN] = 1 - counts[TURN]
    counts[FRAME] = first + len(frames)
    return True


@kernel
def _has_room_for(endings, front, memory, needs, sequences):
    """Return whether there is room for the ends of words."""
    links, histories = memory.links, memory.histories
    needs[ROOM_GROUPS], needs[ROOM_LINKS] = front.counts[GROUPS] + endings, links.used[0] + endings
    if needs[ROOM_GROUPS] > len(front.groups) or needs[ROOM_LINKS] > len(links.leaf):
        return False
    if not sequences:
        return True
    needs[ROOM_HISTORIES] = histories.numbers.free[0] + endings
    needs[ROOM_SEQUENCES] = histories.sequences.free[0] + endings
    return needs[ROOM_HISTORIES] <= len(histories.state) and 2 * needs[ROOM_SEQUENCES] <= len(histories.sequences.pair)


@kernel
def begin_sentence(space, start, sequences, memory):
    """Put tokens into the first state, and those that it backs off to."""
    front, links = memory.even, memory.links
    groups, group_scores = front.groups, front.group_scores
    number, state, score = 0, start, 0.0
    while state >= 0:
        look = root_look_ahead(space.ahead.root, space.fillers, state)
        if look > -np.inf or space.graph.back_off[state] < 0:
            groups[number] = -1
            groups[number, FIRST] = groups[number, LAST] = 0
            groups[number, HISTORY] = history_of(memory.histories, 0, state) if sequences else state
            groups[number, ROOT_BLANK_LINK] = number
            group_scores[number] = -np.inf
            group_scores[number, AHEAD], group_scores[number, BLANK] = look, score + look
            links.before[number] = links.leaf[number] = links.frame[number] = -1
            links.graph[number] = score
            number += 1
        score += space.graph.back_off_score[state]
        state = space.graph.back_off[state]
    front.counts[GROUPS] = links.used[0] = number


@kernel
def _best_that_stays(front, row, threshold):
    """Return the best score of what stays, its group, and how many children all nodes have.

    The best of what stays shows from the start what need not move.
    """
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    best, best_group, children, blank = -np.inf, 0, 0, row[0]
    for group in range(front.counts[GROUPS]):
        top = max(group_scores[group, PHONE], group_scores[group, BLANK])
        top = top + blank if top >= threshold else -np.inf
        for token in range(groups[group, FIRST], groups[group, LAST]):
            either = max(scores[token, PHONE], scores[token, BLANK])
            if either < threshold:
                continue
            below = tokens[token, LAST_CHILD] - tokens[token, FIRST_CHILD]
            children += below
            top = max(top, scores[token, PHONE] + row[tokens[token, UNIT]])
            if below:
                top = max(top, either + blank)
        if top > best:
            best, best_group = top, group
    return best, best_group, children


@kernel
def _stay_by_blank(front):
    """Turn phones into phones with a blank after them."""
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    for token in range(front.counts[TOKENS]):
        if scores[token, PHONE] > scores[token, BLANK]:
            scores[token, BLANK], tokens[token, BLANK_LINK] = scores[token, PHONE], tokens[token, LINK]
        scores[token, PHONE] = -np.inf
        if tokens[token, FIRST_CHILD] == tokens[token, LAST_CHILD]:
            scores[token, BLANK] = -np.inf
    for group in range(front.counts[GROUPS]):
        if group_scores[group, PHONE] > group_scores[group, BLANK]:
            group_scores[group, BLANK] = group_scores[group, PHONE]
            groups[group, ROOT_BLANK_LINK] = groups[group, ROOT_LINK]
        group_scores[group, PHONE] = group_scores[group, SECOND] = -np.inf
        groups[group, BEFORE] = NO_PHONE


@kernel
def _score_of_place(place, front, tops):
    """Return the score of the token that is at this place from the best (Hoare's selection, in ``tops``)."""
    scores, group_scores = front.scores, front.group_scores
    count, group_count = front.counts[TOKENS], front.counts[GROUPS]
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
