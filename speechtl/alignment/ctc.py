"""Forced alignment: when was each phone and word of a known transcript said?

The most probable path through the CTC topology (Graves et al. 2006), with parallel branches where a word has several
pronunciations and an optional silence between words. CTC posteriors are peaks: a phone is on for a frame or two, blanks
fill the rest, and say nothing. So neighbours share the blanks between them, and long stretches of blanks between words
are taken for pauses.
"""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numba
import numpy as np

from speechtl.alignment.span import Span
from speechtl.errors import DataError
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phones import PhoneInventory

_IMPOSSIBLE = (
    "these posteriors give the text no probability at all; check that they are natural logarithms of a model's"
)


def frames_needed(units: Sequence[int] | np.ndarray) -> int:
    """Return the fewest frames in which CTC can write units: one each, and a blank between equal ones."""
    return len(units) + sum(bool(first == second) for first, second in pairwise(units))


@dataclasses.dataclass(frozen=True)
class Alignment:
    """The most probable path of some units.

    Attributes:
        starts: ``(units,)`` first frame in which each unit is on.
        ends: ``(units,)`` one past the last one; the frames between two units are blanks.
        score: sum of the log posteriors along the path.
    """

    starts: np.ndarray
    ends: np.ndarray
    score: float


@dataclasses.dataclass(frozen=True)
class WordAlignment:
    """The words of an utterance in time. Frames that belong to no word are silence.

    Attributes:
        words: one span for each word.
        phones: one span for each phone of the chosen pronunciations; they tile their word.
        word_of_phone: for each phone, the index of its word.
        score: sum of the log posteriors along the path; probabilities of pronunciations are not in it.
    """

    words: tuple[Span, ...]
    phones: tuple[Span, ...]
    word_of_phone: tuple[int, ...]
    score: float


@dataclasses.dataclass(frozen=True)
class Pauses:
    """When blanks are silence.

    Attributes:
        gap: between two words, more blanks than so many frames are a pause.
        before: so many frames in front of its first unit still belong to a word behind a pause.
        behind: so many behind its last unit still belong to a word; sounds last longer there.
    """

    gap: int = 7
    before: int = 2
    behind: int = 4

    @classmethod
    def of(cls, frame_shift: float) -> "Pauses":
        """Return what does best at so many seconds between frames (measured on Russian sentences)."""
        return cls(round(0.2 / frame_shift), round(0.06 / frame_shift), round(0.11 / frame_shift))


def align_units(log_posteriors: np.ndarray, units: Sequence[int]) -> Alignment:
    """Find the most probable CTC path that writes ``units``.

    Args:
        log_posteriors: natural logarithms ``(frames, units)``; unit 0 is the blank.
        units: what is said, from 1.

    Raises:
        DataError: there are fewer frames than the units need, or no path has a probability.
    """
    labels = np.asarray(units, np.int32)
    # States: blank, unit, blank, unit, ..., blank.
    states = 2 * len(labels) + 1
    of_state = np.zeros(states, np.int32)
    of_state[1::2] = labels
    arcs = [[state, *([state - 1] if state else [])] for state in range(states)]
    for state in range(3, states, 2):
        if of_state[state] != of_state[state - 2]:
            arcs[state].append(state - 2)
    graph = _Graph(of_state, arcs, starts=[0, 1][:states], finals=[states - 2, states - 1][-states:])
    path, score = graph.best_path(log_posteriors, frames_needed(labels))
    return Alignment(*_runs(path, np.arange(1, states, 2)), score)


def align_words(
    log_posteriors: np.ndarray,
    words: Sequence[str],
    lexicon: Lexicon,
    inventory: PhoneInventory,
    *,
    silence_phone: str = "sil",
    pauses: Pauses | None = None,
) -> WordAlignment:
    """Align words, each in the pronunciation that fits best.

    Args:
        log_posteriors: natural logarithms ``(frames, units)``; unit 0 is the blank.
        words: the transcript.
        lexicon: their pronunciations. One with phones that the inventory lacks is passed over if the word has others.
        inventory: the phones of the units.
        silence_phone: if the inventory has it, it may stand between words and at both ends.
        pauses: when blanks are silence.

    Raises:
        LexiconError: words that the lexicon lacks, or whose phones the inventory lacks; all listed.
        DataError: there are too few frames for the text, or no path has a probability.
    """
    lexicon.phones_of(words)  # Names every unknown word.
    variants: dict[str, list[tuple[list[int], float]]] = {}
    unknown: dict[str, None] = {}
    for word in dict.fromkeys(words):
        known = [said for said in lexicon.pronounce(word) if all(phone in inventory for phone in said.phones)]
        variants[word] = [(inventory.encode(said.phones), float(np.log(said.probability))) for said in known]
        if not known:
            unknown |= dict.fromkeys(p for said in lexicon.pronounce(word) for p in said.phones if p not in inventory)
    if unknown:
        inventory.encode(unknown)  # Names them and their nearest neighbours.
    silence = inventory.index(silence_phone) if silence_phone in inventory else None
    return _align(log_posteriors, words, [variants[word] for word in words], inventory, silence, pauses or Pauses())


def align_phones(
    log_posteriors: np.ndarray,
    phones: Sequence[str],
    inventory: PhoneInventory,
    *,
    pauses: Pauses | None = None,
) -> WordAlignment:
    """Align a transcript of phones: every phone is a word of its own, and pauses may be anywhere.

    Raises:
        LexiconError: phones that the inventory lacks, all listed.
        DataError: there are too few frames, or no path has a probability.
    """
    variants = [[([unit], 0.0)] for unit in inventory.encode(phones)]
    return _align(log_posteriors, phones, variants, inventory, None, pauses or Pauses())


def share_blanks(
    log_posteriors: np.ndarray,
    units: Sequence[int],
    alignment: Alignment,
    may_pause: Sequence[bool],
    pauses: Pauses,
) -> tuple[np.ndarray, np.ndarray]:
    """Give the blanks around and between units to them.

    The blanks between two units are divided where that makes the posteriors of the one before and the other behind most
    probable, blank apart.

    Args:
        log_posteriors: natural logarithms ``(frames, units)``.
        units: what was aligned.
        alignment: the frames in which each is on.
        may_pause: for each unit, whether there may be a pause in front of it.
        pauses: which blanks are silence.

    Returns:
        First frame and end of each unit ``(units,)``, in order and without overlap; apart from pauses without gaps.
    """
    starts, ends = alignment.starts.copy(), alignment.ends.copy()
    if not len(starts):
        return starts, ends
    for after in range(1, len(starts)):
        first, last = int(ends[after - 1]), int(starts[after])
        if may_pause[after] and last - first > max(pauses.gap, pauses.behind + pauses.before):
            ends[after - 1], starts[after] = first + pauses.behind, last - pauses.before
        elif last > first:
            between = log_posteriors[first:last]
            gain = between[:, units[after - 1]] - between[:, units[after]]
            total = np.concatenate([[0.0], np.cumsum(gain, dtype=np.float64)])
            best = np.flatnonzero(total >= total.max() - 1e-9)
            # Of equals the one nearest the middle, as for two equal units.
            ends[after - 1] = starts[after] = first + best[np.abs(best - (last - first) / 2).argmin()]
    starts[0] = max(starts[0] - pauses.before, 0)
    ends[-1] = min(ends[-1] + pauses.behind, len(log_posteriors))
    return starts, ends


def _align(
    log_posteriors: np.ndarray,
    words: Sequence[str],
    variants: Sequence[Sequence[tuple[list[int], float]]],
    inventory: PhoneInventory,
    silence: int | None,
    pauses: Pauses,
) -> WordAlignment:
    needed = sum(min(len(said) for said, _ in options) for options in variants)
    if all(len(options) == 1 for options in variants):
        needed = frames_needed([unit for options in variants for unit in options[0][0]])
    graph, owners = _word_graph(variants, silence)
    path, score = graph.best_path(log_posteriors, needed)
    said = np.unique(path[graph.units[path] > 0])  # States are numbered in the order of time.
    on, off = _runs(path, said)
    units = graph.units[said].tolist()
    owner = [owners[state] for state in said]
    # A pause can be in front of a word, and next to a silence phone, which is no word.
    first_of_word = [number == 0 or owner[number] != owner[number - 1] for number in range(len(said))]
    starts, ends = share_blanks(log_posteriors, units, Alignment(on, off, score), first_of_word, pauses)
    confidence = [float(np.exp(log_posteriors[a:b, u]).mean()) for a, b, u in zip(on, off, units, strict=True)]
    word_spans, phone_spans, word_of_phone = [], [], []
    for number, word in enumerate(words):
        mine = [place for place, whose in enumerate(owner) if whose == number]
        sure = sum(confidence[place] for place in mine) / len(mine)
        word_spans.append(Span(word, int(starts[mine[0]]), int(ends[mine[-1]]), sure))
        for place in mine:
            phone = inventory.phone(units[place])
            phone_spans.append(Span(phone, int(starts[place]), int(ends[place]), confidence[place]))
            word_of_phone.append(number)
    return WordAlignment(tuple(word_spans), tuple(phone_spans), tuple(word_of_phone), score)


class _Graph:
    """States with units, and the arcs into each state."""

    def __init__(
        self,
        units: np.ndarray,
        arcs: Sequence[Sequence[int]],
        starts: Sequence[int],
        finals: Sequence[int],
        entry_scores: np.ndarray | None = None,
    ):
        self.units = units.astype(np.int32)
        self.first_arc = np.concatenate([[0], np.cumsum([len(row) for row in arcs])]).astype(np.int32)
        self.sources = np.array([source for row in arcs for source in row], np.int32)
        self.starts, self.finals = np.array(starts, np.int32), np.array(finals, np.int32)
        self.entry_scores = np.zeros(len(units)) if entry_scores is None else entry_scores

    def best_path(self, log_posteriors: np.ndarray, needed: int) -> tuple[np.ndarray, float]:
        """Return the state of each frame and the sum of their log posteriors.

        Raises:
            DataError: fewer than ``needed`` frames, or no path.
        """
        frames = len(log_posteriors)
        if frames < needed:
            raise DataError(
                f"too short for its text (got {frames} frames of posteriors, expected at least {needed}); "
                "check that recording and transcript belong together"
            )
        if not frames:
            return np.zeros(0, np.int32), 0.0
        posteriors = np.ascontiguousarray(log_posteriors, np.float32)
        path, score = _viterbi(
            posteriors, self.units, self.first_arc, self.sources, self.starts, self.finals, self.entry_scores
        )
        if not np.isfinite(score):
            raise DataError(_IMPOSSIBLE)
        return path, float(posteriors[np.arange(frames), self.units[path]].sum(dtype=np.float64))


def _word_graph(
    variants: Sequence[Sequence[tuple[list[int], float]]], silence: int | None
) -> tuple[_Graph, list[int | None]]:
    """Build the graph of a sentence, and say which word owns each state (None: blanks between words, silence)."""
    units: list[int] = []
    arcs: list[list[int]] = []
    owners: list[int | None] = []
    entry_scores: list[float] = []
    starts: list[int] = []

    def add(unit: int, sources: Sequence[int], owner: int | None = None, score: float = 0.0) -> int:
        state = len(units)
        units.append(unit)
        # Between two equal units there must be a blank.
        arcs.append([state, *(source for source in sources if not unit or units[source] != unit)])
        owners.append(owner)
        entry_scores.append(score)
        return state

    def add_gap(before: Sequence[int], first: bool) -> list[int]:
        """Add what may stand between words; return every state that the next word may follow."""
        blank = add(0, before)
        ends = [*before, blank]
        starts.extend([blank] * first)
        if silence is not None:
            quiet = add(silence, ends)
            starts.extend([quiet] * first)
            ends += [quiet, add(0, [quiet])]
        return ends

    ends = add_gap([], True)
    for number, options in enumerate(variants):
        lasts = []
        for said, score in options:
            last = add(said[0], ends, number, score)
            starts.extend([last] * (number == 0))
            for unit in said[1:]:
                last = add(unit, [last, add(0, [last], number)], number)
            lasts.append(last)
        ends = add_gap(lasts, False)
    return _Graph(np.array(units), arcs, starts, ends, np.array(entry_scores)), owners


@numba.njit(nogil=True, cache=True)
def _viterbi(log_posteriors, units, first_arc, sources, starts, finals, entry_scores):  # pragma: no cover
    frames, states = len(log_posteriors), len(units)
    scores = np.full(states, -np.inf)
    for state in starts:
        scores[state] = log_posteriors[0, units[state]] + entry_scores[state]
    now = np.empty(states)
    # Which of its arcs each state was entered by; 0 is always the loop.
    back = np.zeros((frames, states), np.int16)
    for frame in range(1, frames):
        for state in range(states):
            begin = first_arc[state]
            best, score = 0, scores[state]
            for arc in range(begin + 1, first_arc[state + 1]):
                entered = scores[sources[arc]] + entry_scores[state]
                if entered > score:
                    best, score = arc - begin, entered
            back[frame, state] = best
            now[state] = score + log_posteriors[frame, units[state]]
        scores, now = now, scores
    state = finals[0]
    for other in finals:
        if scores[other] > scores[state]:
            state = other
    total = scores[state]
    path = np.empty(frames, np.int32)
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state = sources[first_arc[state] + back[frame, state]]
    return path, total


def _runs(path: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where in the path each of the states, all of them on it, starts and ends."""
    return np.searchsorted(path, states, "left"), np.searchsorted(path, states, "right")
