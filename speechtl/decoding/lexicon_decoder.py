"""Search for the words of a lexicon that explain the posteriors of an utterance best."""

import copy
import math
import pathlib
from collections.abc import Sequence

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.alignment.words import Pauses
from speechtl.decoding.confidence import FEATURES, with_confidence, word_features
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.search.front import Settings
from speechtl.decoding.search.look_ahead import FillerCosts, Space, build_look_ahead
from speechtl.decoding.search.prefix_tree import FILLER, NOT_IN_GRAPH, SILENCE, LeafArrays, PrefixTree
from speechtl.decoding.search.token_passing import search
from speechtl.decoding.search.traceback import Leaves, TokenPath, follow, with_times
from speechtl.errors import ConfigError, DataError, LexiconError, list_problems
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

# Settings that are in the tree, and those that act in the search alone; all others are in the scores of leaves and
# grammar.
_IN_TREE = {"mode", "oov", "silence_phone"}
SEARCH_ONLY = {"beam", "max_active", "blank_margin", "blank_penalty", "acoustic_scale", "confidence_weights"}
_NBEST_OF_CONFIDENCE = 20
# Rounding may take the logarithm of a probability so far above 0.
_LOG_OF_ONE = 1e-3


class LexiconDecoder:
    """Words from CTC posteriors, through a pronunciation lexicon and a word grammar.

    The tree is built once, here; ``decode`` may then be called for any number of utterances, also from several threads
    at once. The search is a Viterbi beam search (see ``token_passing``): with a wide beam and without skipping frames
    it finds the best path exactly.

    Args:
        lexicon: the words and their pronunciations, any lexicon.
        inventory: the phones of the model's units 1, 2, ...
        grammar: a back-off n-gram model, the path of its ARPA file, a graph of words (``WordGraph``, for commands), or
            None: any word may follow any word, or stands alone where ``config.mode`` is ``"isolated"``.
        config: weights, penalties and beams.

    Attributes:
        inventory: the phones.
        config: the settings.

    Raises:
        LexiconError: no words; phones that the model lacks (all are listed, with the nearest that it has); or no word
            that the grammar allows.
        ConfigError: a grammar and isolated words at once.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        inventory: PhoneInventory,
        grammar: "NgramModel | WordGraph | str | pathlib.Path | None" = None,
        config: DecodingConfig | None = None,
    ):
        self.inventory, self.config = inventory, config or DecodingConfig()
        if not lexicon.entries:
            raise LexiconError("the lexicon has no words; give at least one word and its phones")
        problems = lexicon.check(inventory)
        if problems:
            heading = (
                "the model lacks phones of the lexicon; write these words with the model's phones or leave them out:"
            )
            raise LexiconError(list_problems(heading, problems))
        self._words = list(lexicon.entries)
        self._graph = _word_graph(grammar, self.config)
        self._with_grammar = grammar is not None
        known = self._graph.vocabulary.keys()
        missing = [] if grammar is None else [word for word in self._words if word not in known]
        self._unknown, self._unreachable = ([], missing) if self._graph.wildcard is None else (missing, [])
        if len(self._unreachable) == len(self._words):
            raise LexiconError(
                "the grammar has no word of the lexicon and no <unk>; train the grammar on words of the lexicon"
            )
        if not self._graph.has_end:
            raise LexiconError("the grammar allows no sentence to end; is its </s> missing?")
        self._number = {word: number for number, word in enumerate(self._words)}
        self._entries = dict(lexicon.entries)
        self._shared = False
        self._compile()

    def _compile(self) -> None:
        unreachable = set(self._unreachable)
        # No lists of lists or tuples: with as many new objects as words Python would look for garbage half the time.
        numbers = [number for number, word in enumerate(self._words) if word not in unreachable]
        variants = [self._entries[self._words[number]] for number in numbers]
        options = [option for some in variants for option in some]
        word_numbers = np.repeat(np.array(numbers, np.int32), [len(some) for some in variants])
        unit_of = {phone: unit for unit, phone in enumerate(self.inventory.phones, start=1)}
        lengths = np.fromiter((len(option.phones) for option in options), np.int64, len(options))
        units = (unit_of[phone] for option in options for phone in option.phones)
        self._tree = PrefixTree(lengths, np.fromiter(units, np.uint16, int(lengths.sum())))
        order, count = self._tree.order, len(options)
        identity = word_numbers[order]
        prior = np.fromiter((option.probability for option in options), np.float64, count)[order]
        label = self._graph.vocabulary
        wildcard = NOT_IN_GRAPH if self._graph.wildcard is None else self._graph.wildcard
        word_of = np.fromiter((label.get(word, wildcard) for word in self._words), np.int32, len(self._words))
        self._in_grammar = np.fromiter((word in label for word in self._words), bool, len(self._words))
        room = count + self._tree.spare_leaves
        self._leaf_word, self._leaf_identity = np.zeros(room, np.int32), np.zeros(room, np.int32)
        self._leaf_prior = np.zeros(room, np.float64)
        self._leaf_word[:count] = word_of[identity]
        self._leaf_identity[:count] = identity
        self._leaf_prior[:count] = np.log(prior)
        self._leaf_node = np.zeros(room, np.int32)
        self._leaf_node[:count] = self._tree.leaf_nodes()
        self._weigh()
        if self.config.silence_phone in self.inventory:
            self._add_chain([self.inventory.index(self.config.silence_phone)], SILENCE, -1)
        self._set_fillers()
        if self.config.oov == "phones":
            for unit, phone in enumerate(self.inventory.phones, start=1):
                if phone != self.config.silence_phone:
                    self._add_chain([unit], FILLER, -1 - unit)

    def _weigh(self) -> None:
        """Set everything that depends on weights and penalties."""
        self._leaf_score = np.zeros(len(self._leaf_word), np.float32)
        self._score_leaves(slice(0, self._tree.leaves))
        self._weighted = self._graph.arrays(self.config.lm_weight)
        self._ahead = build_look_ahead(self._tree.arrays(), self._leaves(), self._weighted, self._tree.branching)

    def with_config(self, config: DecodingConfig) -> "LexiconDecoder":
        """Return a decoder of the same words with other settings; it shares what does not depend on them.

        Words cannot be added to decoders that share, so add them before.
        """
        changed = {name for name in type(config).model_fields if getattr(config, name) != getattr(self.config, name)}
        if changed & _IN_TREE:
            lexicon = Lexicon()
            lexicon.entries = dict(self._entries)
            return LexiconDecoder(lexicon, self.inventory, self._graph if self._with_grammar else None, config)
        self._shared = True
        other = copy.copy(self)
        other.config = config
        if changed - SEARCH_ONLY:
            other._weigh()
            other._set_fillers()
        return other

    def _set_fillers(self) -> None:
        self._fillers = FillerCosts(-math.inf, -math.inf)
        if self.config.oov == "phones":
            self._fillers = FillerCosts(-self.config.filler_penalty, -self.config.filler_phone_penalty)

    def _score_leaves(self, some: slice) -> None:
        """Set what leaves cost apart from the grammar."""
        score = self._leaf_prior[some] - self.config.word_cost(self._with_grammar)
        if self._unknown:
            unknown = ~self._in_grammar[np.maximum(self._leaf_identity[some], 0)]
            share = self.config.lm_weight * math.log(len(self._unknown)) + self.config.oov_penalty
            score = np.where(unknown, score - share, score)
        self._leaf_score[some] = score

    def _add_chain(self, units: Sequence[int], word: int, identity: int) -> int:
        leaf = self._tree.add_chain(units)
        self._leaf_node[leaf] = self._tree.nodes - 1
        self._leaf_word[leaf], self._leaf_identity[leaf] = word, identity
        return leaf

    def add_word(self, word: str, phones: Sequence[str], probability: float = 1.0) -> None:
        """Add a pronunciation of a word, new or not, in milliseconds: as if the lexicon had had it.

        Not while another thread decodes. The lexicon that was given stays as it is.

        Args:
            word: the word.
            phones: phones of the model.
            probability: of this pronunciation, in (0, 1].

        Raises:
            LexiconError: no phones, or phones that the model lacks; a pronunciation that the word has; a word that the
                grammar does not allow; or a decoder that shares its words with one of other settings.
        """
        if self._shared:
            raise LexiconError(
                f"'{word}' cannot be added: with_config made another decoder of the same words; add words before that"
            )
        added = Lexicon()
        added.add(word, phones, probability)
        problems = added.check(self.inventory)
        if problems:
            raise LexiconError(list_problems(f"'{word}' cannot be added:", problems))
        if any(option.phones == tuple(phones) for option in self._entries.get(word, ())):
            raise LexiconError(f"'{word}' has this pronunciation already: {' '.join(phones)}")
        in_grammar = not self._with_grammar or word in self._graph.vocabulary
        if not in_grammar and self._graph.wildcard is None:
            raise LexiconError(f"'{word}' cannot be added: the grammar lacks it and has no <unk>")
        new = word not in self._entries
        self._entries[word] = [*self._entries.get(word, ()), *added.entries[word]]
        if new:
            self._number[word] = len(self._words)
            self._words.append(word)
            self._in_grammar = np.append(self._in_grammar, in_grammar)
            if not in_grammar:
                self._unknown.append(word)
        if word in self._unreachable:
            self._unreachable.remove(word)
        if not self._tree.spare_leaves:
            self._compile()
            return
        label = self._graph.vocabulary.get(word, self._graph.wildcard)
        label = NOT_IN_GRAPH if label is None else label
        leaf = self._add_chain(self.inventory.encode(phones), label, self._number[word])
        self._leaf_prior[leaf] = math.log(probability)
        # One more word may share <unk>. The look-ahead keeps the old share, which changes no result.
        everything = new and not in_grammar
        self._score_leaves(slice(0 if everything else leaf, leaf + 1))

    @property
    def unknown_words(self) -> tuple[str, ...]:
        """Words of the lexicon that the grammar lacks and that share its ``<unk>``."""
        return tuple(self._unknown)

    @property
    def unreachable_words(self) -> tuple[str, ...]:
        """Words of the lexicon that cannot be found: the grammar lacks them and has no ``<unk>``."""
        return tuple(self._unreachable)

    def decode(self, log_posteriors: np.ndarray, *, times: bool = False) -> Hypothesis:
        """Find the best word sequence.

        Args:
            log_posteriors: natural logarithms ``(frames, units)``, unit 0 the blank.
            times: also fill ``word_spans`` and ``phone_spans``, and the confidence of the best hypothesis' words.

        Returns:
            The best hypothesis; without frames, the empty one. Where no word ends in the last frame within the beam,
            the best beginning, marked as not ``complete``.

        Raises:
            DataError: the posteriors do not have the model's units, or are not logarithms of probabilities.
        """
        return self._decode(log_posteriors, 1, times)[0]

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
        return self._decode(log_posteriors, count, times)

    def _decode(self, log_posteriors: np.ndarray, count: int, times: bool) -> list[Hypothesis]:
        scores = self._scores(log_posteriors)
        if not len(scores):
            return [Hypothesis((), (), 0.0)]
        # A list shows how sure its first is, so one is made where only that is wanted.
        paths = self._paths(scores, max(count, _NBEST_OF_CONFIDENCE if times else 1))
        if not times:
            return [path.hypothesis for path in paths[:count]]
        original = np.asarray(log_posteriors, np.float32)
        hypotheses = [with_times(path, original, scores, Pauses()) for path in paths[:count]]
        if paths[0].hypothesis.words and hypotheses[0].word_spans:
            features = word_features(paths)
            hypotheses[0] = with_confidence(hypotheses[0], features, self.config.confidence_weights)
        return hypotheses

    def describe_words(self, log_posteriors: np.ndarray) -> tuple[Hypothesis, np.ndarray]:
        """Return the best hypothesis and the features ``(words, 2)`` that its words' confidence is made of."""
        scores = self._scores(log_posteriors)
        if not len(scores):
            return Hypothesis((), (), 0.0), np.zeros((0, FEATURES))
        paths = self._paths(scores, _NBEST_OF_CONFIDENCE)
        best = with_times(paths[0], np.asarray(log_posteriors, np.float32), scores, Pauses())
        return best, word_features(paths)

    def _paths(self, scores: np.ndarray, count: int) -> list[TokenPath]:
        """Search, and read the best hypotheses; there is at least one."""
        beam, blank_margin = self.config.beam, self.config.blank_margin
        if self.config.mode == "isolated" and 2 * self._tree.nodes <= self.config.max_active:
            # Two states for each phone: all hypotheses fit, so nothing is won by dropping any.
            beam = blank_margin = math.inf
        paths = self._search(scores, count, beam, blank_margin)
        if self.config.mode == "isolated" and not paths[0].hypothesis.complete and beam < math.inf:
            # One word was said, so the nearest is the answer, however far.
            paths = self._search(scores, count, math.inf, math.inf)
        return paths

    def _search(self, scores: np.ndarray, count: int, beam: float, blank_margin: float) -> list[TokenPath]:
        """Search with given beams."""
        space = Space(
            self._tree.arrays(), self._leaves(), self._weighted, self._ahead, self._fillers, self._tree.branching
        )
        settings = Settings(beam, blank_margin, self.config.max_active, count > 1)
        found = search(scores, space, self._graph.start, settings)
        leaves = Leaves(self._tree, self._leaf_node, self._leaf_word, self._leaf_identity, self._words)
        return [follow(found, place, leaves, self.inventory) for place in range(min(count, len(found.end_link)))]

    def _scores(self, log_posteriors: np.ndarray) -> np.ndarray:
        """Check the posteriors and apply scale and blank penalty: ``(frames, units)`` float32."""
        units = len(self.inventory) + 1
        scores = np.array(log_posteriors, dtype=np.float32, order="C")
        if scores.size == 0:
            return np.zeros((0, units), np.float32)
        if scores.ndim != 2 or scores.shape[1] != units:
            shape = " x ".join(map(str, scores.shape))
            raise DataError(
                f"posteriors of shape {shape}, expected frames x {units} (the blank and {units - 1} phones); "
                "take posteriors and phones from the same model"
            )
        with np.errstate(invalid="ignore"):
            # A sum is NaN or inf if one of its terms is, and reads the matrix once.
            total, most = scores.sum(), scores.max()
        if np.isnan(total) or most == np.inf:
            raise DataError("posteriors are NaN or inf in places; the model that computed them is broken")
        if most > _LOG_OF_ONE:
            raise DataError(
                f"posteriors are not natural logarithms of probabilities (got {most:g}, expected at most 0); take "
                "log_softmax of the model's outputs"
            )
        scores[:, 0] -= self.config.blank_penalty
        if self.config.acoustic_scale != 1.0:
            scores *= self.config.acoustic_scale
        return scores

    def _leaves(self) -> LeafArrays:
        count = self._tree.leaves
        return LeafArrays(self._leaf_word[:count], self._leaf_identity[:count], self._leaf_score[:count])


def _word_graph(grammar: "NgramModel | WordGraph | str | pathlib.Path | None", config: DecodingConfig) -> WordGraph:
    if config.mode == "embedding":
        raise ConfigError('decoding.mode = "embedding" is no search through a lexicon; only speechtl decode knows it')
    if grammar is not None and config.mode == "isolated":
        raise ConfigError('decoding.mode = "isolated" is one word without a grammar; leave the grammar out')
    if isinstance(grammar, (str, pathlib.Path)):
        grammar = NgramModel.read_arpa(grammar)
    if isinstance(grammar, NgramModel):
        return WordGraph.ngrams(grammar)
    if grammar is None:
        return WordGraph.single_word() if config.mode == "isolated" else WordGraph.word_loop()
    return grammar
