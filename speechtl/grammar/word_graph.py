"""Language models and grammars as the search sees them: a graph of words with back-offs, in flat arrays."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechtl.errors import LexiconError
from speechtl.grammar.kneser_ney import END, START, UNKNOWN
from speechtl.grammar.ngram_model import NgramModel
from speechtl.lang.packed_entries import pack_texts, unpack_texts

# The only word of graphs that do not distinguish words.
ANY_WORD = "<any>"


class GraphArrays(NamedTuple):
    """States, and arcs sorted by state and word. Scores are natural logarithms."""

    first_arc: np.ndarray
    """``(states + 1,)`` int64: the arcs of state s are ``first_arc[s]`` to ``first_arc[s + 1]`` (not included)."""
    word: np.ndarray
    """``(arcs,)`` int32."""
    score: np.ndarray
    """``(arcs,)`` float32, weighted."""
    target: np.ndarray
    """``(arcs,)`` int32: the state after the word."""
    back_off: np.ndarray
    """``(states,)`` int32: the state to back off to for a word without an arc, or -1."""
    back_off_score: np.ndarray
    """``(states,)`` float32, weighted."""
    final: np.ndarray
    """``(states,)`` float32: the score of ending, weighted; back-offs are in it already. -inf: no end here."""
    after_unknown: np.ndarray
    """``(states,)`` int32: the state after an out-of-vocabulary word."""


class WordGraph:
    """A deterministic graph of words with back-offs.

    Attributes:
        vocabulary: word -> its number on arcs.
        start: the first state.
        wildcard: the number that words outside the vocabulary have (``<unk>``, or that of any word), or None.
    """

    def __init__(self, vocabulary: Mapping[str, int], start: int, wildcard: int | None, arrays: GraphArrays):
        self.vocabulary, self.start, self.wildcard = vocabulary, start, wildcard
        self._arrays = arrays

    def arrays(self, weight: float) -> GraphArrays:
        """Return the arrays with all scores times ``weight``."""
        kept = self._arrays

        def scaled(values: np.ndarray) -> np.ndarray:
            # 0 times -inf is no number: what is impossible stays so at any weight.
            return np.where(np.isneginf(values), values, values * weight).astype(np.float32)

        return kept._replace(
            score=scaled(kept.score), back_off_score=scaled(kept.back_off_score), final=scaled(kept.final)
        )

    def pack(self) -> dict[str, np.ndarray]:
        """Return all of the graph, for `unpack`."""
        wildcard = -1 if self.wildcard is None else self.wildcard
        return {
            "vocabulary": pack_texts(self.vocabulary),
            "numbers": np.fromiter(self.vocabulary.values(), np.int64, len(self.vocabulary)),
            "ends": np.array([self.start, wildcard], np.int64),
            **self._arrays._asdict(),
        }

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray]) -> "WordGraph":
        """Return the graph that was packed."""
        vocabulary = dict(zip(unpack_texts(arrays["vocabulary"]), arrays["numbers"].tolist(), strict=True))
        start, wildcard = arrays["ends"].tolist()
        kept = GraphArrays(*(arrays[name] for name in GraphArrays._fields))
        return cls(vocabulary, start, None if wildcard < 0 else wildcard, kept)

    @property
    def has_end(self) -> bool:
        """Whether any sentence may end."""
        return bool(np.isfinite(self._arrays.final).any())

    @classmethod
    def word_loop(cls) -> "WordGraph":
        """Any word may follow any word."""
        return cls._of_states({ANY_WORD: 0}, 0, 0, [{0: (0.0, 0)}], [0.0])

    @classmethod
    def single_word(cls) -> "WordGraph":
        """Exactly one word."""
        return cls._of_states({ANY_WORD: 0}, 0, 0, [{0: (0.0, 1)}, {}], [-math.inf, 0.0])

    @classmethod
    def acceptor(cls, arcs: Sequence[Mapping[str, tuple[float, int]]], final: Sequence[float]) -> "WordGraph":
        """Take a deterministic acceptor of words.

        Args:
            arcs: for each state, word -> (score, next state); state 0 is the start.
            final: for each state the score of ending there, ``-inf`` for none.
        """
        words = sorted({word for state in arcs for word in state})
        vocabulary = {word: number for number, word in enumerate(words)}
        numbered = [{vocabulary[word]: arc for word, arc in state.items()} for state in arcs]
        return cls._of_states(vocabulary, 0, None, numbered, final)

    @classmethod
    def _of_states(
        cls,
        vocabulary: Mapping[str, int],
        start: int,
        wildcard: int | None,
        states: Sequence[Mapping[int, tuple[float, int]]],
        final: Sequence[float],
    ) -> "WordGraph":
        lines = [(number, *state[number]) for state in states for number in sorted(state)]
        word, score, target = zip(*lines) if lines else ((), (), ())
        arrays = GraphArrays(
            np.concatenate([[0], np.cumsum([len(state) for state in states])]).astype(np.int64),
            np.array(word, np.int32),
            np.array(score, np.float32),
            np.array(target, np.int32),
            np.full(len(states), -1, np.int32),
            np.zeros(len(states), np.float32),
            np.array(final, np.float32),
            np.arange(len(states), dtype=np.int32),
        )
        return cls(vocabulary, start, wildcard, arrays)

    @classmethod
    def ngrams(cls, model: NgramModel) -> "WordGraph":
        """Take a back-off n-gram language model. States are the histories that some n-gram continues.

        An n-gram counts where it exists, and backing off where it does not (Katz 1987), as in KenLM and SRILM.
        """
        return _Ngrams(model).graph()


class _Ngrams:
    """Numbers for the n-grams of a language model: the empty one is 0, then by length.

    An n-gram is found through the number of its beginning and its last word, one order after the other, all n-grams of
    an order at once.
    """

    def __init__(self, model: NgramModel) -> None:
        tables = _with_beginnings(model)
        self.vocabulary = {word: number for number, (word,) in enumerate(sorted(tables[0]))}
        self.size = len(self.vocabulary)
        self.base = [0, 1]
        self.keys: list[np.ndarray] = []
        probability, back_off = [np.array([-np.inf])], [np.zeros(1)]
        prefix, word, suffix = [np.zeros(1, np.int64)], [np.array([-1])], [np.zeros(1, np.int64)]
        for order, table in enumerate(tables, start=1):
            number = self.vocabulary
            ids = np.fromiter(
                itertools.chain.from_iterable((number[w] for w in ngram) for ngram in table), np.int64
            ).reshape(-1, order)
            values = np.array(list(table.values()), np.float64).reshape(-1, 2) * math.log(10)
            before = np.zeros(len(ids), np.int64)
            for place in range(order - 1):
                before = self._find(place + 1, before, ids[:, place])
            keys = before * self.size + ids[:, -1]
            by_key = np.argsort(keys, kind="stable")
            self.keys.append(keys[by_key])
            self.base.append(self.base[-1] + len(keys))
            probability.append(values[by_key, 0])
            back_off.append(values[by_key, 1])
            prefix.append(before[by_key])
            word.append(ids[by_key, -1])
            suffix.append(self._suffixes(order, before[by_key], ids[by_key, -1], suffix))
        self.probability, self.back_off = np.concatenate(probability), np.concatenate(back_off)
        self.prefix, self.word, self.suffix = np.concatenate(prefix), np.concatenate(word), np.concatenate(suffix)

    def _find(self, order: int, prefix: np.ndarray, word: np.ndarray) -> np.ndarray:
        """Return the numbers of n-grams of an order, -1 for those that do not exist."""
        keys = self.keys[order - 1]
        wanted = prefix * self.size + word
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where((keys[place] == wanted) & (prefix >= 0), self.base[order] + place, -1)

    def _suffixes(self, order: int, prefix: np.ndarray, word: np.ndarray, known: list) -> np.ndarray:
        """Return for each n-gram the longest proper end of it that exists (at last the empty one, 0)."""
        result = np.zeros(len(word), np.int64)
        if order == 1:
            return result
        suffix_of = np.concatenate(known)
        shorter = suffix_of[prefix]
        open_ones = np.arange(len(word))
        while len(open_ones):
            start, last = shorter[open_ones], word[open_ones]
            found = np.full(len(open_ones), -1)
            for length in range(order - 1):
                here = (start >= self.base[length]) & (start < self.base[length + 1])
                if here.any():
                    found[here] = self._find(length + 1, start[here], last[here])
            result[open_ones] = np.maximum(found, 0)
            # What is not there with this beginning may be there with a shorter one; a lone word always is.
            missing = (found < 0) & (start > 0)
            open_ones = open_ones[missing]
            shorter[open_ones] = suffix_of[shorter[open_ones]]
        return result

    def graph(self) -> WordGraph:
        begin, end = self.vocabulary.get(START, -1), self.vocabulary.get(END, -1)
        real = np.isfinite(self.probability) & (self.word != begin)
        # Nothing follows </s>, so its n-grams are the ends of their histories.
        ending, speaking = real & (self.word == end), real & (self.word != end)
        is_state = np.zeros(len(self.word), bool)
        is_state[self.prefix[real]] = True
        first = int(self._find(1, np.zeros(1, np.int64), np.array([begin]))[0]) if begin >= 0 else 0
        is_state[[0, first]] = True
        # The longest end of each n-gram that is a state, and what backing off to there costs.
        reached, cost = np.arange(len(self.word)), np.zeros(len(self.word))
        while not is_state[reached].all():
            moving = np.flatnonzero(~is_state[reached])
            cost[moving] += self.back_off[reached[moving]]
            reached[moving] = self.suffix[reached[moving]]
        histories = np.flatnonzero(is_state)
        state_of = np.full(len(self.word), -1)
        state_of[histories] = np.arange(len(histories))

        arcs = np.flatnonzero(speaking)
        arcs = arcs[np.lexsort((self.word[arcs], state_of[self.prefix[arcs]]))]
        below = self.suffix[histories]
        back_off = np.where(histories == 0, -1, state_of[reached[below]])
        back_off_score = np.where(histories == 0, 0.0, self.back_off[histories] + cost[below])
        final = np.full(len(histories), -np.inf)
        final[state_of[self.prefix[ending]]] = self.probability[ending]
        # Shorter histories have smaller numbers, so the state to back off to is done already.
        for state in np.flatnonzero(np.isneginf(final) & (back_off >= 0)):
            final[state] = back_off_score[state] + final[back_off[state]]
        counts = np.bincount(state_of[self.prefix[arcs]], minlength=len(histories))
        arrays = GraphArrays(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            self.word[arcs].astype(np.int32),
            (self.probability[arcs] + cost[arcs]).astype(np.float32),
            state_of[reached[arcs]].astype(np.int32),
            back_off.astype(np.int32),
            back_off_score.astype(np.float32),
            final.astype(np.float32),
            np.zeros(len(histories), np.int32),
        )
        spoken = {word: n for word, n in self.vocabulary.items() if word not in (START, END)}
        return WordGraph(spoken, int(state_of[first]), spoken.get(UNKNOWN), arrays)


def _with_beginnings(model: NgramModel) -> list[dict[tuple[str, ...], tuple[float, float]]]:
    """Return the n-grams by order, with the beginnings that a pruned model may lack: no probability, no back-off."""
    tables: list[dict[tuple[str, ...], tuple[float, float]]] = [{} for _ in range(model.order)]
    for ngram, values in model.ngrams():
        tables[len(ngram) - 1][ngram] = values
    for longer, shorter in zip(reversed(tables[1:]), reversed(tables[:-1])):
        for ngram in longer:
            shorter.setdefault(ngram[:-1], (-math.inf, 0.0))
    if not tables[0]:
        raise LexiconError("the language model has no words; train it on a text that is not empty")
    return tables
