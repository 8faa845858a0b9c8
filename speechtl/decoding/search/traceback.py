"""Traceback: from the links of a search to words, phones and their times."""

import dataclasses
import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from speechtl.alignment.ctc import CtcAlignment, align_units
from speechtl.alignment.span import Hypothesis, Span
from speechtl.alignment.words import Pauses, share_blanks
from speechtl.decoding.search.ends import Found
from speechtl.decoding.search.prefix_tree import FILLER, SILENCE, PrefixTree
from speechtl.errors import DataError
from speechtl.kernels.kept import KeptKernel
from speechtl.kernels.kernel import kernel
from speechtl.kernels.packed import Packed
from speechtl.lang.phone_inventory import PhoneInventory

# Frames times phones that are aligned at once, and otherwise frames of a part.
_AT_ONCE, _PART = 1 << 25, 3000


class _Ways(NamedTuple):
    """From each leaf to the root, as in `Leaves` and `PrefixTree`."""

    node: np.ndarray
    parent: np.ndarray
    unit: np.ndarray


@dataclasses.dataclass(frozen=True)
class Leaves:
    """What is needed to read a chain of links.

    Attributes:
        tree: the tree.
        node: ``(leaves,)`` where each leaf ends.
        label: ``(leaves,)`` as in ``LeafArrays.word``.
        identity: ``(leaves,)`` index of each leaf's word.
        words: the words.
    """

    tree: PrefixTree
    node: np.ndarray
    label: np.ndarray
    identity: np.ndarray
    words: Sequence[str]

    @functools.cached_property
    def packed(self) -> Packed:
        """The way from each leaf to the root, as kernels read it."""
        return Packed(_Ways(self.node, self.tree.parent, self.tree.unit))


@dataclasses.dataclass(frozen=True)
class TokenPath:
    """One hypothesis with what its words and phones come from.

    Attributes:
        hypothesis: without spans.
        units: of the phones, silence included.
        owners: for each phone the index of its word, -1 for silence and for the beginning of a word that was cut.
        ends: ``(words,)`` the frame in which each word ended in the search.
    """

    hypothesis: Hypothesis
    units: tuple[int, ...]
    owners: tuple[int, ...]
    ends: tuple[int, ...]

    def phones_of_words(self) -> list[list[int]]:
        """Return for each word the numbers of its phones."""
        own: list[list[int]] = [[] for _ in self.ends]
        for number, owner in enumerate(self.owners):
            if owner >= 0:
                own[owner].append(number)
        return own


def oov_word(phones: Iterable[str]) -> str:
    """Return how out-of-vocabulary speech is written: its phones, marked."""
    return f"<oov:{'_'.join(phones)}>"


def is_oov(word: str) -> bool:
    """Return whether ``oov_word`` wrote this."""
    return word.startswith("<oov:")


def follow(found: Found, place: int, leaves: Leaves, inventory: PhoneInventory) -> TokenPath:
    """Read one of the hypotheses that a search found."""
    score, graph_score = float(found.end_score[place]), float(found.end_graph[place])
    if score == -math.inf:
        return TokenPath(Hypothesis((), (), score, complete=False), (), (), ())
    tree = leaves.tree
    chain, frames, said_units, lengths = _read(found, found.end_link[place], leaves)
    units: list[int] = said_units.tolist()
    words: list[str] = []
    owners: list[int] = []
    ends: list[int] = []
    outside = False
    labels, identities = leaves.label[chain].tolist(), leaves.identity[chain].tolist()
    for label, identity, frame, length in zip(labels, identities, frames.tolist(), lengths.tolist(), strict=True):
        if label == FILLER and outside:
            ends[-1] = frame
        elif label != SILENCE:
            words.append("" if label == FILLER else leaves.words[identity])
            ends.append(frame)
        outside = label == FILLER or (label == SILENCE and outside)
        owners += [-1 if label == SILENCE else len(words) - 1] * length
    if found.node > 0:
        rest = tree.units_to(found.node)
        units, owners = units + rest, owners + [-1] * len(rest)
    phones = inventory.decode(units)
    for number, word in enumerate(words):
        if not word:
            words[number] = oov_word(phone for phone, whose in zip(phones, owners, strict=True) if whose == number)
    hypothesis = Hypothesis(
        tuple(words), tuple(phones), score, score - graph_score, graph_score, complete=found.node < 0
    )
    return TokenPath(hypothesis, tuple(units), tuple(owners), tuple(ends))


class _Links(NamedTuple):
    """Chains back in time, as in `Found`."""

    before: np.ndarray
    leaf: np.ndarray
    frame: np.ndarray


# Rows of what is read of a chain: the leaves, the frames in which they ended, how many units each has, all units.
_LEAVES, _FRAMES, _LENGTHS, _SAID = range(4)


def _read(found: Found, link: int, leaves: Leaves) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the leaves of a chain of links in the order of time, their frames, all their units, how many each has."""
    links = _Links(found.link_before, found.link_leaf, found.link_frame)
    # A unit takes a frame at least, and none comes after the last word's end. A chain is read from there on.
    read = np.empty((4, int(found.link_frame[link]) + 1 if link >= 0 else 0), np.int32)
    both = _fill_kept(Packed(links), Packed(int(link)), leaves.packed, Packed(read))
    if both < 0:
        raise RuntimeError("more units than frames")
    first, first_unit = read.shape[1] - (both >> 32), read.shape[1] - (both & 0xFFFFFFFF)
    return read[_LEAVES, first:], read[_FRAMES, first:], read[_SAID, first_unit:], read[_LENGTHS, first:]


@kernel
def _fill(links, link, tree, read):
    """Fill the ends of the rows; return how many leaves, and in the lower half how many units; -1 for want of room."""
    node, parent, unit = tree.node, tree.parent, tree.unit
    room = read.shape[1]
    count, units, at = room, room, link
    while at >= 0:
        if links.leaf[at] >= 0:
            if count == 0:
                return -1
            count -= 1
            read[_LEAVES, count], read[_FRAMES, count] = links.leaf[at], links.frame[at]
            begin = units
            above = node[links.leaf[at]]
            while above > 0:
                if units == 0:
                    return -1
                units -= 1
                read[_SAID, units] = unit[above]
                above = parent[above]
            read[_LENGTHS, count] = begin - units
        at = links.before[at]
    return ((room - count) << 32) | (room - units)


_fill_kept = KeptKernel(_fill)


def with_times(path: TokenPath, log_posteriors: np.ndarray, scores: np.ndarray, pauses: Pauses) -> Hypothesis:
    """Fill the spans of a path: the Viterbi alignment of its phones, which share the blanks between them.

    A word's confidence is left open; a phone's is its mean posterior while it is on.

    Args:
        path: a hypothesis.
        log_posteriors: natural logarithms ``(frames, units)`` as the model gave them.
        scores: the same as the search saw them (blank penalty, scale).
        pauses: which blanks are silence.
    """
    if not path.units:
        return path.hypothesis
    try:
        alignment = _align(scores, path)
    except DataError:
        if path.hypothesis.complete:
            raise
        # A search that was cut short may have gone where nothing fits any more.
        return path.hypothesis
    owners = path.owners
    first_of_word = [number == 0 or owner != owners[number - 1] for number, owner in enumerate(owners)]
    starts, ends = share_blanks(log_posteriors, path.units, alignment, first_of_word, pauses)
    sure = [
        float(np.exp(log_posteriors[first:last, unit]).mean())
        for unit, first, last in zip(path.units, alignment.starts, alignment.ends, strict=True)
    ]
    phones = tuple(
        Span(phone, int(start), int(end), min(confidence, 1.0))
        for phone, start, end, confidence in zip(path.hypothesis.phones, starts, ends, sure, strict=True)
    )
    words = [
        Span(word, phones[own[0]].start, phones[own[-1]].end)
        for word, own in zip(path.hypothesis.words, path.phones_of_words(), strict=True)
    ]
    return dataclasses.replace(path.hypothesis, word_spans=tuple(words), phone_spans=phones)


def _align(scores: np.ndarray, path: TokenPath) -> CtcAlignment:
    """Align the phones of a path; those of a long one in parts, between ends of words that the search has found."""
    units, count = path.units, len(scores)
    if count * len(units) <= _AT_ONCE:
        return align_units(scores, units)
    parts = []
    first = first_unit = 0
    cuts = [(end + 1, own[-1] + 1) for end, own in zip(path.ends, path.phones_of_words(), strict=True)]
    for last, last_unit in [*(cut for cut in cuts if cut[0] < count), (count, len(units))]:
        if last - first >= _PART or last == count:
            parts.append((first, align_units(scores[first:last], units[first_unit:last_unit])))
            first, first_unit = last, last_unit
    starts, ends = (np.concatenate([getattr(part, name) + at for at, part in parts]) for name in ("starts", "ends"))
    return CtcAlignment(starts, ends, sum(part.score for _, part in parts))
