"""The search for the words of one utterance, whose posteriors may come in blocks."""

import dataclasses
import functools
import math

import numpy as np

from speechtl.alignment.span import Hypothesis, Span
from speechtl.alignment.words import Pauses
from speechtl.decoding.confidence import FEATURES, with_confidence, word_features
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.search.front import Settings
from speechtl.decoding.search.look_ahead import Space
from speechtl.decoding.search.token_search import TokenSearch
from speechtl.decoding.search.traceback import Leaves, TokenPath, follow, with_times
from speechtl.decoding.search_scores import search_scores
from speechtl.kernels.packed import Packed
from speechtl.lang.phone_inventory import PhoneInventory

_NBEST_OF_CONFIDENCE = 20
# Hypotheses that are so few that none of isolated words is dropped.
_FEW = 7000
# More hypotheses than there ever are.
_ALL = 1 << 62


@dataclasses.dataclass(frozen=True)
class SearchGraph:
    """What is searched: the words of a decoder at one moment; words that are added later are not in it.

    Attributes:
        space: tree and language model.
        start: first state of the language model.
        leaves: what reads the results.
        inventory: the phones.
        is_grammar: whether the words are commands of a grammar, of which a beginning is no command.
    """

    space: Space
    start: int
    leaves: Leaves
    inventory: PhoneInventory
    is_grammar: bool

    @functools.cached_property
    def packed(self) -> Packed:
        """The space, as kernels read it."""
        return Packed(self.space)


class WordSearch:
    """The search for the words of one utterance; what it finds does not depend on the blocks that it is given.

    Args:
        graph: what is searched.
        config: settings.
        count: hypotheses that are wanted, at most.
        times: also fill their spans, and the confidence of the best one's words.
    """

    def __init__(self, graph: SearchGraph, config: DecodingConfig, count: int = 1, *, times: bool = False):
        self.graph, self.config, self.count, self.times = graph, config, count, times
        # Confidence comes from the N-best list, so a list is made even for one hypothesis.
        self._nbest = max(count, _NBEST_OF_CONFIDENCE if times else 1)
        # Two states for each phone: if all hypotheses are few, nothing is won by dropping any.
        isolated = config.mode == "isolated"
        self._exact = isolated and 2 * len(graph.space.tree.unit) <= max(config.max_active, _FEW)
        self._search = self._begin(exact=self._exact)
        self._posteriors: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []

    def feed(self, log_posteriors: np.ndarray) -> None:
        """Go on.

        Args:
            log_posteriors: of the next frames: natural logarithms ``(frames, units)``, unit 0 the blank.

        Raises:
            DataError: the posteriors do not have the model's units, or are not logarithms of probabilities.
        """
        scores = search_scores(log_posteriors, self.graph.inventory, self.config)
        if not len(scores):
            return
        self._search.feed(scores)
        self._scores.append(scores)
        self._posteriors.append(np.asarray(log_posteriors, np.float32))

    def beginning(self) -> Hypothesis:
        """Return the best hypothesis so far: the words that have ended, with times that are near what they will be."""
        if not self._scores:
            return Hypothesis((), (), 0.0)
        found = self._search.beginning()
        path = follow(found, 0, self.graph.leaves, self.graph.inventory)
        posteriors = _joined(self._posteriors)
        spans, start = [], 0
        for word, last, own in zip(path.hypothesis.words, path.ends, path.phones_of_words(), strict=True):
            # The first phone of a word may come long after the word before.
            on = posteriors[start : max(last + 2 - len(own), start + 1), path.units[own[0]]]
            spans.append(Span(word, start + int(np.argmax(on >= on.max() - math.log(2))), last + 1))
            start = last + 1
        return dataclasses.replace(path.hypothesis, word_spans=tuple(spans), complete=False)

    def finish(self) -> list[Hypothesis]:
        """Return the hypotheses of the whole utterance, best first; without frames, the empty one."""
        if not self._scores:
            return [Hypothesis((), (), 0.0)]
        paths = self._paths()
        if not self.times:
            return [path.hypothesis for path in paths[: self.count]]
        posteriors, scores = _joined(self._posteriors), _joined(self._scores)
        hypotheses = [with_times(path, posteriors, scores, Pauses()) for path in paths[: self.count]]
        if paths[0].hypothesis.words and hypotheses[0].word_spans:
            features = word_features(paths)
            hypotheses[0] = with_confidence(hypotheses[0], features, self.config.confidence_weights)
        return hypotheses

    def describe_words(self) -> tuple[Hypothesis, np.ndarray]:
        """Return the best hypothesis and the features ``(words, 2)`` that its words' confidence is made of."""
        if not self._scores:
            return Hypothesis((), (), 0.0), np.zeros((0, FEATURES))
        paths = self._paths()
        best = with_times(paths[0], _joined(self._posteriors), _joined(self._scores), Pauses())
        return best, word_features(paths)

    def _begin(self, *, exact: bool) -> TokenSearch:
        config, sequences = self.config, self._nbest > 1
        settings = Settings(config.beam, config.blank_margin, config.max_active, config.beam_delta, sequences)
        if exact:
            settings = Settings(math.inf, math.inf, _ALL, math.inf, sequences)
        return TokenSearch(self.graph.packed, self.graph.start, settings)

    def _paths(self) -> list[TokenPath]:
        """Read the best hypotheses; there is at least one."""
        paths = self._read()
        if self.config.mode == "isolated" and not self._exact and not paths[0].hypothesis.complete:
            # Exactly one word was spoken, so the nearest one is the answer, however far.
            self._exact, self._search = True, self._begin(exact=True)
            self._search.feed(_joined(self._scores))
            paths = self._read()
        return [_without_beginning(path) for path in paths] if self.graph.is_grammar else paths

    def _read(self) -> list[TokenPath]:
        found = self._search.ends()
        places = range(min(self._nbest, len(found.end_link)))
        return [follow(found, place, self.graph.leaves, self.graph.inventory) for place in places]


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    """Return all blocks as one, which is then the only one in the list."""
    if len(blocks) > 1:
        blocks[:] = [np.concatenate(blocks)]
    return blocks[0]


def _without_beginning(path: TokenPath) -> TokenPath:
    """Take the words out of a path that ended within a command; its phones stay, and belong to no word."""
    if path.hypothesis.complete:
        return path
    hypothesis = dataclasses.replace(path.hypothesis, words=(), beginning=path.hypothesis.words)
    return TokenPath(hypothesis, path.units, (-1,) * len(path.units), ())
