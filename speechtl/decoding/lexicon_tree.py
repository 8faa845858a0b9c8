"""A lexicon as the search needs it: a prefix tree of pronunciations, and what the word of each leaf costs."""

import copy
import gc
import math
from collections.abc import Mapping, MutableMapping, Sequence
from functools import cached_property

import numpy as np

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.search.prefix_tree import FILLER, NOT_IN_GRAPH, SILENCE, LeafArrays, PrefixTree
from speechtl.decoding.search.traceback import Leaves
from speechtl.errors import LexiconError, list_problems
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon, Pronunciation
from speechtl.lang.packed_entries import PackedEntries, below, pack_entries
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.phone_mapping import require_phones

_NO_WORD = -1
_OF_LEAVES = ("in_graph", "label", "identity", "prior", "node", "score")


class LexiconTree:
    """The words of a lexicon in a prefix tree; a leaf is one pronunciation of one word.

    Args:
        lexicon: the words; see `check_lexicon`.
        inventory: the phones of the model's units.
        graph: the language model, or the loop over all words in place of one.
        has_language_model: whether it is a language model.
        config: weights and penalties, silence, fillers.

    Attributes:
        tree: the prefix tree.
        words: all words, by number.
        entries: their pronunciations.
        unknown: words that the language model lacks and that share its ``<unk>``.
        unreachable: words that cannot be found: the language model lacks them and has no ``<unk>``.

    Raises:
        LexiconError: no word that the language model allows.
    """

    tree: PrefixTree

    def __init__(
        self,
        lexicon: Lexicon,
        inventory: PhoneInventory,
        graph: WordGraph,
        has_language_model: bool,
        config: DecodingConfig,
    ):
        self.inventory, self.graph, self.has_language_model = inventory, graph, has_language_model
        self.words = list(lexicon.entries)
        self.entries: MutableMapping[str, list[Pronunciation]] = dict(lexicon.entries)
        known = graph.vocabulary.keys()
        missing = [word for word in self.words if word not in known] if has_language_model else []
        self.unknown, self.unreachable = ([], missing) if graph.wildcard is None else (missing, [])
        if len(self.unreachable) == len(self.words):
            raise LexiconError(
                "the language model has no word of the lexicon and no <unk>; train it on words of the lexicon"
            )
        self._compile(config)

    def pack(self) -> dict[str, np.ndarray]:
        """Return all words and the tree, but not the language model, for `unpack`; no words may have been added."""
        arrays = {f"tree/{name}": array for name, array in self.tree.pack().items()}
        arrays |= {f"entries/{name}": array for name, array in pack_entries(self.entries).items()}
        arrays |= {name: getattr(self, f"_{name}") for name in _OF_LEAVES}
        return arrays | {"has_language_model": np.array([self.has_language_model])}

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], inventory: PhoneInventory, graph: WordGraph) -> "LexiconTree":
        """Return what was packed; it changes the arrays when words are added."""
        new = cls.__new__(cls)
        new.inventory, new.graph = inventory, graph
        new.has_language_model = bool(arrays["has_language_model"][0])
        new.entries = entries = PackedEntries(below(arrays, "entries"))
        new.words = list(entries.words)
        new.tree = PrefixTree.unpack(below(arrays, "tree"))
        for name in _OF_LEAVES:
            setattr(new, f"_{name}", arrays[name])
        outside = np.flatnonzero(~new._in_graph) if new.has_language_model else ()
        missing = [new.words[number] for number in outside]
        new.unknown, new.unreachable = ([], missing) if graph.wildcard is None else (missing, [])
        return new

    def copy(self) -> "LexiconTree":
        """Return the same words; what is added to either is not in the other."""
        other = copy.copy(self)
        other.__dict__.pop("_number", None)
        other.tree, other.entries = self.tree.copy(), copy.copy(self.entries)
        other.words, other.unknown, other.unreachable = list(self.words), list(self.unknown), list(self.unreachable)
        for name in _OF_LEAVES:
            setattr(other, f"_{name}", getattr(self, f"_{name}").copy())
        return other

    @cached_property
    def _number(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def _compile(self, config: DecodingConfig) -> None:
        """Build the tree of all words that can be found."""
        unreachable = set(self.unreachable)
        # No lists of lists or tuples: with as many new objects as words Python would look for garbage half the time.
        numbers = [number for number, word in enumerate(self.words) if word not in unreachable]
        variants = [self.entries[self.words[number]] for number in numbers]
        options = [option for some in variants for option in some]
        word_numbers = np.repeat(np.array(numbers, np.int32), [len(some) for some in variants])
        self.tree = _prefix_tree(options, self.inventory)
        order, count = self.tree.order, len(options)
        prior = np.fromiter((option.probability for option in options), np.float64, count)[order]
        labels = self.graph.vocabulary
        wildcard = NOT_IN_GRAPH if self.graph.wildcard is None else self.graph.wildcard
        label_of = np.fromiter((labels.get(word, wildcard) for word in self.words), np.int32, len(self.words))
        self._in_graph = np.fromiter((word in labels for word in self.words), bool, len(self.words))
        room = count + self.tree.spare_leaves
        self._label, self._identity = np.zeros(room, np.int32), np.zeros(room, np.int32)
        self._prior, self._node = np.zeros(room, np.float64), np.zeros(room, np.int32)
        self._identity[:count] = word_numbers[order]
        self._label[:count] = label_of[self._identity[:count]]
        self._prior[:count] = np.log(prior)
        self._node[:count] = self.tree.leaf_nodes()
        self.weigh(config)
        # Python's garbage collector looks at what is new soon, at tables of a million words for 50 ms: better now than
        # while a word is added.
        gc.collect(1)

    def weigh(self, config: DecodingConfig) -> None:
        """Set the scores of all leaves for other weights and penalties."""
        self._score = np.zeros(len(self._label), np.float32)
        self._score_leaves(slice(0, self.tree.leaves), config)

    def _score_leaves(self, some: slice, config: DecodingConfig) -> None:
        """Set what leaves cost apart from the language model."""
        score = self._prior[some] - config.word_cost(self.has_language_model)
        if self.unknown:
            unknown = ~self._in_graph[np.maximum(self._identity[some], 0)]
            share = config.lm_weight * math.log(len(self.unknown)) + config.oov_penalty
            score = np.where(unknown, score - share, score)
        self._score[some] = score

    def add_silence_and_fillers(self, config: DecodingConfig) -> None:
        """Add chains for the silence phone and, where out-of-vocabulary speech is decoded as phones, for each phone."""
        if config.silence_phone in self.inventory:
            self._add_chain([self.inventory.index(config.silence_phone)], SILENCE, _NO_WORD)
        if config.oov == "phones":
            for unit, phone in enumerate(self.inventory.phones, start=1):
                if phone != config.silence_phone:
                    self._add_chain([unit], FILLER, _NO_WORD - unit)

    def _add_chain(self, units: Sequence[int], label: int, identity: int) -> int:
        leaf = self.tree.add_chain(units)
        self._node[leaf] = self.tree.nodes - 1
        self._label[leaf], self._identity[leaf] = label, identity
        return leaf

    def add_word(self, word: str, phones: Sequence[str], probability: float, config: DecodingConfig) -> bool:
        """Add a pronunciation of a word, as a chain from the root.

        Returns:
            False if there was no room and the tree was built anew: then silence and fillers must be added again.

        Raises:
            LexiconError: no phones, or phones that the model lacks; a pronunciation that the word has; a word that the
                language model does not allow.
        """
        added = Lexicon()
        added.add(word, phones, probability)
        problems = added.check(self.inventory)
        if problems:
            raise LexiconError(list_problems(f"'{word}' cannot be added:", problems))
        if self.has(word, phones):
            raise LexiconError(f"'{word}' has this pronunciation already: {' '.join(phones)}")
        in_graph = not self.has_language_model or word in self.graph.vocabulary
        if not in_graph and self.graph.wildcard is None:
            raise LexiconError(f"'{word}' cannot be added: the language model lacks it and has no <unk>")
        new = word not in self.entries
        self.entries[word] = [*self.entries.get(word, ()), *added.entries[word]]
        if new:
            self._number[word] = len(self.words)
            self.words.append(word)
            self._in_graph = np.append(self._in_graph, in_graph)
            if not in_graph:
                self.unknown.append(word)
        if word in self.unreachable:
            self.unreachable.remove(word)
        if not self.tree.spare_leaves:
            self._compile(config)
            return False
        label = self.graph.vocabulary.get(word, self.graph.wildcard)
        leaf = self._add_chain(
            self.inventory.encode(phones), NOT_IN_GRAPH if label is None else label, self._number[word]
        )
        self._prior[leaf] = math.log(probability)
        # One more word may share <unk>. The look-ahead keeps the old share, which changes no result.
        everything = new and not in_graph
        if everything:
            # Searches that have begun keep the scores that they began with.
            self._score = self._score.copy()
        self._score_leaves(slice(0 if everything else leaf, leaf + 1), config)
        return True

    def has(self, word: str, phones: Sequence[str]) -> bool:
        """Whether a word has a pronunciation."""
        return any(option.phones == tuple(phones) for option in self.entries.get(word, ()))

    def leaf_arrays(self) -> LeafArrays:
        """Return what the search knows of the leaves, views of what is in use."""
        count = self.tree.leaves
        return LeafArrays(self._label[:count], self._identity[:count], self._score[:count])

    def leaves(self) -> Leaves:
        """Return what is needed to read the results of a search."""
        return Leaves(self.tree, self._node, self._label, self._identity, self.words)


def check_lexicon(lexicon: Lexicon, inventory: PhoneInventory) -> None:
    """Check that a lexicon has words, and that the model has their phones.

    Raises:
        LexiconError: it has none, or lists the phones that the model lacks, with the nearest that it has.
    """
    if not lexicon.entries:
        raise LexiconError("the lexicon has no words; give at least one word and its phones")
    require_phones(lexicon, inventory)


def _prefix_tree(options: Sequence[Pronunciation], inventory: PhoneInventory) -> PrefixTree:
    unit_of = {phone: unit for unit, phone in enumerate(inventory.phones, start=1)}
    lengths = np.fromiter((len(option.phones) for option in options), np.int64, len(options))
    units = (unit_of[phone] for option in options for phone in option.phones)
    return PrefixTree(lengths, np.fromiter(units, np.uint16, int(lengths.sum())))
