"""The word whose pronunciation is nearest to what was said, in a space that both are embedded in."""

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.errors import LexiconError
from speechtl.lang.lexicon import Lexicon


class NearestWord:
    """Isolated words by the distance of embeddings; a word that training never had needs nothing but its pronunciation.

    Args:
        lexicon: the words.
        vectors: ``(pronunciations, size)`` of length 1: all pronunciations of the first word, of the second, and so on.

    Raises:
        LexiconError: no words.
    """

    def __init__(self, lexicon: Lexicon, vectors: np.ndarray):
        if not lexicon.entries:
            raise LexiconError("the lexicon has no words; give at least one word and its phones")
        self._entries = [(word, option.phones) for word, options in lexicon.entries.items() for option in options]
        self._vectors = vectors

    def find(self, vector: np.ndarray, nbest: int = 1) -> list[Hypothesis]:
        """Return the nearest words, each once with its nearest pronunciation, best first; scores are cosines.

        Args:
            vector: ``(size,)`` of the utterance, of length 1.
            nbest: words, at most.
        """
        cosines = self._vectors @ vector
        found: dict[str, Hypothesis] = {}
        for index in np.argsort(-cosines, kind="stable"):
            word, phones = self._entries[index]
            found.setdefault(word, Hypothesis((word,), phones, float(cosines[index])))
            if len(found) == nbest:
                break
        return list(found.values())
