"""Choose, for every word of an utterance, the pronunciation that the recording fits best."""

from collections.abc import Sequence

import numpy as np

from speechtl.alignment.ctc import frames_needed


def choose_pronunciations(log_posteriors: np.ndarray, variants: Sequence[Sequence[Sequence[int]]]) -> list[int]:
    """Find the most probable CTC path through all pronunciations of all words, and say which it takes.

    Viterbi search (in the log domain) over the graph in which every word's pronunciations are parallel branches, with
    optional blanks everywhere and a blank required between equal units.

    Args:
        log_posteriors: ``(frames, units)``, unit 0 is the blank.
        variants: for each word, its pronunciations as units.

    Returns:
        For each word, the index of its pronunciation. All zeros if there are too few frames for any choice.
    """
    if all(len(word) == 1 for word in variants) or not len(log_posteriors):
        return [0] * len(variants)
    units, before, owner, final = _graph(variants)
    frames, states = len(log_posteriors), len(units)
    score = np.full(states + 1, -np.inf)  # the last entry stands for "no predecessor"
    starts = before[:, 0] == -2
    score[:-1][starts] = log_posteriors[0, units[starts]]
    # Column 0 says "may start here"; the others are predecessors, -1 for none, which indexes the -inf at the end.
    arcs = before[:, 1:]
    back = np.zeros((frames, states), np.int32)
    for frame in range(1, frames):
        candidates = score[arcs]
        best = candidates.argmax(axis=1)
        back[frame] = arcs[np.arange(states), best]
        score[:-1] = candidates[np.arange(states), best] + log_posteriors[frame, units]
    end = max(final, key=lambda state: score[state])
    chosen = [0] * len(variants)
    if score[end] == -np.inf:
        return chosen
    state = end
    for frame in range(frames - 1, -1, -1):
        if owner[state] is not None:
            word, variant = owner[state]
            chosen[word] = variant
        if frame:
            state = back[frame, state]
    return chosen


def _graph(variants):
    """Build the states: a blank, then for each word its branches of units and inner blanks, then the blank behind it.

    Returns:
        ``units (states,)``; ``before (states, 1 + predecessors)`` with -2 in column 0 where a path may start and -1
        where there is no predecessor; the (word, variant) that owns each state, None for blanks between words; the
        final states.
    """
    units, before, owner = [0], [[0]], [None]
    may_start = {0}
    entries = [
        0
    ]  # states that a word's first unit may follow: the blank before it and the last units of the word before
    for number, word in enumerate(variants):
        lasts = []
        for variant, phones in enumerate(word):
            for position, unit in enumerate(phones):
                state = len(units)
                if position == 0:
                    previous = [e for e in entries if units[e] != unit]
                    if number == 0:
                        may_start.add(state)
                else:
                    inner = state  # the blank inside the word, between the unit before and this one
                    units.append(0)
                    before.append([inner, inner - 1])
                    owner.append((number, variant))
                    state += 1
                    previous = [inner] + ([inner - 1] if units[inner - 1] != unit else [])
                units.append(unit)
                before.append([state, *previous])
                owner.append((number, variant))
            lasts.append(len(units) - 1)
        blank = len(units)
        units.append(0)
        before.append([blank, *lasts])
        owner.append(None)
        entries = [blank, *lasts]
    width = max(map(len, before))
    table = np.full((len(units), 1 + width), -1, np.int32)
    for state, previous in enumerate(before):
        table[state, 1 : 1 + len(previous)] = previous
        table[state, 0] = -2 if state in may_start else -1
    return np.array(units), table, owner, entries


def chosen_labels(variants: Sequence[Sequence[Sequence[int]]], chosen: Sequence[int], frames: int) -> list[int] | None:
    """Return the units of the chosen pronunciations, or None if they do not fit into ``frames``."""
    labels = [unit for word, index in zip(variants, chosen, strict=True) for unit in word[index]]
    return labels if frames_needed(labels) <= frames else None
