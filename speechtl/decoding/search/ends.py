"""The hypotheses that a search ends with."""

from typing import NamedTuple

import numpy as np

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
    Front,
)
from speechtl.decoding.search.histories import Histories, Links
from speechtl.grammar.word_graph import GraphArrays

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


def ends_of(
    graph: GraphArrays, front: Front, links: Links, histories: Histories, passed: float, sequences: bool
) -> Found:
    """Return the hypotheses: sentences may end where a word has ended. If none does, the best beginning.

    Args:
        graph: the language model.
        front: of the last frame.
        links: what the hypotheses are made of.
        histories: for N-best lists.
        passed: what all scores lack.
        sequences: as in Settings.
    """
    groups = int(front.counts[GROUPS])
    score, link = _at_roots(front, groups)
    history = front.groups[:groups, HISTORY]
    # States after speech that is no word are numbered on.
    final = graph.final[(histories.state[history] if sequences else history) % len(graph.final)]
    complete = np.flatnonzero((score > -np.inf) & (final > -np.inf))
    if not len(complete):
        return beginning_of(front, links, passed)
    link, final = link[complete], final[complete].astype(np.float64)
    score = score[complete] - front.group_scores[complete, AHEAD] + final + passed
    # Stable: of words that sound alike the first of the lexicon is found, whatever else the search has kept.
    order = np.argsort(-score, kind="stable")
    if sequences:
        # The best of each: the same words may end in several states.
        _, firsts = np.unique(histories.words[history[complete]][order], return_index=True)
        order = order[np.sort(firsts)]
    return _found(links, link[order], score[order], links.graph[link[order]] + final[order], _COMPLETE)


def beginning_of(front: Front, links: Links, passed: float) -> Found:
    """Return the best hypothesis so far, as if the sentence might be cut short here; for the arguments see `ends_of`.

    Returns:
        Found, whose node is 0 where the best hypothesis is between words.
    """
    groups, tokens = int(front.counts[GROUPS]), int(front.counts[TOKENS])
    score, link = _at_roots(front, groups)
    scores = front.scores[:tokens]
    by_phone = scores[:, PHONE] >= scores[:, BLANK]
    within = np.where(by_phone, scores[:, PHONE], scores[:, BLANK])
    every = np.append(score, within)
    best = int(np.argmax(every)) if len(every) else 0
    if not len(every) or every[best] == -np.inf:
        return _found(links, np.array([-1], np.int32), np.array([-np.inf]), np.zeros(1), 0)
    if best < groups:
        node, ahead, last = 0, front.group_scores[best, AHEAD], link[best]
    else:
        token = best - groups
        node, ahead = int(front.tokens[token, NODE]), scores[token, AHEAD]
        last = front.tokens[token, LINK if by_phone[token] else BLANK_LINK]
    ends = np.array([last], np.int32)
    return _found(links, ends, every[[best]] - ahead + passed, links.graph[ends], node)


def _at_roots(front: Front, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return score and link of the token at the root of each group."""
    scores, table = front.group_scores[:groups], front.groups[:groups]
    by_phone = scores[:, PHONE] >= scores[:, BLANK]
    return (
        np.where(by_phone, scores[:, PHONE], scores[:, BLANK]),
        np.where(by_phone, table[:, ROOT_LINK], table[:, ROOT_BLANK_LINK]),
    )


def _found(links: Links, link: np.ndarray, score: np.ndarray, graph: np.ndarray, node: int) -> Found:
    count = int(links.used[0])
    # Copies: the search goes on, or its memory serves another.
    before, leaf, frame = (array[:count].copy() for array in links[:3])
    return Found(before, leaf, frame, link, score, graph, node)
