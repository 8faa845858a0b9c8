"""Acoustic word embeddings: an unseen word is recognised by the nearest pronunciation."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import tensorflow as tf
from pydantic import Field

from speechtl.errors import LexiconError, ModelError
from speechtl.lang.phone_attributes import AttributeTable, attribute_matrix, table_of_width
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.restore import below, restores
from speechtl.models.word_embedding import (
    NAME,
    Pooling,
    WordEmbedding,
    hinge_ranking_losses,
    word_embedding_of,
)
from speechtl.transfer.method import Step, TransferMethod


class WordEmbeddingTransfer(TransferMethod):
    """Train, in addition to the CTC heads, an encoder of utterances and one of pronunciations into one space.

    After Bengio & Heigold 2014 (Word embeddings for speech recognition) and Frome et al. 2013 (DeViSE): the loss ::

        weight · mean over wrong words w of  max(0, margin - s(utterance, right word) + s(utterance, w))

    where ``s`` is the cosine and the wrong words are the other words of the batch. Pronunciations are encoded by the
    articulatory attributes of their phones, so words of any phones can be embedded. The method is meant for isolated
    words; an utterance of several words is treated as one long word.

    With ``decoding.mode = "embedding"`` an utterance is recognised as the word with the nearest pronunciation.

    Attributes:
        block: whose output is the input of the acoustic encoder; the last one by default.
        table: the attribute system, see `Attributes`.
        size: dimension of the space, and of the GRUs of both directions together.
        pooling: ``attention`` or ``mean_max``.
        margin: of the cosine, between the right word and a wrong one.
        weight: of the loss term, relative to CTC.
    """

    method: Literal["word_embedding"] = "word_embedding"
    block: str | None = None
    table: AttributeTable = "panphon"
    size: int = Field(default=128, gt=0, multiple_of=2)
    pooling: Pooling = "attention"
    margin: float = Field(default=0.4, gt=0, le=2)
    weight: float = Field(default=10.0, gt=0)

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Attach the encoders.

        Raises:
            ModelError: no such block, phones that are unknown or not IPA, or other encoders are attached already.
        """
        block = self.block or model.block_names[-1]
        inputs = model.block(block).output_size
        unknown = [language for language in model.heads if language not in model.inventories]
        if unknown:
            raise ModelError(f"word_embedding: the phones of language '{unknown[0]}' are not known; give its inventory")
        if NAME in model.auxiliary:
            there = word_embedding_of(model)
            kept = {name: getattr(there, name) for name in ("block", "table", "size", "pooling")}
            here = {"block": block, "table": self.table, "size": self.size, "pooling": self.pooling}
            if kept != here:
                raise ModelError(f"word_embedding: the source has {kept}, expected {here}; use the same values")
            return model
        phones = {phone for inventory in model.inventories.values() for phone in inventory}
        try:
            model.auxiliary[NAME] = WordEmbedding(inputs, block, self.table, sorted(phones), self.size, self.pooling)
        except LexiconError as error:
            raise ModelError(f"word_embedding: {error}") from error
        return model

    def reads(self, model: AcousticModel) -> tuple[str, ...]:
        """Return the block."""
        return (word_embedding_of(model).block,)

    def loss_terms(self, step: Step) -> dict[str, tf.Tensor]:
        """Return the ranking loss, ``ranking``; nothing for a language without transcripts."""
        if not step.model.has_head(step.language):
            return {}
        similarity, other = self._similarities(step)
        return {"ranking": self.weight * tf.reduce_mean(hinge_ranking_losses(similarity, other, self.margin))}

    def measures(self, step: Step) -> dict[str, tf.Tensor]:
        """Return ``right_word``: the share of utterances nearer to their word than to any other word of the batch."""
        if not step.model.has_head(step.language):
            return {}
        similarity, other = self._similarities(step)
        wrong = tf.reduce_max(tf.where(other, similarity, -2.0), axis=1)
        nearer = tf.linalg.diag_part(similarity) > wrong
        return {"right_word": tf.reduce_mean(tf.cast(nearer, tf.float32))}

    def _similarities(self, step: Step) -> tuple[tf.Tensor, tf.Tensor]:
        """Return cosines of utterances (rows) and pronunciations (columns), and which pairs are of different words."""
        model, batch = step.model, step.batch
        embedding = word_embedding_of(model)
        phones = attribute_matrix(model.inventories[model.head_name(step.language)], self.table)
        # Unit 0 pads the labels; it is not a phone.
        vectors = tf.constant(np.concatenate([np.zeros_like(phones[:1]), phones]))
        read = embedding.embed_attributes(tf.gather(vectors, batch.labels), batch.label_lengths)
        labelled = batch.label_lengths > 0
        other = tf.reduce_any(batch.labels[:, tf.newaxis] != batch.labels[tf.newaxis], axis=-1)
        other &= labelled[:, tf.newaxis] & labelled[tf.newaxis]
        return tf.matmul(embedding.embed_speech(step.encoded), read, transpose_b=True), other


@restores(f"auxiliary/{NAME}")
def _restore_word_embedding(model: AcousticModel, arrays: Mapping[str, np.ndarray], origin: str) -> None:
    """Attach the encoders that stored weights belong to, without their values.

    Raises:
        ModelError: these are not the weights of such a layer, or the model lacks the block.
    """
    if NAME in model.auxiliary:
        return
    arrays = below(f"auxiliary/{NAME}", arrays)
    centre, place = arrays.get("centre"), arrays.get("block")
    leave = next((array for name, array in arrays.items() if name.endswith("acoustic_leave/kernel")), None)
    table = None if centre is None else table_of_width(len(centre))
    if table is None or place is None or leave is None:
        raise ModelError(f"{origin}: weights of an unknown layer 'auxiliary/{NAME}'; another version may know it")
    block, (width, size) = place.tobytes().decode(), leave.shape
    pooling: Pooling = "attention" if width == size else "mean_max"
    model.auxiliary[NAME] = WordEmbedding(model.block(block).output_size, block, table, (), size, pooling)
