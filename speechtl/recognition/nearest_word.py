"""Isolated words by embeddings: the acoustic encoder on one side, the pronunciations of a lexicon on the other."""

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from speechtl.alignment.span import Hypothesis
from speechtl.decoding.nearest_word import NearestWord
from speechtl.experiment.experiment import Experiment
from speechtl.lang.lexicon import Lexicon
from speechtl.models.word_embedding import embedding_function, word_embedding_of


def nearest_words(
    experiment: Experiment, directory: str | Path, lexicon: Lexicon, nbest: int = 1
) -> Iterator[tuple[str, int, list[Hypothesis]]]:
    """Find the word of every utterance of a data directory, shortest first.

    Args:
        experiment: trained with the method ``word_embedding``.
        directory: a data directory with features.
        lexicon: the words, with any phones.
        nbest: words for each utterance, at most.

    Yields:
        The utterance, its feature frames, and the words whose pronunciations are nearest, best first.

    Raises:
        ModelError: the model has no word embeddings.
        LexiconError: no words, or phones that are not IPA.
    """
    embedding = word_embedding_of(experiment.model)
    said = [option.phones for options in lexicon.entries.values() for option in options]
    words = NearestWord(lexicon, embedding.embed_pronunciations(said))
    embed = embedding_function(experiment.model)
    for names, features, lengths in experiment.batches_of(directory):
        vectors = embed(tf.constant(features), tf.constant(lengths)).numpy()
        for name, length, vector in zip(names, lengths, vectors, strict=True):
            yield name, int(length), words.find(vector, nbest)
