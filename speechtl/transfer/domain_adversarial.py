"""Domain-adversarial training: outputs of a block from which a classifier cannot predict the domain."""

from collections.abc import Callable, Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from speechtl.batches.source import Source
from speechtl.errors import DataError, ModelError, list_problems
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import dense, layer_norm, mean_over_time
from speechtl.transfer.method import Step, TransferMethod, choose_blocks


class DomainAdversarial(TransferMethod):
    """Domain-adversarial training (Ganin et al. 2016).

    A classifier with one hidden layer is trained to predict the domain from a block's outputs, with a cross-entropy
    loss. Between classifier and block its gradient is multiplied by ``−λ``, so the encoder learns to defeat it while
    CTC learns from labelled speech: list speech of the target domain under ``[[data]] unlabelled``. ``λ = weight · (2 /
    (1 + exp(−ramp · p)) − 1)``, where p is the fraction of the training completed. The classifier's weights see the
    full gradient.

    The log has the classifier's loss, ``domain``, and its ``domain_accuracy``. Where training succeeds, the loss rises
    to about the logarithm of the number of domains (0.69 for two). Where it stays above that, the encoder learns faster
    than the classifier, and errors in the target domain rise: lower ``weight``, or the learning rate.

    The classifier is used in training only and is not among the weights of the finished experiment.

    Attributes:
        block: whose outputs are made domain-invariant: a name, ``first:1`` or ``last:1``.
        by: the classes: the domains of ``utt2dom``, which every utterance must have; speakers; or languages.
        weight: of the reversed gradient; 0 disables the method. The CTC loss is of whole utterances, tens of nats, that
            of the classifier of single decisions, less than one: 10 or 30 is not a large value.
        ramp: steepness of the rise from 0 to the full weight; 10 in the paper, 0 for the full weight from the start.
        pooling: ``frame`` classifies every frame; ``mean`` each utterance, by the mean of its frames, where the
            classifier soon becomes so certain that little gradient is left, and training is less stable.
        hidden: units of the classifier's hidden layer.
    """

    method: Literal["domain_adversarial"] = "domain_adversarial"
    block: str = "last:1"
    by: Literal["domain", "speaker", "language"] = "domain"
    weight: float = Field(default=1.0, ge=0)
    ramp: float = Field(default=10.0, ge=0)
    pooling: Literal["frame", "mean"] = "frame"
    hidden: int = Field(default=128, gt=0)

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Check that there is one such block.

        Raises:
            ModelError: no such block, or several.
        """
        self._block(model)
        return model

    def attach(self, model: AcousticModel, sources: Sequence[Source]) -> None:
        """Attach the classifier.

        Raises:
            DataError: utterances without a domain, or fewer than two domains.
            ModelError: two tables with the same classes and block.
        """
        if self.weight == 0:
            return
        names = {source.language: self._names(source) for source in sources}
        lacking = [name for source in sources for name, dom in zip(source.utterance_ids, source.domains) if not dom]
        if self.by == "domain" and lacking:
            heading = f"{len(lacking)} training utterances have no domain; add utt2dom to their data directories"
            raise DataError(list_problems(heading, lacking))
        classes = sorted({name for known in names.values() for name in known})
        if len(classes) < 2:
            raise DataError(
                f"domain_adversarial: the training speech has one {self.by} ({', '.join(classes)}), expected two or "
                "more; list speech of another one under [[data]] train or unlabelled"
            )
        if self._name(model) in model.auxiliary:
            raise ModelError(f"two domain_adversarial tables tell the {self.by} from one block; drop one of them")
        size = model.block(self._block(model)).output_size
        classifier = DomainClassifier(size, self.hidden, len(classes), self._name(model))
        classifier.numbers = {
            language: np.array([classes.index(name) for name in known], np.int32) for language, known in names.items()
        }
        model.auxiliary[classifier.name] = classifier
        model.training_only.append(f"auxiliary/{classifier.name}")

    def reads(self, model: AcousticModel) -> tuple[str, ...]:
        """Return the block."""
        return (self._block(model),) if self.weight else ()

    def loss_terms(self, step: Step) -> dict[str, tf.Tensor]:
        """Return ``domain``: cross entropy in nats per decision, a mean over utterances."""
        if not self._counts(step):
            return {}
        scores, domains, shares = self._decide(step, self.strength(step.progress))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(domains, scores)
        return {"domain": tf.reduce_sum(losses * shares)}

    def measures(self, step: Step) -> dict[str, tf.Tensor]:
        """Return ``domain_accuracy``: the share of correct decisions."""
        if not self._counts(step):
            return {}
        scores, domains, shares = self._decide(step, tf.constant(0.0))
        right = tf.cast(tf.argmax(scores, axis=-1, output_type=tf.int32) == domains, tf.float32)
        return {"domain_accuracy": tf.reduce_sum(right * shares)}

    def _counts(self, step: Step) -> bool:
        # Held-out speech, encoded without a seed, has other domains and speakers.
        return self.weight > 0 and step.encoded.seed is not None

    def strength(self, progress: tf.Tensor) -> tf.Tensor:
        """Return ``λ``."""
        if self.ramp == 0:
            return tf.constant(self.weight)
        return self.weight * (2.0 / (1.0 + tf.exp(-self.ramp * progress)) - 1.0)

    def _decide(self, step: Step, strength: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return scores ``(batch, decisions, domains)``, the true domains and weights that sum to 1."""
        block, classifier = self._block(step.model), step.model.auxiliary[self._name(step.model)]
        batch, lengths = step.batch, step.encoded.lengths[block]
        outputs = reverse_gradient(step.encoded.outputs[block], strength)
        if self.pooling == "mean":
            outputs, decisions = mean_over_time(outputs, lengths)[:, tf.newaxis], tf.minimum(lengths, 1)
        else:
            decisions = lengths
        scores = classifier(outputs)
        local = {"domain": batch.domains, "speaker": batch.speakers, "language": tf.zeros_like(batch.domains)}[self.by]
        domains = tf.gather(tf.constant(classifier.numbers[step.language]), local)
        valid = tf.sequence_mask(decisions, tf.shape(scores)[1], dtype=tf.float32)
        shares = valid / tf.cast(tf.maximum(decisions, 1), tf.float32)[:, tf.newaxis]
        return scores, tf.repeat(domains[:, tf.newaxis], tf.shape(scores)[1], axis=1), shares / _rows(shares)

    def _names(self, source: Source) -> list[str]:
        """Return the class names of the numbers in a batch."""
        if self.by == "language":
            return [source.language]
        # Speakers and domains are numbered within their source, in this order.
        return sorted(set(source.domains if self.by == "domain" else source.speakers))

    def _block(self, model: AcousticModel) -> str:
        chosen = choose_blocks(model, self.block)
        if len(chosen) != 1:
            raise ModelError(f"domain_adversarial: block '{self.block}' stands for {len(chosen)} blocks; name one")
        return chosen[0]

    def _name(self, model: AcousticModel) -> str:
        return f"adversary_{self.by}_{self._block(model)}"


class DomainClassifier(keras.layers.Layer):
    """Layer normalisation, a hidden layer of ReLUs and a linear layer to the domains.

    Attributes:
        numbers: by language, the class of each domain, in the order in which a batch numbers them.
    """

    def __init__(self, size: int, hidden: int, classes: int, name: str):
        super().__init__(name=name)
        self.numbers: dict[str, np.ndarray] = {}
        self.norm = layer_norm(size, "norm")
        self.hidden = dense(size, hidden, "hidden")
        self.output_layer = dense(hidden, classes, "output")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map ``(batch, decisions, size)`` to scores ``(batch, decisions, domains)``."""
        return self.output_layer(tf.nn.relu(self.hidden(self.norm(inputs))))


def reverse_gradient(inputs: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Return the inputs unchanged; their gradient is ``−strength`` times that of the result."""

    @tf.custom_gradient
    def reverse(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return tf.identity(x), lambda upstream: -strength * upstream

    return reverse(inputs)


def _rows(shares: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.shape(shares)[0], tf.float32)
