"""An independent decoder to compare with: kaldi-decoder on the graph CTC topology ∘ lexicon ∘ grammar.

The recipe is that of weighted finite-state transducers in speech recognition (Mohri, Pereira & Riley 2002) with the
CTC topology of EESEN (Miao et al. 2015): ``H ∘ min(det(L ∘ G))``. Determinisation moves the grammar's costs towards
the beginning of words, which is what lets the beam act early.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Iterator

import kaldi_decoder
import kaldifst
import numpy as np

from speechtl.decoding.config import DecodingConfig
from speechtl.errors import LexiconError, list_problems
from speechtl.grammar.kneser_ney import END, START, UNKNOWN
from speechtl.grammar.ngram_model import NgramModel
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

# Label 0 is epsilon, so unit u of the model (unit 0 is the blank) is label u + 1.
_BLANK = 1
# The state of the lexicon transducer where words begin.
_LOOP = 1
# Costs this close are one cost when states are merged. OpenFst's default of 1/1024 would add up over a sentence.
_DELTA = 1e-5


@dataclasses.dataclass(frozen=True)
class Graph:
    """A compiled search graph.

    Attributes:
        fst: input labels are units + 1, output labels index ``words``, 0 is none; costs are negated log.
        words: the word of each output label; that of label 0 is the empty string.
        unknown: words of the lexicon that the grammar lacks and that share its ``<unk>``.
        unreachable: words of the lexicon that the grammar does not allow at all.
    """

    fst: kaldifst.StdConstFst
    words: tuple[str, ...]
    unknown: tuple[str, ...]
    unreachable: tuple[str, ...]


def compile_graph(
    lexicon: Lexicon, inventory: PhoneInventory, grammar: NgramModel | None, config: DecodingConfig
) -> Graph:
    """Compile the search graph.

    Args:
        lexicon: the words and their pronunciations. Any lexicon: the model knows nothing of words.
        inventory: the phones of the model's units 1, 2, ...
        grammar: a back-off n-gram model, or None for a loop in which any word may follow any word. A word that the
            grammar lacks gets an equal share of ``<unk>`` if the grammar has that, and is unreachable otherwise. As in
            every such graph, a path through a back-off counts where it is better than the explicit n-gram.
        config: ``lm_weight`` and the word penalties are compiled in; the rest acts during the search.

    Raises:
        LexiconError: no words; phones that the model lacks (all are listed, with the nearest that it has); or no word
            that the grammar allows.
    """
    if not lexicon.entries:
        raise LexiconError("the lexicon has no words; give at least one word and its phones")
    problems = lexicon.check(inventory)
    if problems:
        heading = "the model lacks phones of the lexicon; write these words with the model's phones or leave them out:"
        raise LexiconError(list_problems(heading, problems))
    known = sorted(lexicon.entries)
    missing: list[str] = []
    if grammar is not None:
        spoken = set(grammar.vocabulary) - {START, END, UNKNOWN}
        known, missing = [w for w in known if w in spoken], [w for w in known if w not in spoken]
    unknown, unreachable = (missing, []) if grammar is not None and UNKNOWN in grammar.vocabulary else ([], missing)
    if not known and not unknown:
        raise LexiconError(
            "the grammar has no word of the lexicon and no <unk>; train the grammar on words of the lexicon"
        )

    words = ["", *known, *unknown]
    labels = {word: label for label, word in enumerate(words) if word}
    silence = inventory.index(config.silence_phone) + 1 if config.silence_phone in inventory else None
    first_marker = len(inventory) + 2
    lines, markers = _lexicon_lines(
        lexicon, inventory, labels, silence, first_marker, config.word_cost(grammar is not None)
    )
    if grammar is not None:
        # The first marker passes the grammar's back-off arcs through; its word label is one more than the last word's.
        lines.append(f"{_LOOP} {_LOOP} {first_marker} {len(labels) + 1}")
    graph = _fst(lines)
    if grammar is not None:
        kaldifst.arcsort(graph, "olabel")
        acceptor = _fst(_grammar_lines(grammar, labels, unknown, config))
        kaldifst.arcsort(acceptor, "ilabel")
        graph = kaldifst.compose(graph, acceptor)
    kaldifst.determinize_star(graph, delta=_DELTA)
    kaldifst.minimize_encoded(graph, delta=_DELTA)
    used = {unit + 1 for unit in inventory.encode(lexicon.phones())}
    topology = _fst(_topology_lines(sorted(used if silence is None else used | {silence}), markers))
    kaldifst.arcsort(topology, "olabel")
    kaldifst.arcsort(graph, "ilabel")
    graph = kaldifst.compose(topology, graph)
    if graph.start < 0:
        raise LexiconError("the grammar allows no sentence of the lexicon's words; is its </s> missing?")
    return Graph(kaldifst.StdConstFst(graph), tuple(words), tuple(unknown), tuple(unreachable))


def _topology_lines(phones: Iterable[int], markers: Iterable[int]) -> Iterator[str]:
    """Yield the CTC topology: units in, phones out, one unit a frame, equal phones in a row only with blanks between.

    Markers (the disambiguation symbols of the lexicon) come right after a phone or at the start, never after a blank:
    they stand at word ends, and once is enough.
    """
    start, blank, first_phone = 0, 1, 2
    states = {phone: state for state, phone in enumerate(phones, start=first_phone)}
    for state in (start, blank, *states.values()):
        yield f"{state} {blank} {_BLANK} 0"
        for phone, target in states.items():
            # Staying on a phone is the same phone, so it writes nothing.
            yield f"{state} {target} {phone} {0 if state == target else phone}"
        if state != blank:
            for marker in markers:
                yield f"{state} {state} 0 {marker}"
        yield f"{state}"


def _lexicon_lines(
    lexicon: Lexicon,
    inventory: PhoneInventory,
    labels: dict[str, int],
    silence: int | None,
    first_marker: int,
    word_cost: float,
) -> tuple[list[str], list[int]]:
    """Return the lexicon transducer, phones in, words out, in a loop, and the markers it uses.

    Pronunciations that several words share, or that begin another one, end in a marker of their own; without it the
    transducer could not be made deterministic. The first marker is not used here.
    """
    entries = [
        (labels[word], tuple(unit + 1 for unit in inventory.encode(pronunciation.phones)), pronunciation.probability)
        for word in labels
        for pronunciation in lexicon.entries[word]
    ]
    shared = Counter(phones for _, phones, _ in entries)
    beginnings = {phones[:length] for _, phones, _ in entries for length in range(1, len(phones))}
    start, loop, before_silence, after_silence, word_end, free = 0, _LOOP, 2, 3, 4, 5
    lines = [f"{start} {loop} 0 0", f"{word_end} {loop} 0 0", f"{loop}"]
    seen: Counter[tuple[int, ...]] = Counter()
    for word, phones, probability in entries:
        cost = word_cost - math.log(probability)
        arcs = list(phones)
        if shared[phones] > 1 or phones in beginnings:
            seen[phones] += 1
            arcs.append(first_marker + seen[phones])
        targets = [*range(free, free + len(arcs) - 1), word_end]
        free += len(arcs) - 1
        lines.append(f"{loop} {targets[0]} {arcs[0]} {word} {cost!r}")
        lines.extend(f"{s} {t} {phone} 0" for s, t, phone in zip(targets, targets[1:], arcs[1:]))
    last_marker = first_marker + max(seen.values(), default=0)
    if silence is not None:
        last_marker += 1
        lines += [f"{start} {before_silence} 0 0", f"{word_end} {before_silence} 0 0"]
        lines += [f"{before_silence} {after_silence} {silence} 0", f"{after_silence} {loop} {last_marker} 0"]
    return lines, list(range(first_marker, last_marker + 1))


def _grammar_lines(
    grammar: NgramModel, labels: dict[str, int], unknown: list[str], config: DecodingConfig
) -> list[str]:
    """Return the grammar as an acceptor of words with back-off arcs.

    A state is a history that some n-gram continues. An n-gram leads to the longest such end of itself; what backing off
    to there costs is part of its arc, since a history that nothing continues always backs off.
    """
    back_off_label = len(labels) + 1
    scale = -config.lm_weight * math.log(10.0)
    ngrams = dict(grammar.ngrams())
    start = (START,) if (START,) in ngrams else ()
    histories = {ngram[:-1] for ngram in ngrams} | {(), start}
    states = {history: state for state, history in enumerate([start, *(histories - {start})])}

    def reach(history: tuple[str, ...]) -> tuple[int, float]:
        """Return the state of the longest end of ``history`` that something continues, and the cost to get there."""
        back_offs = 0.0
        while history not in histories:
            back_offs += ngrams[history][1] if history in ngrams else 0.0
            history = history[1:]
        return states[history], scale * back_offs

    lines = []
    for history, state in states.items():
        if history:
            target, cost = reach(history[1:])
            back_off = ngrams[history][1] if history in ngrams else 0.0
            lines.append(f"{state} {target} {back_off_label} 0 {cost + scale * back_off!r}")
    unknown_labels = [labels[word] for word in unknown]
    share = math.log10(len(unknown)) if unknown else 0.0
    for ngram, (log_probability, _) in ngrams.items():
        state, word = states[ngram[:-1]], ngram[-1]
        if log_probability == -math.inf:
            continue
        if word == END:
            lines.append(f"{state} {scale * log_probability!r}")
        elif word == UNKNOWN:
            target, cost = reach(ngram)
            cost += scale * (log_probability - share) + config.oov_penalty
            for label in unknown_labels:
                lines.append(f"{state} {target} {label} {label} {cost!r}")
        elif word in labels:
            target, cost = reach(ngram)
            lines.append(f"{state} {target} {labels[word]} {labels[word]} {cost + scale * log_probability!r}")
    # Whatever is named first is the start.
    return sorted(lines, key=lambda line: not line.startswith("0 "))


def _fst(lines: Iterable[str]) -> kaldifst.StdVectorFst:
    """Compile lines ``from to input output [cost]`` and ``final [cost]``; the first names the start."""
    return kaldifst.compile("\n".join(lines) + "\n")


def kaldi_decode(graph: Graph, inventory: PhoneInventory, config: DecodingConfig, log_posteriors: np.ndarray):
    """Return the words of the best path and its score, or None where no path ends."""
    scores = np.array(log_posteriors, np.float32)
    scores[:, 0] -= config.blank_penalty
    scores *= config.acoustic_scale
    options = kaldi_decoder.FasterDecoderOptions(beam=config.beam, max_active=config.max_active, min_active=0)
    search = kaldi_decoder.FasterDecoder(graph.fst, options)
    search.decode(kaldi_decoder.DecodableCtc(scores))
    found, lattice = search.get_best_path()
    if not found or not search.reached_final():
        return None
    _, labels, words, weight = kaldifst.get_linear_symbol_sequence(lattice)
    acoustic = scores[np.arange(len(labels)), np.array(labels) - 1].sum(dtype=np.float64)
    return tuple(graph.words[word] for word in words), float(acoustic - weight.value1)
