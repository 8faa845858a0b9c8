"""Isolated words by embeddings: the acoustic encoder on one side, the pronunciations of a lexicon on the other."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.errors import LexiconError, ModelError
from speechtl.experiment.speech_model import SpeechModel
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


def nearest_words(
    experiment: SpeechModel, directory: str | Path, lexicon: Lexicon, nbest: int = 1, speaker: Path | None = None
) -> Iterator[tuple[str, int, list[Hypothesis]]]:
    """Find the word of every utterance of a data directory, shortest first.

    Args:
        experiment: trained with the method ``word_embedding``.
        directory: a data directory with features.
        lexicon: the words, with any phones.
        nbest: words for each utterance, at most.
        speaker: a speaker's layers that the model was loaded with.

    Yields:
        The utterance, its feature frames, and the words whose pronunciations are nearest, best first.

    Raises:
        ModelError: the model has no word embeddings.
        LexiconError: no words, or phones that are not IPA.
    """
    if experiment.directory.exported:
        raise ModelError(f"{experiment.path}: word embeddings are not exported; decode with the experiment directory")
    # TensorFlow: seconds to import.
    import tensorflow as tf

    from speechtl.experiment.experiment import Experiment
    from speechtl.models.word_embedding import embedding_function, word_embedding_of

    if not isinstance(experiment, Experiment):
        # Graphs of an experiment directory have no embeddings; its weights do.
        experiment = Experiment.load(experiment.path, speaker)
    embedding = word_embedding_of(experiment.model)
    said = [option.phones for options in lexicon.entries.values() for option in options]
    words = NearestWord(lexicon, embedding.embed_pronunciations(said))
    embed = embedding_function(experiment.model)
    for names, features, lengths in experiment.batches_of(directory):
        vectors = embed(tf.constant(features), tf.constant(lengths)).numpy()
        for name, length, vector in zip(names, lengths, vectors, strict=True):
            yield name, int(length), words.find(vector, nbest)
