"""The hypotheses that a search ends with."""

from typing import NamedTuple

import numpy as np
from numba import njit

from speechtl.decoding.search.front import (
    AHEAD,
    BLANK,
    BLANK_LINK,
    GROUPS,
    HISTORY,
    LINK,
    NODE,
    PHONE,
    ROOT_BLANK_LINK,
    ROOT_LINK,
    TOKENS,
)

_COMPLETE = -1


class Found(NamedTuple):
    """What the search returns. Links are chains back in time, one link for each word."""

    link_before: np.ndarray
    link_leaf: np.ndarray
    link_frame: np.ndarray
    end_link: np.ndarray
    end_score: np.ndarray
    end_graph: np.ndarray
    """Hypotheses, best first: their score, and the part of it that is due to language model and lexicon."""
    node: int
    """-1, or the node in which the best hypothesis was cut short (0: between words, or nowhere at all)."""


class _Ends(NamedTuple):
    """Hypotheses, ``(ends,)`` each."""

    link: np.ndarray
    score: np.ndarray
    graph: np.ndarray
    words: np.ndarray
    """For N-best lists, the number of the word sequence."""


@njit(nogil=True, cache=True)
def ends_of(graph, front, links, histories, passed, sequences):
    """Return the hypotheses: sentences may end where a word has ended. If none does, the best beginning.

    Args:
        graph: GraphArrays.
        front: Front, of the last frame.
        links: Links.
        histories: Histories.
        passed: what all scores lack.
        sequences: as in Settings.

    Returns:
        Found.
    """
    ends = _whole(graph, front, links, histories, passed, sequences)
    node = _COMPLETE
    # Stable: of words that sound alike the first of the lexicon is found, whatever else the search has kept.
    order = np.argsort(-ends.score, kind="mergesort")
    if sequences:
        order = _first_of_each(order, ends.words, histories.sequences.free[0])
    if not len(order):
        ends, node = _beginning(front, links, passed)
        order = np.zeros(1, np.int64)
    count = links.used[0]
    return Found(
        links.before[:count],
        links.leaf[:count],
        links.frame[:count],
        ends.link[order],
        ends.score[order],
        ends.graph[order],
        node,
    )


@njit(nogil=True, cache=True)
def beginning_of(front, links, passed):
    """Return the best hypothesis so far, as if the sentence might be cut short here; for the arguments see `ends_of`.

    Returns:
        Found, whose node is 0 where the best hypothesis is between words.
    """
    ends, node = _beginning(front, links, passed)
    count = links.used[0]
    return Found(links.before[:count], links.leaf[:count], links.frame[:count], ends.link, ends.score, ends.graph, node)


@njit(nogil=True, cache=True)
def _new_ends(count):
    return _Ends(
        np.full(count, -1, np.int32),
        np.full(count, -np.inf, np.float64),
        np.zeros(count, np.float64),
        np.zeros(count, np.int32),
    )


@njit(nogil=True, cache=True)
def _at_root(front, group):
    """Return score and link of the token at the root of a group."""
    by_phone = front.group_scores[group, PHONE] >= front.group_scores[group, BLANK]
    score = front.group_scores[group, PHONE if by_phone else BLANK]
    return score, front.groups[group, ROOT_LINK if by_phone else ROOT_BLANK_LINK]


@njit(nogil=True, cache=True)
def _whole(graph, front, links, histories, passed, sequences):
    """Return the sentences that are complete."""
    ends, count = _new_ends(front.counts[GROUPS]), 0
    for group in range(front.counts[GROUPS]):
        score, link = _at_root(front, group)
        history = front.groups[group, HISTORY]
        # States after speech that is no word are numbered on.
        final = graph.final[(histories.state[history] if sequences else history) % len(graph.final)]
        if score > -np.inf and final > -np.inf:
            ends.score[count] = score - front.group_scores[group, AHEAD] + final + passed
            ends.graph[count], ends.link[count] = links.graph[link] + final, link
            ends.words[count] = histories.words[history] if sequences else 0
            count += 1
    return _Ends(ends.link[:count], ends.score[:count], ends.graph[:count], ends.words[:count])


@njit(nogil=True, cache=True)
def _first_of_each(order, words, count):
    """Keep the best hypothesis of each of ``count`` word sequences: the same words may end in several states."""
    seen = np.zeros(count, np.bool_)
    kept = 0
    for number in order:
        if not seen[words[number]]:
            seen[words[number]] = True
            order[kept] = number
            kept += 1
    return order[:kept]


@njit(nogil=True, cache=True)
def _beginning(front, links, passed):
    """Return the best beginning of a sentence, and the node in which it was cut short."""
    ends, best, node = _new_ends(1), -np.inf, 0
    for group in range(front.counts[GROUPS]):
        score, link = _at_root(front, group)
        if score > best:
            best = score
            ends.score[0] = score - front.group_scores[group, AHEAD] + passed
            ends.graph[0], ends.link[0] = links.graph[link], link
    for token in range(front.counts[TOKENS]):
        by_phone = front.scores[token, PHONE] >= front.scores[token, BLANK]
        score = front.scores[token, PHONE if by_phone else BLANK]
        if score > best:
            best, node = score, front.tokens[token, NODE]
            link = front.tokens[token, LINK if by_phone else BLANK_LINK]
            ends.score[0] = score - front.scores[token, AHEAD] + passed
            ends.graph[0], ends.link[0] = links.graph[link], link
    return ends, node
