"""Attribute-based heads: phones are scored by articulatory attributes, including phones unseen in training."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from speechtl.errors import LexiconError, ModelError
from speechtl.lang.known_phones import attributes_by_known, known_phones_only
from speechtl.lang.phone_attributes import AttributeTable, attribute_count, attribute_matrix
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import dropout, layer_norm
from speechtl.models.ctc_head import Head

# Name of the shared layer in `AcousticModel.auxiliary`.
NAME = "attributes"


class AttributeSpace(keras.layers.Layer):
    """The mapping from frames to articulatory attributes that the heads of all languages share.

    For a frame ``x`` (normalised, with dropout), the logit of a phone with attributes ``a`` is ::

        (P x + c) · φ(a) + o · x,    φ(a) = (a - m) / √n    or    tanh(E (a - m) / √n)

    and that of the blank ``b · x + d``. ``m`` is the mean of the attributes over the training phones, ``n`` their
    number. Attributes that all training phones share are thus zero and never trained: a phone that differs in one of
    them is scored by the others. ``o`` is a phone-specific vector. An unseen phone uses that of its nearest training
    phone on the IPA chart; otherwise phones with such a vector would always be preferred (the bias described by Chao et
    al. 2016). Its attributes are the mean of both, ``a = (a_phone + a_nearest) / 2``, a compromise between mapping to
    the nearest phone and taking articulation at face value: how strongly a difference in articulation changes a sound
    is known for training phones only.

    Attributes:
        table: the attribute system.
        known: the phones that have phone-specific vectors.
        own_dropout: share of the phones whose phone-specific vector is dropped in a training step.
    """

    def __init__(
        self,
        inputs: int,
        table: AttributeTable,
        phones: Sequence[str],
        *,
        size: int = 0,
        own_vectors: bool = False,
        rate: float = 0.0,
        own_dropout: float = 0.0,
    ):
        """Create the weights.

        Args:
            inputs: size of the encoder's last block.
            table: see ``phone_attributes``.
            phones: the training phones.
            size: width of the embedding ``E``; 0 for none.
            own_vectors: whether there are phone-specific vectors.
            rate: dropout rate on the frames.
            own_dropout: see above.

        Raises:
            LexiconError: phones that are not IPA.
        """
        super().__init__(name=NAME)
        self.table, self.size, self.rate, self.own_dropout = table, size, rate, own_dropout
        self.known: tuple[str, ...] = tuple(sorted(set(phones))) if own_vectors else ()
        attributes = attribute_count(table)
        matrix = attribute_matrix(sorted(set(phones)), table)
        self.norm = layer_norm(inputs, "norm")
        self.centre = self.add_weight(name="centre", shape=(attributes,), initializer="zeros", trainable=False)
        if len(matrix):
            self.centre.assign(matrix.mean(axis=0))
        self.projection = self.add_weight(
            name="projection", shape=(inputs, size or attributes), initializer="glorot_uniform" if size else "zeros"
        )
        self.offset = self.add_weight(name="offset", shape=(size or attributes,), initializer="zeros")
        self.blank = self.add_weight(name="blank", shape=(inputs, 1), initializer="zeros")
        self.blank_offset = self.add_weight(name="blank_offset", shape=(1,), initializer="zeros")
        self.embedding = None
        if size:
            self.embedding = self.add_weight(name="embedding", shape=(attributes, size), initializer="glorot_uniform")
            # Rows that no training phone uses would keep their random values.
            varies = np.ptp(matrix, axis=0) > 0 if len(matrix) else np.zeros(attributes, bool)
            self.embedding.assign(self.embedding.value * varies[:, np.newaxis].astype(np.float32))
        self.own = None
        if own_vectors:
            self.own = self.add_weight(name="own", shape=(len(self.known), inputs), initializer="zeros")
            # The names of the phones are stored with their vectors, which may be loaded into a model of other phones.
            names = np.frombuffer(" ".join(self.known).encode(), np.uint8)
            self.own_phones = self.add_weight(
                name="own_phones", shape=names.shape, dtype="uint8", initializer="zeros", trainable=False
            )
            self.own_phones.assign(names)
        self.built = True

    def scores(self, inputs: tf.Tensor, attributes: np.ndarray, known: np.ndarray, seed: tf.Tensor | None) -> tf.Tensor:
        """Return the logits of the blank and of phones.

        Args:
            inputs: ``(batch, frames, inputs)``.
            attributes: ``(phones, attributes)``.
            known: ``(phones,)`` row of the phone-specific vector of each phone or of its nearest; -1 for none.
            seed: ``(2,)`` int32 while training.

        Returns:
            ``(batch, frames, 1 + phones)``.
        """
        frames = dropout(self.norm(inputs), self.rate, seed, 0)
        vectors = (tf.constant(attributes) - self.centre.value) / np.float32(np.sqrt(attributes.shape[1]))
        if self.embedding is not None:
            vectors = tf.tanh(tf.matmul(vectors, self.embedding.value))
        kernel = tf.matmul(self.projection.value, vectors, transpose_b=True)
        if self.own is not None:
            rows = tf.gather(self.own.value, np.maximum(known, 0)) * (known >= 0).astype(np.float32)[:, np.newaxis]
            if seed is not None and self.own_dropout:
                shown = tf.random.stateless_uniform((len(known), 1), seed + tf.constant([0, 1], tf.int32))
                rows *= tf.cast(shown >= self.own_dropout, tf.float32)
            kernel += tf.transpose(rows)
        offsets = tf.linalg.matvec(vectors, self.offset.value)
        return tf.matmul(frames, tf.concat([self.blank.value, kernel], axis=1)) + tf.concat(
            [self.blank_offset.value, offsets], axis=0
        )


class AttributeHead(Head):
    """The head of one language in an `AttributeSpace`, which holds all weights."""

    def __init__(self, space: AttributeSpace, inventory: PhoneInventory, name: str):
        """Look up the attributes of the phones.

        Raises:
            LexiconError: phones that are not IPA.
        """
        super().__init__(name=name)
        self.units = len(inventory) + 1
        attributes, known = attributes_by_known(inventory.phones, space.known, space.table)
        # A closure, so that Keras does not count the shared weights as this layer's.
        self._scores: Callable[..., tf.Tensor] = lambda inputs, seed: space.scores(inputs, attributes, known, seed)
        self.built = True

    def call(self, inputs: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Map ``(batch, frames, size)`` to logits ``(batch, frames, units)``."""
        return self._scores(inputs, seed)


def attach_attributes(model: AcousticModel, space: AttributeSpace) -> None:
    """Replace the head of every language by one in ``space``.

    Raises:
        ModelError: the phones of a language are unknown, or not IPA.
    """
    model.auxiliary[NAME] = space
    for language in list(model.heads):
        if language not in model.inventories:
            raise ModelError(f"attributes: the phones of language '{language}' are not known; give its inventory")
        try:
            model.heads[language] = AttributeHead(space, model.inventories[language], language)
        except LexiconError as error:
            raise ModelError(f"attributes: language '{language}': {error}") from error


def has_attributes(model: AcousticModel) -> bool:
    """Whether a model scores phones by their attributes, and so any phone."""
    return isinstance(model.auxiliary.get(NAME), AttributeSpace)


def add_language(model: AcousticModel, language: str, inventory: PhoneInventory) -> None:
    """Add a head for any phones to a trained model with attribute heads.

    Raises:
        ModelError: the model has no attribute heads, or already a head of this name.
        LexiconError: phones that are not IPA.
    """
    space = model.auxiliary.get(NAME)
    if not isinstance(space, AttributeSpace):
        raise known_phones_only()
    if model.has_head(language):
        raise ModelError(f"the model has a head for language '{language}' already; choose another name")
    model.heads[language] = AttributeHead(space, inventory, language)
    model.inventories[language], model.head_of[language] = inventory, language
