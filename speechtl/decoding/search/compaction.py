"""Drop what no token leads to any more, so that the memory of a search does not grow with the utterance."""

import numpy as np

from speechtl.decoding.search.front import (
    BLANK,
    BLANK_LINK,
    GROUPS,
    HISTORY,
    LINK,
    PHONE,
    ROOT_BLANK_LINK,
    ROOT_LINK,
    ROOT_SECOND_LINK,
    SECOND,
    TOKENS,
    Front,
)
from speechtl.decoding.search.histories import VACANT, Histories, Links, number_of
from speechtl.kernels.kept import KeptKernel
from speechtl.kernels.kernel import kernel
from speechtl.kernels.packed import Packed

_UNUSED = -1
_LOW_HALF = 0xFFFFFFFF


def compact(front: Front, links: Links, histories: Histories, sequences: bool) -> None:
    """Renumber links, histories and word sequences in place, without those that no token needs; results are the same.

    Args:
        front: Front: the tokens of the last frame.
        links: Links.
        histories: Histories.
        sequences: as in Settings.
    """
    _links_kept(Packed(front), Packed(links), Packed(_unused(links.used)))
    if sequences:
        counts = histories.numbers.free, histories.sequences.free
        numbers = [_unused(count) for count in counts]
        pair = np.zeros(int(counts[1][0]), np.int64)
        _histories_kept(Packed(front), Packed(histories), *map(Packed, numbers), Packed(pair))


def _unused(count: np.ndarray) -> np.ndarray:
    return np.full(int(count[0]), _UNUSED, np.int32)


@kernel
def _compact_links(front, links, number):
    tokens, scores, groups, group_scores = front.tokens, front.scores, front.groups, front.group_scores
    count = len(number)
    # Where a score is -inf its link means nothing and may be any number; link 0 is always there.
    number[0] = 0
    for token in range(front.counts[TOKENS]):
        for column, link in ((PHONE, LINK), (BLANK, BLANK_LINK)):
            if scores[token, column] == -np.inf:
                tokens[token, link] = 0
            number[tokens[token, link]] = 0
    for group in range(front.counts[GROUPS]):
        for column, link in ((PHONE, ROOT_LINK), (BLANK, ROOT_BLANK_LINK), (SECOND, ROOT_SECOND_LINK)):
            if group_scores[group, column] == -np.inf:
                groups[group, link] = 0
            number[groups[group, link]] = 0
    # A link is made after the one before it.
    for link in range(count - 1, -1, -1):
        if number[link] != _UNUSED and links.before[link] >= 0:
            number[links.before[link]] = 0
    kept = 0
    for link in range(count):
        if number[link] != _UNUSED:
            number[link] = kept
            before = links.before[link]
            links.before[kept] = number[before] if before >= 0 else before
            links.leaf[kept], links.frame[kept], links.graph[kept] = (
                links.leaf[link],
                links.frame[link],
                links.graph[link],
            )
            kept += 1
    links.used[0] = kept
    for token in range(front.counts[TOKENS]):
        for link in (LINK, BLANK_LINK):
            tokens[token, link] = number[tokens[token, link]]
    for group in range(front.counts[GROUPS]):
        for link in (ROOT_LINK, ROOT_BLANK_LINK, ROOT_SECOND_LINK):
            groups[group, link] = number[groups[group, link]]


@kernel
def _compact_histories(front, histories, history_number, sequence_number, pair):
    groups, numbers, sequences = front.groups, histories.numbers, histories.sequences
    sequence_number[0] = 0
    for group in range(front.counts[GROUPS]):
        history_number[groups[group, HISTORY]] = 0
        sequence_number[histories.words[groups[group, HISTORY]]] = 0

    # The beginnings of what is kept are kept, too: the same words must get the same number when they come again.
    count = sequences.free[0]
    for place in range(len(sequences.number)):
        if sequences.number[place] >= 0:
            pair[sequences.number[place]] = sequences.pair[place]
    for sequence in range(count - 1, 0, -1):
        if sequence_number[sequence] != _UNUSED:
            sequence_number[pair[sequence] >> 32] = 0
    sequences.number[:] = VACANT
    sequences.free[0] = 1
    for sequence in range(1, count):
        if sequence_number[sequence] != _UNUSED:
            before = sequence_number[pair[sequence] >> 32]
            sequence_number[sequence] = number_of(sequences, before, pair[sequence] & _LOW_HALF)

    count = numbers.free[0]
    numbers.number[:] = VACANT
    numbers.free[0] = 0
    for history in range(count):
        if history_number[history] != _UNUSED:
            words, state = sequence_number[histories.words[history]], histories.state[history]
            kept = number_of(numbers, words, state)
            history_number[history] = kept
            histories.words[kept], histories.state[kept] = words, state
    for group in range(front.counts[GROUPS]):
        groups[group, HISTORY] = history_number[groups[group, HISTORY]]


_links_kept = KeptKernel(_compact_links)
_histories_kept = KeptKernel(_compact_histories)
