"""The CTC topology: the states that the paths of a transcript pass, and the most probable path (Graves et al. 2006)."""

import dataclasses
import math
from collections.abc import Sequence
from itertools import chain

import numpy as np

from speechtl.kernels.kept import KeptKernel
from speechtl.kernels.kernel import kernel
from speechtl.kernels.packed import Packed

# Frames times states whose backpointers are kept at once.
_AT_ONCE = 1 << 26
BLANK = 0
"""The unit of the blank; phones are units from 1 on."""


@dataclasses.dataclass(frozen=True)
class CtcGraph:
    """The states that paths of a transcript pass, numbered in order of time, and the arcs into each of them.

    Attributes:
        units: ``(states,)`` int32.
        words: ``(states,)`` int32: index of the word that a state belongs to, -1 for blanks and silence between words.
        variants: ``(states,)`` int32: which of its word's pronunciations.
        first_arc: ``(states + 1,)`` int32: the arcs into state s are ``first_arc[s]`` to ``first_arc[s + 1]``.
        sources: ``(arcs,)`` int32: where each arc comes from; a state's first arc is its loop.
        starts: states in which a path may start.
        finals: states in which it may end.
        entry_scores: ``(states,)`` log probability of entering each state from another one.
    """

    units: np.ndarray
    words: np.ndarray
    variants: np.ndarray
    first_arc: np.ndarray
    sources: np.ndarray
    starts: np.ndarray
    finals: np.ndarray
    entry_scores: np.ndarray


def ctc_graph(
    variants: Sequence[Sequence[Sequence[int]]],
    *,
    scores: Sequence[Sequence[float]] | None = None,
    silence: int | None = None,
    blank_first: bool = False,
) -> CtcGraph:
    """Build the graph of a sentence: optional blanks everywhere, and one that is required between equal units.

    Args:
        variants: for each word its pronunciations, as units; none of them empty.
        scores: their log probabilities; 0 by default.
        silence: a unit that may stand between words and at both ends, blanks around it.
        blank_first: how ties are broken, since of equally good predecessors the search takes the first: from the blank
            in front of a unit, or from the unit before it.
    """
    graph = _GraphBuilder(blank_first)
    ends = graph.add_gap([], silence)
    starts = ends[:2]  # The blank and the silence, but not the blank after it.
    for number, options in enumerate(variants):
        firsts, lasts = [], []
        for variant, said in enumerate(options):
            firsts.append(len(graph.units))
            lasts.append(graph.add_pronunciation(said, ends, number, variant))
            if scores:
                graph.entry_scores[firsts[-1]] = scores[number][variant]
        if not number:
            starts += firsts
        ends = graph.add_gap(lasts, silence)
    return graph.build(starts, ends)


class _GraphBuilder:
    """The states of a graph and their arcs, those that are preferred in a tie first."""

    def __init__(self, blank_first: bool):
        self.blank_first = blank_first
        self.units: list[int] = []
        self.words: list[int] = []
        self.variants: list[int] = []
        self.arcs: list[list[int]] = []
        self.entry_scores: dict[int, float] = {}

    def add_gap(self, before: Sequence[int], silence: int | None) -> list[int]:
        """Add what may stand between words; return every state that the next word may follow."""
        blank = self._add(BLANK, before, -1, 0)
        ends = [blank, *before] if self.blank_first else [*before, blank]
        if silence is not None:
            quiet = self._add(silence, ends, -1, 0)
            ends += [quiet, self._add(BLANK, [quiet], -1, 0)]
        return ends

    def add_pronunciation(self, said: Sequence[int], before: Sequence[int], word: int, variant: int) -> int:
        """Add the states of a pronunciation; return the last one."""
        units, arcs, last = self.units, self.arcs, self._add(said[0], before, word, variant)
        for unit in said[1:]:
            inner = last + 1
            arcs.append([inner, last])
            if units[last] == unit:
                arcs.append([inner + 1, inner])
            else:
                arcs.append([inner + 1, inner, last] if self.blank_first else [inner + 1, last, inner])
            units += (BLANK, unit)
            last = inner + 1
        self.words += [word] * (len(units) - len(self.words))
        self.variants += [variant] * (len(units) - len(self.variants))
        return last

    def build(self, starts: Sequence[int], finals: Sequence[int]) -> CtcGraph:
        """Return the graph."""
        entry_scores = np.zeros(len(self.units))
        entry_scores[list(self.entry_scores)] = list(self.entry_scores.values())
        return CtcGraph(
            np.array(self.units, np.int32),
            np.array(self.words, np.int32),
            np.array(self.variants, np.int32),
            np.cumsum([0, *map(len, self.arcs)], dtype=np.int32),
            np.fromiter(chain.from_iterable(self.arcs), np.int32),
            np.array(starts, np.int32),
            np.array(finals, np.int32),
            entry_scores,
        )

    def _add(self, unit: int, sources: Sequence[int], word: int, variant: int) -> int:
        state = len(self.units)
        # A blank is required between equal units.
        self.arcs.append([state, *(source for source in sources if not unit or self.units[source] != unit)])
        self.units.append(unit)
        self.words.append(word)
        self.variants.append(variant)
        return state


def viterbi(log_posteriors: np.ndarray, graph: CtcGraph) -> np.ndarray | None:
    """Return the state in each frame ``(frames,)`` of the most probable path; None if no path has a probability.

    Of a long recording with a long transcript only the scores at some frames are kept on the way forward; on the way
    back the frames between them are passed again. That takes twice as long, and the square root of the memory.
    """
    frames, states = len(log_posteriors), len(graph.units)
    if not frames:
        return np.zeros(0, np.int32)
    matrix = np.ascontiguousarray(log_posteriors, np.float32)
    arrays = [Packed(array) for array in (graph.units, graph.first_arc, graph.sources, graph.entry_scores)]
    size = frames if frames * states <= _AT_ONCE else max(math.isqrt(4 * frames), _AT_ONCE // states)
    scores = np.full(states, -np.inf)
    scores[graph.starts] = matrix[0, graph.units[graph.starts]] + graph.entry_scores[graph.starts]
    # Which of its arcs each state was entered by; 0 is always the loop.
    back = np.zeros((min(size, frames), states), np.int16)
    ways, room = Packed(back), Packed(np.empty(states))
    firsts = range(1, frames, size)
    kept = []
    for first in firsts:
        kept.append(scores)
        scores = scores.copy()
        _pass_kept(Packed(matrix[first : first + size]), *arrays, Packed(scores), ways, room)
    final = graph.finals[np.argmax(scores[graph.finals])]
    if not np.isfinite(scores[final]):
        return None
    path = np.empty(frames, np.int32)
    path[-1] = final
    for first in reversed(firsts):
        if first != firsts[-1]:
            _pass_kept(Packed(matrix[first : first + size]), *arrays, Packed(kept[(first - 1) // size]), ways, room)
        _trace_kept(Packed(path[first - 1 : first + size]), *arrays[1:3], ways)
    return path


@kernel
def _pass(log_posteriors, units, first_arc, sources, entry_scores, scores, back, now):
    """Pass frames: update the scores of all states, and fill how they were entered."""
    for frame in range(len(log_posteriors)):
        for state in range(len(units)):
            begin = first_arc[state]
            best, score = 0, scores[state]
            for arc in range(begin + 1, first_arc[state + 1]):
                entered = scores[sources[arc]] + entry_scores[state]
                if entered > score:
                    best, score = arc - begin, entered
            back[frame, state] = best
            now[state] = score + log_posteriors[frame, units[state]]
        for state in range(len(units)):
            scores[state] = now[state]


@kernel
def _trace(path, first_arc, sources, back):
    """Fill all but the last state of a path from it."""
    for frame in range(len(path) - 1, 0, -1):
        path[frame - 1] = sources[first_arc[path[frame]] + back[frame - 1, path[frame]]]


_pass_kept, _trace_kept = KeptKernel(_pass), KeptKernel(_trace)
