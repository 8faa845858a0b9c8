"""The loss: CTC plus whatever the transfer methods add."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from speechtl.batches.pipeline import Batch
from speechtl.models.acoustic_model import AcousticModel
from speechtl.training.frame_criterion import FrameCriterion
from speechtl.transfer.method import TransferMethod


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
    # The operation wants one label and one frame everywhere; unlabelled rows get a dummy and are masked out below.
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


def loss_terms(
    model: AcousticModel,
    methods: Sequence[TransferMethod],
    batch: Batch,
    language: str,
    seed: tf.Tensor | None,
    progress: tf.Tensor,
    criterion: FrameCriterion | None = None,
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Run the model on a batch and return every term of the loss.

    Args:
        model: the acoustic model.
        methods: transfer methods, whose terms are added.
        batch: one language's utterances.
        language: whose head is trained.
        seed: ``(2,)`` int32 dropout seed, None for evaluation.
        progress: share of the training done, in [0, 1].
        criterion: what stands in the place of CTC.

    Returns:
        Named scalars, each the part of this replica in the mean over the whole batch, to be summed; and likewise what
        the methods measure, which is no part of the loss. ``ctc`` (or what stands in its place) is a mean over the
        labelled utterances of the batch alone, 0 if there are none or the language has no head.
    """
    features = batch.features
    for method in methods:
        features = method.inputs(model, features, batch, seed)
    encoded = model.encode(features, batch.lengths, seed, language)
    rows, frames = tf.unstack(tf.shape(encoded.outputs[encoded.last])[:2])
    if model.has_head(language):
        logits = model.logits(encoded, language, seed)
        lengths = encoded.lengths[encoded.last]
        if criterion is None:
            losses = ctc_losses(logits, lengths, batch.labels, batch.label_lengths)
        else:
            losses = criterion(logits, lengths, batch, language)
    else:
        logits, losses = tf.zeros((rows, frames, 0)), tf.zeros(rows)
    total = tf.cast(batch.total, tf.float32)
    terms = {
        criterion.name if criterion else "ctc": tf.reduce_sum(losses)
        / tf.cast(tf.maximum(batch.labelled, 1), tf.float32)
    }
    share = tf.cast(tf.shape(batch.features)[0], tf.float32) / total
    measures: dict[str, tf.Tensor] = {}
    for method in methods:
        for name, term in method.loss_terms(model, batch, encoded, logits, language, progress).items():
            terms[_numbered(name, terms)] = term * share
        for name, value in method.measures(model, batch, encoded, logits, language).items():
            measures[_numbered(name, measures)] = value * share
    return terms, measures


def _numbered(name: str, known: Mapping[str, tf.Tensor]) -> str:
    """Return a name that is not taken: two tables of one method have terms of one name."""
    number = sum(other.rstrip("0123456789_") == name for other in known) + 1
    return name if number == 1 else f"{name}_{number}"
