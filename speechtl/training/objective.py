"""The training objective: CTC, or a frame-wise criterion, plus the loss terms of the transfer methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from speechtl.batches.pipeline import Batch
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.encoder import Encoded
from speechtl.training.framewise_criterion import FramewiseCriterion
from speechtl.transfer.method import Step, TransferMethod


def ctc_losses(logits: tf.Tensor, lengths: tf.Tensor, labels: tf.Tensor, label_lengths: tf.Tensor) -> tf.Tensor:
    """Return the CTC loss of each utterance (Graves et al. 2006): ``−log Σ p(alignment)`` over all alignments.

    Args:
        logits: ``(batch, frames, units)``, unit 0 is the blank.
        lengths: ``(batch,)`` valid frames of logits.
        labels: ``(batch, labels)`` units, padded.
        label_lengths: ``(batch,)``; an utterance with 0 is unlabelled and has loss 0.

    Returns:
        ``(batch,)`` losses in nats.
    """
    labelled = label_lengths > 0
    # The operation needs at least one label and one frame per row; unlabelled rows get a dummy, masked out below.
    counts = tf.maximum(label_lengths, 1)
    width = tf.maximum(tf.shape(labels)[1], 1)
    dense = tf.pad(labels, [[0, 0], [0, width - tf.shape(labels)[1]]])
    dense = tf.where(labelled[:, tf.newaxis], dense, 1)
    # Sparse labels select TensorFlow's C++ kernel, over ten times faster on CPUs than the one for dense labels.
    places = tf.where(tf.sequence_mask(counts, width))
    sparse = tf.SparseTensor(places, tf.gather_nd(dense, places), tf.shape(dense, out_type=tf.int64))
    losses = tf.nn.ctc_loss(
        labels=sparse,
        logits=tf.transpose(logits, (1, 0, 2)),
        label_length=None,
        logit_length=tf.maximum(lengths, 1),
        logits_time_major=True,
        blank_index=0,
    )
    return tf.where(labelled, losses, 0.0)


class LossTerms(NamedTuple):
    """The objective on one batch: named scalars, each this replica's part of the mean over the whole batch.

    Attributes:
        terms: parts of the loss, whose sum is minimised. ``ctc`` (or ``framewise``) is a mean over the labelled
            utterances alone, 0 if there are none or the language has no head.
        measures: values that methods log besides.
    """

    terms: dict[str, tf.Tensor]
    measures: dict[str, tf.Tensor]


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes:
        model: the acoustic model.
        methods: transfer methods, whose terms are added.
        criterion: the frame-wise criterion that replaces CTC, or None.
    """

    model: AcousticModel
    methods: Sequence[TransferMethod] = ()
    criterion: FramewiseCriterion | None = None

    def __call__(self, batch: Batch, language: str, seed: tf.Tensor | None, progress: tf.Tensor) -> LossTerms:
        """Run the model on a batch and compute every term of the loss.

        Args:
            batch: utterances of one language.
            language: of the batch, whose head is trained.
            seed: ``(2,)`` int32 dropout seed, None for evaluation.
            progress: scalar, fraction of the training completed, in [0, 1].
        """
        model, features = self.model, batch.features
        for method in self.methods:
            features = method.inputs(model, features, batch, seed)
        encoded = model.encode(features, batch.lengths, seed, language)
        logits, losses = self._losses(encoded, batch, language, seed)
        total = tf.cast(batch.total, tf.float32)
        labelled = tf.cast(tf.maximum(batch.labelled, 1), tf.float32)
        terms = {self.criterion.name if self.criterion else "ctc": tf.reduce_sum(losses) / labelled}
        share = tf.cast(tf.shape(batch.features)[0], tf.float32) / total
        measures: dict[str, tf.Tensor] = {}
        step = Step(model, batch, encoded, logits, language, progress)
        for method in self.methods:
            for name, term in method.loss_terms(step).items():
                terms[_numbered(name, terms)] = term * share
            for name, value in method.measures(step).items():
                measures[_numbered(name, measures)] = value * share
        return LossTerms(terms, measures)

    def _losses(
        self, encoded: Encoded, batch: Batch, language: str, seed: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return logits ``(batch, frames, units)`` and the criterion's loss of each utterance ``(batch,)``."""
        model = self.model
        rows, frames = tf.unstack(tf.shape(encoded.outputs[encoded.last])[:2])
        if not model.has_head(language):
            return tf.zeros((rows, frames, 0)), tf.zeros(rows)
        logits, lengths = model.logits(encoded, language, seed), encoded.lengths[encoded.last]
        if self.criterion is None:
            return logits, ctc_losses(logits, lengths, batch.labels, batch.label_lengths)
        return logits, self.criterion(logits, lengths, batch, language)


def _numbered(name: str, known: Mapping[str, tf.Tensor]) -> str:
    """Return the name, numbered if it is taken: two tables of one method have terms of the same name."""
    number = sum(other.rstrip("0123456789_") == name for other in known) + 1
    return name if number == 1 else f"{name}_{number}"
