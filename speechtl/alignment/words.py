"""Word alignment: when each phone and word of a known transcript was spoken (forced alignment).

The most probable path through the CTC topology, with parallel branches where a word has several pronunciations and an
optional silence between words. CTC posteriors are peaky: a phone is on for a frame or two, and blanks fill the rest. So
the blanks between two phones are divided among them, and long stretches of blanks between words are taken for pauses.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from speechtl.alignment.ctc import CtcAlignment, best_path, frames_needed, runs
from speechtl.alignment.ctc_graph import ctc_graph
from speechtl.alignment.span import Span
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

# A log posterior that is as good as none.
_IMPROBABLE = -1e6


@dataclasses.dataclass(frozen=True)
class WordAlignment:
    """The words of an utterance in time. Frames that belong to no word are silence.

    Attributes:
        words: one span for each word.
        phones: one span for each phone of the chosen pronunciations; they tile their word.
        word_of_phone: for each phone, the index of its word.
        score: sum of the log posteriors along the path, without the probabilities of pronunciations.
    """

    words: tuple[Span, ...]
    phones: tuple[Span, ...]
    word_of_phone: tuple[int, ...]
    score: float


@dataclasses.dataclass(frozen=True)
class Pauses:
    """When blanks are silence.

    Attributes:
        gap: more blanks than this between two words are a pause.
        before: frames of a pause that are added to the word after it, in front of its first unit.
        after: frames of a pause that are added to the word before it, after its last unit; sounds last longer there.
    """

    gap: int = 7
    before: int = 2
    after: int = 4

    @classmethod
    def of(cls, frame_shift: float) -> "Pauses":
        """Return the best values for a frame shift in seconds (measured on Russian sentences)."""
        return cls(round(0.2 / frame_shift), round(0.06 / frame_shift), round(0.11 / frame_shift))


def align_words(
    log_posteriors: np.ndarray,
    words: Sequence[str],
    lexicon: Lexicon,
    inventory: PhoneInventory,
    *,
    silence_phone: str = "sil",
    pauses: Pauses | None = None,
) -> WordAlignment:
    """Align words, each in its best-fitting pronunciation.

    Args:
        log_posteriors: natural logarithms ``(frames, units)``; unit 0 is the blank.
        words: the transcript.
        lexicon: their pronunciations. One with phones that the inventory lacks is passed over if the word has others.
        inventory: the phones of the units.
        silence_phone: optional between words and at both ends if the inventory has it.
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
    """Align a phone transcript: every phone is treated as a word, and pauses may be anywhere.

    Raises:
        LexiconError: phones that the inventory lacks, all listed.
        DataError: there are too few frames, or no path has a probability.
    """
    variants = [[([unit], 0.0)] for unit in inventory.encode(phones)]
    return _align(log_posteriors, phones, variants, inventory, None, pauses or Pauses())


def share_blanks(
    log_posteriors: np.ndarray,
    units: Sequence[int],
    alignment: CtcAlignment,
    may_pause: Sequence[bool],
    pauses: Pauses,
) -> tuple[np.ndarray, np.ndarray]:
    """Divide the blanks between units among them.

    The boundary between two units is where the posteriors of the first before it and of the second after it are most
    probable, blanks left aside.

    Args:
        log_posteriors: natural logarithms ``(frames, units)``.
        units: the aligned units.
        alignment: the frames in which each is on.
        may_pause: for each unit, whether there may be a pause in front of it.
        pauses: which blanks are silence.

    Returns:
        First frame and end of each unit ``(units,)``, in order, without overlap and, apart from pauses, without gaps.
    """
    starts, ends = alignment.starts.copy(), alignment.ends.copy()
    if not len(starts):
        return starts, ends
    for after in range(1, len(starts)):
        first, last = int(ends[after - 1]), int(starts[after])
        if may_pause[after] and last - first > max(pauses.gap, pauses.after + pauses.before):
            ends[after - 1], starts[after] = first + pauses.after, last - pauses.before
        elif last > first:
            # Probabilities of 0 have no difference of logarithms.
            between = np.maximum(log_posteriors[first:last], _IMPROBABLE)
            gain = between[:, units[after - 1]] - between[:, units[after]]
            total = np.concatenate([[0.0], np.cumsum(gain, dtype=np.float64)])
            best = np.flatnonzero(total >= total.max() - 1e-9)
            # Of equals the one nearest the middle, as for two equal units.
            ends[after - 1] = starts[after] = first + best[np.abs(best - (last - first) / 2).argmin()]
    starts[0] = max(starts[0] - pauses.before, 0)
    ends[-1] = min(ends[-1] + pauses.after, len(log_posteriors))
    return starts, ends


def _align(
    log_posteriors: np.ndarray,
    words: Sequence[str],
    variants: Sequence[Sequence[tuple[list[int], float]]],
    inventory: PhoneInventory,
    silence: int | None,
    pauses: Pauses,
) -> WordAlignment:
    pronunciations = [[said for said, _ in options] for options in variants]
    needed = sum(min(map(len, options)) for options in pronunciations)
    if all(len(options) == 1 for options in pronunciations):
        needed = frames_needed([unit for options in pronunciations for unit in options[0]])
    scores = [[score for _, score in options] for options in variants]
    graph = ctc_graph(pronunciations, scores=scores, silence=silence)
    path, score = best_path(log_posteriors, graph, needed)
    said = np.unique(path[graph.units[path] > 0])  # States are numbered in the order of time.
    on, off = runs(path, said)
    units, owner = graph.units[said].tolist(), graph.words[said].tolist()
    # A pause can be in front of a word, and next to a silence phone, which is no word.
    first_of_word = [number == 0 or owner[number] != owner[number - 1] for number in range(len(said))]
    starts, ends = share_blanks(log_posteriors, units, CtcAlignment(on, off, score), first_of_word, pauses)
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
