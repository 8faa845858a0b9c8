"""Lexicon-constrained CTC beam-search decoder."""

import copy
import math
import operator
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_tree import LexiconTree, check_lexicon
from speechtl.decoding.search.look_ahead import FillerCosts, LookAheadArrays, Space, build_look_ahead
from speechtl.decoding.word_search import SearchGraph, WordSearch
from speechtl.errors import ConfigError, LexiconError
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.packed_entries import below
from speechtl.lang.phone_inventory import PhoneInventory

# Settings that are in the tree, and those that act in the search alone; all others are in the scores of leaves and
# language model.
_IN_TREE = {"mode", "oov", "silence_phone"}
SEARCH_ONLY = {
    "beam",
    "beam_delta",
    "max_active",
    "blank_margin",
    "blank_penalty",
    "acoustic_scale",
    "confidence_weights",
}


class LexiconDecoder:
    """Lexicon-constrained CTC beam-search decoder, with or without a language model.

    The tree is built once, here; ``decode`` may then be called for any number of utterances, also from several threads
    at once. The search is a Viterbi beam search (see ``token_passing``): with a wide beam and without skipping frames
    it finds the best path exactly.

    Args:
        lexicon: the words and their pronunciations, any lexicon.
        inventory: the phones of the model's units 1, 2, ...
        language_model: a back-off n-gram model, the path of its ARPA file, a graph of words (``WordGraph``, for
            commands), or None: any word may follow any word, or stands alone where ``config.mode`` is ``"isolated"``.
        config: weights, penalties and beams.

    Attributes:
        inventory: the phones.
        config: the settings.

    Raises:
        LexiconError: no words; phones that the model lacks (all are listed, with the nearest that it has); or no word
            that the language model allows.
        ConfigError: a language model and isolated words at once.
    """

    _searched: tuple[SearchGraph, tuple[object, ...], tuple[int, int]] | None = None

    def __init__(
        self,
        lexicon: Lexicon,
        inventory: PhoneInventory,
        language_model: NgramModel | WordGraph | str | Path | None = None,
        config: DecodingConfig | None = None,
    ):
        self.inventory, self.config = inventory, config or DecodingConfig()
        check_lexicon(lexicon, inventory)
        self._graph = _word_graph(language_model, self.config)
        self._is_grammar = isinstance(language_model, WordGraph)
        self._lexicon = LexiconTree(lexicon, inventory, self._graph, language_model is not None, self.config)
        if not self._graph.has_end:
            raise LexiconError("the language model allows no sentence to end; is its </s> missing?")
        self._shared = False
        self._changing = threading.Lock()
        self._weigh_graph()
        self._lexicon.add_silence_and_fillers(self.config)

    def pack(self) -> dict[str, np.ndarray]:
        """Return all that was compiled as arrays, for `unpack`; no words may have been added."""
        arrays = {f"words/{name}": array for name, array in self._lexicon.pack().items()}
        arrays |= {f"graph/{name}": array for name, array in self._graph.pack().items()}
        ahead = self._ahead._asdict() | {"depth": np.array([self._ahead.depth])}
        arrays |= {f"ahead/{name}": array for name, array in ahead.items()}
        return arrays | {"is_grammar": np.array([self._is_grammar])}

    @classmethod
    def unpack(
        cls, arrays: Mapping[str, np.ndarray], inventory: PhoneInventory, config: DecodingConfig
    ) -> "LexiconDecoder":
        """Return the decoder that was packed; it changes the arrays when words are added.

        Args:
            arrays: what `pack` returned.
            inventory: the phones that it had.
            config: the settings that it had, but for those of ``SEARCH_ONLY``.
        """
        decoder = cls.__new__(cls)
        decoder.inventory, decoder.config = inventory, config
        decoder._graph = WordGraph.unpack(below(arrays, "graph"))
        decoder._is_grammar = bool(arrays["is_grammar"][0])
        decoder._lexicon = LexiconTree.unpack(below(arrays, "words"), inventory, decoder._graph)
        decoder._shared, decoder._changing = False, threading.Lock()
        decoder._weighted = decoder._graph.arrays(config.lm_weight)
        ahead: dict[str, Any] = below(arrays, "ahead")
        ahead["depth"] = int(ahead["depth"][0])
        decoder._ahead = LookAheadArrays(**ahead)
        return decoder

    def _weigh_graph(self) -> None:
        """Weight the language model, and look ahead to it."""
        tree = self._lexicon.tree
        self._weighted = self._graph.arrays(self.config.lm_weight)
        self._ahead = build_look_ahead(tree.arrays(), self._lexicon.leaf_arrays(), self._weighted, tree.branching)

    def with_config(self, config: DecodingConfig) -> "LexiconDecoder":
        """Return a decoder of the same words with other settings; it shares what does not depend on them.

        Words cannot be added to decoders that share, so add them before.
        """
        changed = {name for name in type(config).model_fields if getattr(config, name) != getattr(self.config, name)}
        if changed & _IN_TREE:
            return self._built_anew(config)
        self._shared = True
        other = copy.copy(self)
        other.config = config
        if changed - SEARCH_ONLY:
            other._lexicon = copy.copy(self._lexicon)
            other._lexicon.weigh(config)
            other._weigh_graph()
        return other

    def copy(self) -> "LexiconDecoder":
        """Return a decoder of the same words, in milliseconds; those that are added to either are not in the other."""
        other = copy.copy(self)
        with self._changing:
            other._lexicon = self._lexicon.copy()
        other._shared, other._changing = False, threading.Lock()
        return other

    def with_rules(self, read: Callable[[Lexicon], NgramModel | WordGraph | None]) -> "LexiconDecoder":
        """Return a decoder of the same words, those that were added included, under other rules.

        Args:
            read: returns the language model or the grammar, given the words.

        Raises:
            LexiconError: the language model allows none of the words.
        """
        lexicon = Lexicon()
        lexicon.entries = dict(self._lexicon.entries)
        return LexiconDecoder(lexicon, self.inventory, read(lexicon), self.config)

    def _built_anew(self, config: DecodingConfig) -> "LexiconDecoder":
        lexicon = Lexicon()
        lexicon.entries = dict(self._lexicon.entries)
        language_model = self._graph if self._lexicon.has_language_model else None
        other = LexiconDecoder(lexicon, self.inventory, language_model, config)
        other._is_grammar = self._is_grammar
        return other

    def add_word(self, word: str, phones: Sequence[str], probability: float = 1.0) -> None:
        """Add a pronunciation of a word, new or not, in milliseconds: as if the lexicon had had it.

        Searches that have begun, also in other threads, go on without it. The lexicon that was given stays as it is.

        Args:
            word: the word.
            phones: phones of the model.
            probability: of this pronunciation, in (0, 1].

        Raises:
            LexiconError: no phones, or phones that the model lacks; a pronunciation that the word has; a word that the
                language model does not allow; or a decoder that shares its words with one of other settings.
        """
        if self._shared:
            raise LexiconError(
                f"'{word}' cannot be added: with_config made another decoder of the same words; add words before that"
            )
        with self._changing:
            if not self._lexicon.add_word(word, phones, probability, self.config):
                self._weigh_graph()
                self._lexicon.add_silence_and_fillers(self.config)

    def takes(self, word: str, phones: Sequence[str]) -> bool:
        """Whether a pronunciation is new and the language model allows its word, so that `add_word` takes it."""
        tree = self._lexicon
        allowed = not tree.has_language_model or word in self._graph.vocabulary or self._graph.wildcard is not None
        return allowed and not tree.has(word, phones)

    @property
    def unknown_words(self) -> tuple[str, ...]:
        """Words of the lexicon that the language model lacks and that share its ``<unk>``."""
        return tuple(self._lexicon.unknown)

    @property
    def unreachable_words(self) -> tuple[str, ...]:
        """Words of the lexicon that cannot be found: the language model lacks them and has no ``<unk>``."""
        return tuple(self._lexicon.unreachable)

    def decode(self, log_posteriors: np.ndarray, *, times: bool = False) -> Hypothesis:
        """Find the best word sequence.

        Args:
            log_posteriors: natural logarithms ``(frames, units)``, unit 0 the blank.
            times: also fill ``word_spans`` and ``phone_spans``, and the confidence of the best hypothesis' words.

        Returns:
            The best hypothesis; without frames, the empty one. Where no word ends in the last frame within the beam,
            the best beginning, marked as not ``complete``; under a grammar then without words.

        Raises:
            DataError: the posteriors do not have the model's units, or are not logarithms of probabilities.
        """
        return self.decode_nbest(log_posteriors, 1, times=times)[0]

    def decode_nbest(self, log_posteriors: np.ndarray, count: int, *, times: bool = False) -> list[Hypothesis]:
        """Find up to ``count`` different word sequences, best first, each with its best alignment.

        Args:
            log_posteriors: natural logarithms ``(frames, units)``, unit 0 the blank.
            count: at least 1.
            times: also fill ``word_spans`` and ``phone_spans``, and the confidence of the best hypothesis' words.

        Returns:
            At least one hypothesis; all of those within ``beam`` at the end if there are fewer than ``count``.

        Raises:
            DataError: the posteriors do not have the model's units, or are not logarithms of probabilities.
        """
        search = self.begin(count, times=times)
        search.feed(log_posteriors)
        return search.finish()

    def describe_words(self, log_posteriors: np.ndarray) -> tuple[Hypothesis, np.ndarray]:
        """Return the best hypothesis and the features ``(words, 2)`` that its words' confidence is made of."""
        search = self.begin(times=True)
        search.feed(log_posteriors)
        return search.describe_words()

    def begin(self, count: int = 1, *, times: bool = False) -> WordSearch:
        """Begin an utterance whose posteriors come in blocks; `decode_nbest` explains the arguments.

        Words that are added while the search goes on are not in it.
        """
        with self._changing:
            graph = self._search_graph()
        return WordSearch(graph, self.config, count, times=times)

    def _search_graph(self) -> SearchGraph:
        """Return what is searched now; the same as long as no words are added."""
        lexicon, tree = self._lexicon, self._lexicon.tree
        made_of = (self.config, lexicon, tree, self._weighted, self._ahead)
        size = tree.nodes, tree.leaves
        if self._searched is not None:
            graph, before, size_before = self._searched
            if size == size_before and all(map(operator.is_, made_of, before)):
                return graph
        fillers = FillerCosts(-math.inf, -math.inf)
        if self.config.oov == "phones":
            fillers = FillerCosts(-self.config.filler_penalty, -self.config.filler_phone_penalty)
        space = Space(tree.arrays(), lexicon.leaf_arrays(), self._weighted, self._ahead, fillers, tree.branching)
        graph = SearchGraph(space, self._graph.start, lexicon.leaves(), self.inventory, self._is_grammar)
        self._searched = graph, made_of, size
        return graph


def _word_graph(language_model: NgramModel | WordGraph | str | Path | None, config: DecodingConfig) -> WordGraph:
    if config.mode == "embedding":
        raise ConfigError('decoding.mode = "embedding" is no search through a lexicon; only speechtl decode knows it')
    if language_model is not None and config.mode == "isolated":
        raise ConfigError('decoding.mode = "isolated" is one word without a language model; leave it out')
    if isinstance(language_model, (str, Path)):
        language_model = NgramModel.read_arpa(language_model)
    if isinstance(language_model, NgramModel):
        return WordGraph.ngrams(language_model)
    if language_model is None:
        return WordGraph.single_word() if config.mode == "isolated" else WordGraph.word_loop()
    return language_model
