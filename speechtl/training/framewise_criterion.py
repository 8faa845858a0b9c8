"""Frame-wise cross entropy on a phone alignment, instead of CTC on transcripts."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from speechtl.batches.pipeline import Batch
from speechtl.batches.source import Source
from speechtl.models.blocks import mean_over_time


class FramewiseCriterion:
    """Cross entropy between posteriors and the phone of every frame in an alignment; the blank stands for silence.

    CTC leaves it to the model where a phone is emitted, and with a small training vocabulary a model recognises a whole
    word from any part of it. Here each phone is learned where it occurs.

    With ``prior_weight`` the logits are adjusted while training (Menon et al. 2021)::

        loss = cross entropy(logits + prior_weight · log prior, label)

    so that the logits alone are near log posterior - prior_weight · log prior: what decoding with posteriors divided by
    priors uses (Bourlard & Morgan 1994), and phones that are rare in training are not held to be rare elsewhere.
    """

    name = "framewise"

    def __init__(self, sources: Sequence[Source], units: dict[str, int], stride: int, prior_weight: float):
        """Count the labels.

        Args:
            sources: whose labels are units of frames (``label_frames``).
            units: units of each language, with the blank.
            stride: frames of features for each frame of logits.
            prior_weight: see above.
        """
        self.stride = stride
        self._adjustment: dict[str, np.ndarray] = {}
        for source in sources:
            if source.language not in units:
                continue
            counts = np.ones(units[source.language])  # one more of each, so that none has probability 0
            for labels in source.labels:
                counts += np.bincount(labels, minlength=len(counts)) if labels else 0
            prior = np.log(counts / counts.sum())
            self._adjustment[source.language] = (prior_weight * prior).astype(np.float32)

    def __call__(self, logits: tf.Tensor, lengths: tf.Tensor, batch: Batch, language: str) -> tf.Tensor:
        """Return the loss of each utterance ``(batch,)``: nats per frame, 0 where there are no labels.

        Args:
            logits: ``(batch, frames, units)``; frame k is centred on frame ``k · stride`` of the features.
            lengths: ``(batch,)`` valid frames of logits.
            batch: with labels for every frame of the features.
            language: whose logits these are.
        """
        frames = tf.shape(logits)[1]
        labels = batch.labels[:, :: self.stride][:, :frames]
        labels = tf.pad(labels, [[0, 0], [0, frames - tf.shape(labels)[1]]])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits + self._adjustment[language])
        return tf.where(batch.label_lengths > 0, mean_over_time(losses, lengths), 0.0)
