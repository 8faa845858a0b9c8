"""Acoustic word embeddings: spoken words and pronunciations in one space."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from speechtl.errors import ModelError
from speechtl.lang.phone_attributes import AttributeTable, attribute_count, attribute_matrix
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import dense, layer_norm, mask
from speechtl.models.encoder import Encoded

# Name of the encoders in `AcousticModel.auxiliary`.
NAME = "word_embedding"
Pooling = Literal["attention", "mean_max"]


class SequenceEncoder(keras.layers.Layer):
    """Embed a sequence in a unit vector: ``relu(W x)``, a GRU in each direction, pooling, a projection.

    Pooling is by attention, ``Σ softmax(w · h) h`` over the valid positions, or by mean and maximum, concatenated.
    """

    def __init__(self, inputs: int, size: int, pooling: Pooling, name: str):
        super().__init__(name=name)
        # Prefixed with the name of the encoder, which Keras does not include in the paths.
        self.enter = dense(inputs, size, f"{name}_enter")
        cell = keras.layers.GRU(size // 2, return_sequences=True, name=f"{name}_gru")
        self.recurrent = keras.layers.Bidirectional(cell, name=f"{name}_both")
        self.recurrent.build((None, None, size))
        self.attention = dense(size, 1, f"{name}_attention", use_bias=False) if pooling == "attention" else None
        self.leave = dense(size if self.attention is not None else 2 * size, size, f"{name}_leave")
        self.built = True

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Map ``(batch, positions, inputs)`` and ``(batch,)`` to ``(batch, size)``."""
        valid = tf.sequence_mask(lengths, tf.shape(inputs)[1])
        hidden = self.recurrent(mask(tf.nn.relu(self.enter(inputs)), lengths), mask=valid)
        shown = valid[:, :, tf.newaxis]
        if self.attention is not None:
            weights = tf.nn.softmax(tf.where(shown, self.attention(hidden), -1e9), axis=1)
            pooled = tf.reduce_sum(weights * hidden, axis=1)
        else:
            count = tf.cast(tf.maximum(lengths, 1), hidden.dtype)[:, tf.newaxis]
            mean = tf.reduce_sum(tf.where(shown, hidden, 0.0), axis=1) / count
            # The outputs of a GRU are above -1.
            pooled = tf.concat([mean, tf.reduce_max(tf.where(shown, hidden, -1.0), axis=1)], axis=-1)
        return tf.math.l2_normalize(self.leave(pooled), axis=-1)


class WordEmbedding(keras.layers.Layer):
    """An encoder of spoken words, on the output of a block, and one of pronunciations, on the attributes of phones.

    Attributes:
        block: whose output is the input of the acoustic encoder.
        table: the attribute system, see ``phone_attributes``.
        size: dimension of the embeddings.
        pooling: of both encoders.
    """

    def __init__(
        self, inputs: int, block: str, table: AttributeTable, phones: Sequence[str], size: int, pooling: Pooling
    ):
        """Create the weights.

        Args:
            inputs: size of the block's output.
            block: its name.
            table: the attribute system.
            phones: the training phones, whose mean attributes are subtracted: they say nothing about a word.
            size: dimension of the embeddings, even.
            pooling: ``"attention"`` or ``"mean_max"``.

        Raises:
            LexiconError: phones that are not IPA.
        """
        super().__init__(name=NAME)
        self.block, self.table, self.size, self.pooling = block, table, size, pooling
        attributes = attribute_count(table)
        self.norm = layer_norm(inputs, "norm")
        self.acoustic = SequenceEncoder(inputs, size, pooling, "acoustic")
        self.pronunciation = SequenceEncoder(attributes, size, pooling, "pronunciation")
        self.centre = self.add_weight(name="centre", shape=(attributes,), initializer="zeros", trainable=False)
        if phones:
            self.centre.assign(attribute_matrix(sorted(set(phones)), table).mean(axis=0))
        # The name of the block is stored with the weights.
        letters = np.frombuffer(block.encode(), np.uint8)
        self.place = self.add_weight(
            name="block", shape=letters.shape, dtype="uint8", initializer="zeros", trainable=False
        )
        self.place.assign(letters)
        self.built = True

    def embed_speech(self, encoded: Encoded) -> tf.Tensor:
        """Return the embeddings of utterances, ``(batch, size)``."""
        return self.acoustic(self.norm(encoded.outputs[self.block]), encoded.lengths[self.block])

    def embed_attributes(self, attributes: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the embeddings of pronunciations, ``(batch, size)``.

        Args:
            attributes: ``(batch, phones, attributes)``.
            lengths: ``(batch,)`` number of phones.
        """
        return self.pronunciation(attributes - self.centre.value, lengths)

    def embed_pronunciations(self, pronunciations: Iterable[Sequence[str]]) -> np.ndarray:
        """Return the embeddings ``(pronunciations, size)`` of phone strings, of any phones.

        Raises:
            LexiconError: phones that are not IPA.
        """
        given = list(pronunciations)
        phones = sorted({phone for one in given for phone in one})
        row = {phone: number for number, phone in enumerate(phones)}
        matrix = attribute_matrix(phones, self.table)
        lengths = np.array([len(one) for one in given], np.int32)
        padded = np.zeros((len(given), max(lengths, default=0), matrix.shape[1]), np.float32)
        for place, one in zip(padded, given, strict=True):
            place[: len(one)] = matrix[[row[phone] for phone in one]]
        return self.embed_attributes(tf.constant(padded), tf.constant(lengths)).numpy()


def hinge_ranking_losses(similarity: tf.Tensor, other: tf.Tensor, margin: float) -> tf.Tensor:
    """Return ``mean_j max(0, margin - s(i, i) + s(i, j))`` over the wrong words ``j`` of each utterance ``i``.

    Args:
        similarity: ``(batch, batch)``, of utterances (rows) and their pronunciations (columns).
        other: ``(batch, batch)``, whether the word of the column differs from that of the row.
        margin: minimum difference between the similarity of the right word and that of any other.

    Returns:
        ``(batch,)``; 0 for an utterance without a wrong word.
    """
    wrong = tf.cast(other, similarity.dtype)
    right = tf.linalg.diag_part(similarity)[:, tf.newaxis]
    hinges = tf.nn.relu(margin - right + similarity) * wrong
    return tf.reduce_sum(hinges, axis=1) / tf.maximum(tf.reduce_sum(wrong, axis=1), 1.0)


def word_embedding_of(model: AcousticModel) -> WordEmbedding:
    """Return the encoders of a model.

    Raises:
        ModelError: it has none.
    """
    found = model.auxiliary.get(NAME)
    if not isinstance(found, WordEmbedding):
        raise ModelError(
            'this model has no word embeddings; train it with the transfer method "word_embedding", or decode with '
            'decoding.mode = "isolated"'
        )
    return found


def embedding_function(model: AcousticModel) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return a compiled ``(features, lengths) -> embeddings (batch, size)``, without dropout.

    Raises:
        ModelError: the model has no word embeddings.
    """
    embedding = word_embedding_of(model)
    signature = (tf.TensorSpec((None, None, model.inputs)), tf.TensorSpec((None,), tf.int32))
    return tf.function(
        lambda features, lengths: embedding.embed_speech(model.encode(features, lengths)),
        input_signature=signature,
        autograph=False,
    )
