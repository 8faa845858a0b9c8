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
"""

from typing import NamedTuple

import numpy as np
from numba import njit, types
from numba.typed import Dict

BLOCK = 32
# Words of leaves that are none: silence, and phones in speech that is no word.
SILENCE, FILLER = -1, -2


class LeafArrays(NamedTuple):
    """What the search knows of each leaf (pronunciation)."""

    word: np.ndarray
    """``(leaves,)`` int32: the number of its word in the grammar, -1 for silence, -2 for a filler phone."""
    identity: np.ndarray
    """``(leaves,)`` int32: the number of its word in the lexicon, which tells hypotheses apart."""
    score: np.ndarray
    """``(leaves,)`` float32: what its words cost apart from the grammar."""


class LookAheadArrays(NamedTuple):
    """Arcs of the grammar again, sorted by state and leaf, for the best score in an interval of leaves."""

    first: np.ndarray
    """``(states + 1,)`` int64."""
    leaf: np.ndarray
    score: np.ndarray
    """``(entries,)`` int32 and float32: grammar and leaf together."""
    block: np.ndarray
    """``(blocks,)`` float32: the best of each 32 entries."""
    table: np.ndarray
    """``(states,)`` int32: the row of ``nodes`` that has the state's look-ahead, or -1."""
    nodes: np.ndarray
    """``(rows, nodes)`` float32."""
    root: np.ndarray
    """``(states,)`` float32: look-ahead of the root, ends of sentences included."""
    begin: np.ndarray
    """``(leaves,)`` int32: the child of the root below which a leaf is."""


class FillerCosts(NamedTuple):
    """What speech costs that is no word of the lexicon."""

    entry: float
    """Score of beginning a stretch of it."""
    phone: float
    """Score of each phone."""


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
def _find_arc(graph, state, word):
    """Return the arc of a word from a state, -1 if there is none."""
    low, high = graph.first_arc[state], graph.first_arc[state + 1]
    stop = high
    while low < high:
        middle = (low + high) >> 1
        if graph.word[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and graph.word[low] == word else -1


@njit(nogil=True, cache=True)
def _best_of_leaves(ahead, state, first_leaf, last_leaf):
    """Return the best of a state's own entries in an interval of leaves."""
    low, high = ahead.first[state], ahead.first[state + 1]
    stop = high
    while low < high:
        middle = (low + high) >> 1
        if ahead.leaf[middle] < first_leaf:
            low = middle + 1
        else:
            high = middle
    best = -np.inf
    while low < stop and ahead.leaf[low] < last_leaf:
        whole = low + BLOCK
        if low % BLOCK == 0 and whole <= stop and ahead.leaf[whole - 1] < last_leaf:
            best = max(best, ahead.block[low // BLOCK])
            low = whole
        else:
            best = max(best, ahead.score[low])
            low += 1
    return best


@njit(nogil=True, cache=True)
def _look_ahead(tree, leaves, graph, ahead, fillers, branching, node, state):
    """Return the best score of a word at or below a node after a state; -inf if the state knows none."""
    states = len(graph.back_off)
    if node >= branching:
        leaf = tree.first_leaf[node]
        word = leaves.word[leaf]
        if word == -1:
            return _root_look_ahead(ahead, fillers, states, state)
        if word == -2:
            return fillers.phone + (0.0 if state >= states else fillers.entry)
        if state >= states:
            return -np.inf
        arc = _find_arc(graph, state, word)
        return -np.inf if arc < 0 else graph.score[arc] + leaves.score[leaf]
    if state >= states:
        return -np.inf
    if ahead.table[state] >= 0:
        return ahead.nodes[ahead.table[state], node]
    return _best_of_leaves(ahead, state, tree.first_leaf[node], tree.last_leaf[node])


@njit(nogil=True, cache=True)
def _root_look_ahead(ahead, fillers, states, state):
    # States from ``states`` on stand after speech that is no word.
    if state >= states:
        return fillers.phone
    return max(ahead.root[state], fillers.phone + fillers.entry)


@njit(nogil=True, cache=True)
def _mixed(node, history):
    """Mix a node and a history into a place in the table of tokens."""
    mixed = np.uint64(node) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(history) * np.uint64(0xC2B2AE3D27D4EB4F)
    return np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(0x7FFFFFFFFFFFFFFF))


@njit(nogil=True, cache=True)
def _longer(array):
    result = np.empty(2 * len(array), array.dtype)
    result[: len(array)] = array
    return result


@njit(nogil=True, cache=True)
def _longer_rows(array):
    result = np.empty((array.shape[0], 2 * array.shape[1]), array.dtype)
    result[:, : array.shape[1]] = array
    return result


# Rows of the scores of tokens, and of their links. Tokens at the root also have a second best phone before.
_PHONE, _BLANK, _AHEAD, _SECOND = 0, 1, 2, 3


@njit(nogil=True, cache=True)
def _place(table, stamp, frame, node, history, nodes, histories):
    """Return where a token is in the table, or where it would be."""
    mask = len(table) - 1
    place = _mixed(node, history) & mask
    while stamp[place] == frame:
        token = table[place]
        if nodes[token] == node and histories[token] == history:
            return place
        place = (place + 1) & mask
    return place


@njit(nogil=True, cache=True)
def search(scores, skipped, tree, leaves, graph, ahead, fillers, branching, start, beam, max_active, sequences):
    """Find the best hypotheses of an utterance.

    Args:
        scores: ``(frames, units)`` float32: scaled log posteriors, unit 0 the blank.
        skipped: ``(frames,)`` bool: frames that can only be blank.
        tree: TreeArrays.
        leaves: LeafArrays.
        graph: GraphArrays.
        ahead: LookAheadArrays.
        fillers: FillerCosts, -inf for none.
        branching: nodes from here on are chains.
        start: first state of the grammar.
        beam: tokens this much below the best are dropped.
        max_active: tokens that survive a frame at most.
        sequences: True keeps histories of different words apart, for N-best lists.

    Returns:
        Found.
    """
    states = len(graph.back_off)
    room = 1 << 10
    table = np.empty(4 * room, np.int32)
    stamp = np.full(4 * room, -1, np.int32)
    nodes, histories = np.empty(room, np.int32), np.empty(room, np.int32)
    value = np.empty((4, room), np.float64)
    link = np.empty((3, room), np.int32)
    before = np.empty(room, np.int32)
    old_nodes, old_histories = np.empty(room, np.int32), np.empty(room, np.int32)
    old_value = np.empty((4, room), np.float64)
    old_link = np.empty((3, room), np.int32)
    old_before = np.empty(room, np.int32)

    link_before, link_leaf, link_frame = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    link_graph = np.empty(room, np.float64)
    links = 0
    branches = tree.last_child[0] - tree.first_child[0]
    # For N-best lists, a history is a pair of a word sequence and a state; both have numbers.
    history_state, history_words = np.empty(room, np.int32), np.empty(room, np.int32)
    numbers_of_words = Dict.empty(types.int64, types.int32)
    numbers_of_histories = Dict.empty(types.int64, types.int32)
    history_state[0], history_words[0] = start, 0
    history_count, sequence_count = 1, 1

    # At the start: the first state, and those that it backs off to.
    count, state, score = 0, start, 0.0
    while True:
        history = state
        if sequences:
            history = count
            history_state[count], history_words[count] = state, 0
            numbers_of_histories[np.int64(state)] = np.int32(count)
            history_count = count + 1
        look = _root_look_ahead(ahead, fillers, states, state)
        if look > -np.inf or graph.back_off[state] < 0:
            old_nodes[count], old_histories[count] = 0, history
            old_value[_PHONE, count] = old_value[_SECOND, count] = -np.inf
            old_value[_AHEAD, count] = look
            old_value[_BLANK, count] = score + look
            if links == len(link_leaf):
                break
            link_before[links], link_leaf[links], link_frame[links], link_graph[links] = -1, -1, -1, score
            old_link[:, count] = links
            old_before[count] = -1
            links += 1
            count += 1
        if graph.back_off[state] < 0:
            break
        score += graph.back_off_score[state]
        state = graph.back_off[state]
    # Scores are kept relative to this, which grows by what all tokens have in common.
    offset = 0.0
    threshold = -np.inf
    blank_since = False

    for frame in range(len(scores)):
        row = scores[frame]
        if skipped[frame]:
            offset += row[0]
            blank_since = True
            continue
        if blank_since:
            for token in range(count):
                if old_value[_PHONE, token] > old_value[_BLANK, token]:
                    old_value[_BLANK, token] = old_value[_PHONE, token]
                    old_link[_BLANK, token] = old_link[_PHONE, token]
                old_value[_PHONE, token] = -np.inf
                old_value[_SECOND, token] = -np.inf
            blank_since = False
        blank = row[0]
        likeliest = -np.inf
        for unit in range(1, len(row)):
            likeliest = max(likeliest, row[unit])
        new, best = 0, -np.inf
        cutoff = -np.inf
        for token in range(count):
            node, history = old_nodes[token], old_histories[token]
            by_phone, by_blank = old_value[_PHONE, token], old_value[_BLANK, token]
            either, either_link = by_blank, old_link[_BLANK, token]
            if by_phone > either:
                either, either_link = by_phone, old_link[_PHONE, token]
            if either < threshold or either + max(blank, likeliest) < cutoff:
                continue
            # Staying: the phone again, or a blank.
            again = -np.inf if node == 0 else by_phone + row[tree.unit[node]]
            rest = either + blank
            # A blank at a node without children leads nowhere: its word ended with the phone.
            if node != 0 and tree.first_child[node] == tree.last_child[node]:
                rest = -np.inf
            stay = max(again, rest)
            if stay >= cutoff and stay > -np.inf:
                if new + 1 >= room:
                    room *= 2
                    nodes, histories, before = _longer(nodes), _longer(histories), _longer(before)
                    value, link = _longer_rows(value), _longer_rows(link)
                    table, stamp = _grown(stamp, frame, nodes, histories, new)
                place = _place(table, stamp, frame, node, history, nodes, histories)
                if stamp[place] != frame:
                    stamp[place] = frame
                    table[place] = new
                    nodes[new], histories[new] = node, history
                    value[_PHONE, new], value[_BLANK, new], value[_SECOND, new] = again, rest, -np.inf
                    value[_AHEAD, new] = old_value[_AHEAD, token]
                    link[_PHONE, new], link[_BLANK, new] = old_link[_PHONE, token], either_link
                    new += 1
                else:
                    other = table[place]
                    if again > value[_PHONE, other]:
                        value[_PHONE, other], link[_PHONE, other] = again, old_link[_PHONE, token]
                    if rest > value[_BLANK, other]:
                        value[_BLANK, other], link[_BLANK, other] = rest, either_link
                if stay > best:
                    best = stay
                    cutoff = best - beam
            if either + likeliest < cutoff:
                continue
            # Going on to the next phone.
            state = history_state[history] if sequences else history
            look = old_value[_AHEAD, token]
            first_child, last_child = tree.first_child[node], tree.last_child[node]
            # At the root, numbers from here on are children (then chains), those below are entries of the grammar.
            first_number, entry = 0, 0
            if node == 0:
                first_child, last_child = 0, len(tree.root_children)
                if state >= states:
                    first_child = branches
                elif ahead.table[state] < 0:
                    entry = ahead.first[state + 1] - ahead.first[state]
                    if entry <= branches:
                        first_number, first_child = branches, branches - entry
                        entry = ahead.first[state + 1] - branches
            last_begin = -1
            for number in range(first_child, last_child):
                child = number
                if node == 0:
                    if number < first_number:
                        child = ahead.begin[ahead.leaf[entry + number]]
                        # Entries are sorted by leaf, so those below one child follow each other.
                        if child == last_begin:
                            continue
                        last_begin = child
                    else:
                        child = tree.root_children[number]
                unit = tree.unit[child]
                if either + row[unit] < cutoff:
                    continue
                source, source_link = either, either_link
                if node == 0:
                    # The phone before may not be this one without a blank between.
                    if old_before[token] == unit:
                        source, source_link = by_blank, old_link[_BLANK, token]
                        if old_value[_SECOND, token] > source:
                            source, source_link = old_value[_SECOND, token], old_link[2, token]
                elif tree.unit[node] == unit:
                    source, source_link = by_blank, old_link[_BLANK, token]
                if source + row[unit] < cutoff or source == -np.inf:
                    continue
                child_look = look
                if (
                    node == 0
                    or tree.first_leaf[child] != tree.first_leaf[node]
                    or tree.last_leaf[child] != tree.last_leaf[node]
                ):
                    child_look = _look_ahead(tree, leaves, graph, ahead, fillers, branching, child, state)
                score = source + row[unit] + child_look - look
                if score < cutoff or score == -np.inf:
                    continue
                if new + 1 >= room:
                    room *= 2
                    nodes, histories, before = _longer(nodes), _longer(histories), _longer(before)
                    value, link = _longer_rows(value), _longer_rows(link)
                    table, stamp = _grown(stamp, frame, nodes, histories, new)
                place = _place(table, stamp, frame, child, history, nodes, histories)
                if stamp[place] != frame:
                    stamp[place] = frame
                    table[place] = new
                    nodes[new], histories[new] = child, history
                    value[_PHONE, new], value[_BLANK, new] = score, -np.inf
                    value[_AHEAD, new], value[_SECOND, new] = child_look, -np.inf
                    link[_PHONE, new] = source_link
                    new += 1
                else:
                    other = table[place]
                    if score > value[_PHONE, other]:
                        value[_PHONE, other], link[_PHONE, other] = score, source_link
                if score > best:
                    best = score
                    cutoff = best - beam

        # Words that end here.
        inside = new
        for token in range(inside):
            node = nodes[token]
            if node == 0 or value[_PHONE, token] < cutoff or tree.own_leaf[node] == tree.first_leaf[node]:
                continue
            history = histories[token]
            state = history_state[history] if sequences else history
            for leaf in range(tree.first_leaf[node], tree.own_leaf[node]):
                word = leaves.word[leaf]
                if word == -1:
                    gain, next_state = 0.0, state
                elif word == -2:
                    gain = fillers.phone + (0.0 if state >= states else fillers.entry)
                    next_state = state if state >= states else states + graph.after_unknown[state]
                else:
                    arc = _find_arc(graph, state, word)
                    if arc < 0:
                        continue
                    gain, next_state = graph.score[arc] + leaves.score[leaf], graph.target[arc]
                reached = value[_PHONE, token] - value[_AHEAD, token] + gain
                words = 0
                if sequences:
                    words = history_words[history]
                    if word != -1:
                        pair = (np.int64(words) << 32) | np.int64(leaves.identity[leaf] & 0xFFFFFFFF)
                        if pair not in numbers_of_words:
                            numbers_of_words[pair] = np.int32(sequence_count)
                            sequence_count += 1
                        words = numbers_of_words[pair]
                unit = tree.unit[node]
                # The state after the word, and those that it backs off to.
                while True:
                    look = _root_look_ahead(ahead, fillers, states, next_state)
                    score = reached + look
                    if score >= cutoff and score > -np.inf:
                        next_history = next_state
                        if sequences:
                            pair = (np.int64(words) << 32) | np.int64(next_state)
                            if pair not in numbers_of_histories:
                                if history_count == len(history_state):
                                    history_state, history_words = _longer(history_state), _longer(history_words)
                                history_state[history_count], history_words[history_count] = next_state, words
                                numbers_of_histories[pair] = np.int32(history_count)
                                history_count += 1
                            next_history = numbers_of_histories[pair]
                        if new + 1 >= room:
                            room *= 2
                            nodes, histories, before = _longer(nodes), _longer(histories), _longer(before)
                            value, link = _longer_rows(value), _longer_rows(link)
                            table, stamp = _grown(stamp, frame, nodes, histories, new)
                        place = _place(table, stamp, frame, 0, next_history, nodes, histories)
                        if stamp[place] != frame:
                            stamp[place] = frame
                            table[place] = new
                            nodes[new], histories[new] = 0, next_history
                            value[:, new] = -np.inf
                            value[_AHEAD, new] = look
                            link[:, new] = -1
                            new += 1
                        other = table[place]
                        if value[_PHONE, other] == -np.inf:
                            before[other] = -1
                        if score > value[_PHONE, other] or (unit != before[other] and score > value[_SECOND, other]):
                            if links == len(link_leaf):
                                link_before, link_leaf = _longer(link_before), _longer(link_leaf)
                                link_frame, link_graph = _longer(link_frame), _longer(link_graph)
                            source_link = link[_PHONE, token]
                            link_before[links], link_leaf[links], link_frame[links] = source_link, leaf, frame
                            link_graph[links] = link_graph[source_link] + gain
                            if score > value[_PHONE, other]:
                                if unit != before[other]:
                                    value[_SECOND, other], link[2, other] = value[_PHONE, other], link[_PHONE, other]
                                value[_PHONE, other], link[_PHONE, other], before[other] = score, links, unit
                            else:
                                value[_SECOND, other], link[2, other] = score, links
                            links += 1
                            if score > best:
                                best = score
                                cutoff = best - beam
                    if next_state >= states:
                        # After speech that is no word, words follow as after the state itself.
                        next_state -= states
                    elif graph.back_off[next_state] >= 0:
                        reached += graph.back_off_score[next_state]
                        gain += graph.back_off_score[next_state]
                        next_state = graph.back_off[next_state]
                    else:
                        break
                    if word == -1:
                        break

        threshold = cutoff
        if new > max_active:
            tops = np.maximum(value[_PHONE, :new], value[_BLANK, :new])
            threshold = max(threshold, np.partition(tops, new - max_active)[new - max_active])
        # Small numbers keep their digits.
        if best > -np.inf:
            for token in range(new):
                value[_PHONE, token] -= best
                value[_BLANK, token] -= best
                value[_SECOND, token] -= best
            offset += best
            threshold -= best
        old_nodes, nodes = nodes, old_nodes
        old_histories, histories = histories, old_histories
        old_value, value = value, old_value
        old_link, link = link, old_link
        old_before, before = before, old_before
        if len(nodes) < room:
            nodes, histories, before = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
            value, link = np.empty((4, room), np.float64), np.empty((3, room), np.int32)
        count = new
        if count == 0:
            break

    # Sentences may end where a word has ended.
    ends = 0
    end_score, end_graph = np.empty(count + 1, np.float64), np.empty(count + 1, np.float64)
    end_link, end_words = np.empty(count + 1, np.int32), np.empty(count + 1, np.int32)
    cut_node, cut_score = -1, -np.inf
    for token in range(count):
        by_phone = old_value[_PHONE, token] >= old_value[_BLANK, token]
        score = old_value[_PHONE if by_phone else _BLANK, token]
        last_link = old_link[_PHONE if by_phone else _BLANK, token]
        if score == -np.inf:
            continue
        final = -np.inf
        if old_nodes[token] == 0:
            state = history_state[old_histories[token]] if sequences else old_histories[token]
            final = graph.final[state % states]
        if final > -np.inf:
            end_score[ends] = score - old_value[_AHEAD, token] + final + offset
            end_graph[ends] = link_graph[last_link] + final
            end_link[ends] = last_link
            end_words[ends] = history_words[old_histories[token]] if sequences else ends
            ends += 1
        elif ends == 0 and score > cut_score:
            cut_score, cut_node = score, old_nodes[token]
            end_score[count] = score - old_value[_AHEAD, token] + offset
            end_graph[count], end_link[count] = link_graph[last_link], last_link
    if ends == 0:
        if cut_node < 0:
            end_score[count], end_graph[count], end_link[count], cut_node = -np.inf, 0.0, -1, 0
        order = np.full(1, count)
    else:
        cut_node = -1
        order = np.argsort(-end_score[:ends])
        if sequences:
            # The same words may end in several states.
            seen = np.zeros(sequence_count, np.bool_)
            kept = 0
            for number in order:
                if not seen[end_words[number]]:
                    seen[end_words[number]] = True
                    order[kept] = number
                    kept += 1
            order = order[:kept]
    return Found(
        link_before[:links],
        link_leaf[:links],
        link_frame[:links],
        end_link[order],
        end_score[order],
        end_graph[order],
        cut_node,
    )


@njit(nogil=True, cache=True)
def _grown(stamp, frame, nodes, histories, count):
    """Return a table of twice the size with the same tokens in it."""
    table = np.empty(2 * len(stamp), np.int32)
    new_stamp = np.full(2 * len(stamp), -1, np.int32)
    for token in range(count):
        place = _place(table, new_stamp, frame, nodes[token], histories[token], nodes, histories)
        new_stamp[place] = frame
        table[place] = token
    return table, new_stamp
