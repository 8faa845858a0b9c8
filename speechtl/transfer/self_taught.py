"""Self-taught learning: pre-training on unlabelled speech by masked prediction."""

from functools import lru_cache
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from speechtl.batches.pipeline import Batch
from speechtl.errors import ModelError
from speechtl.features.dct import cosine_transform
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import dense, layer_norm, mask
from speechtl.transfer.method import Step, TransferMethod

# Separates the random masks from dropout, which draws from the same seed.
SALT = 9_000


class SelfTaught(TransferMethod):
    """Mask spans of unlabelled speech and predict them from their context (self-taught learning, Raina et al. 2007).

    Masked frames are replaced by noise. ``target = "quantised"`` predicts an index for each of them, as BEST-RQ does
    (Chiu et al. 2022): the feature frames of one output frame are stacked, projected by a fixed random matrix and
    quantised to the nearest of a set of random vectors; the loss is the cross entropy, averaged over masked frames.
    ``target = "features"`` predicts the stacked frames themselves, with the mean squared error.

    Only utterances without labels (``[[data]] unlabelled``) are masked and predicted; together with labelled speech,
    this is one term of a semi-supervised loss, and CTC sees whole utterances. Targets are computed from the augmented
    features: for pre-training set the masks of ``[augmentation]`` to zero. They require normalised features;
    ``self_taught_target_perplexity`` in the log is the effective number of vectors in use, and
    ``self_taught_predicted_perplexity`` that of the predictions (near 1: collapsed).

    The prediction layer is used in training only and is not among the weights of the finished experiment.

    Attributes:
        target: what is predicted.
        weight: of the loss term; 0 disables the method.
        block: whose output the prediction is made from; the last one by default.
        masked_share: of the frames, masked on average.
        span: length of a masked span, in feature frames (rounded to output frames). Spans may overlap.
        noise: standard deviation of the noise.
        codebooks: number of independent quantisers, all predicted at once.
        codebook_size: vectors in each.
        codebook_dimension: of the projection.
        cepstra: coefficients of the discrete cosine transform of each frame (mel features become cepstra) that are
            projected, the k-th weighted by ``sqrt(1 + k)``; 0 projects the features themselves. Neighbouring mel bins
            are so correlated that random vectors would distinguish little but loudness.
        codebook_seed: of projections and vectors.
    """

    method: Literal["self_taught"] = "self_taught"
    target: Literal["quantised", "features"] = "quantised"
    weight: float = Field(default=1.0, ge=0)
    block: str | None = None
    masked_share: float = Field(default=0.4, gt=0, lt=1)
    span: int = Field(default=24, gt=0)
    noise: float = Field(default=0.1, ge=0)
    codebooks: int = Field(default=1, gt=0)
    codebook_size: int = Field(default=512, gt=1)
    codebook_dimension: int = Field(default=16, gt=0)
    codebook_seed: int = Field(default=1, ge=0)
    cepstra: int = Field(default=13, ge=0)

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Attach the prediction layer.

        Raises:
            ModelError: no such block, or another table predicts the same from it.
        """
        if self.weight == 0:
            return model
        block = model.block(self._block(model))
        name = self._name(model)
        if name in model.auxiliary:
            raise ModelError(f"two self_taught tables predict {self.target} from block '{block.name}'; drop one")
        stacked = model.subsampling * model.inputs
        outputs = stacked if self.target == "features" else self.codebooks * self.codebook_size
        model.auxiliary[name] = Predictor(block.output_size, outputs, name)
        model.training_only.append(f"auxiliary/{name}")
        return model

    def inputs(self, model: AcousticModel, features: tf.Tensor, batch: Batch, seed: tf.Tensor | None) -> tf.Tensor:
        """Replace masked frames by noise."""
        if self.weight == 0:
            return features
        hidden = tf.repeat(self.hidden(model, batch, seed), model.subsampling, axis=1)[:, : tf.shape(features)[1]]
        noise = tf.random.stateless_normal(tf.shape(features), _dice(batch, seed, 1), stddev=self.noise)
        return tf.where(hidden[:, :, tf.newaxis], noise, features)

    def hidden(self, model: AcousticModel, batch: Batch, seed: tf.Tensor | None) -> tf.Tensor:
        """Draw which output frames are masked: ``(batch, frames')`` bool, a function of the seed and the lengths.

        Every frame of an unlabelled utterance is masked with probability ``masked_share``: a span starts at each frame
        (also before the first) with probability ``1 − (1 − masked_share)^(1 / span)``.
        """
        lengths = model.output_lengths(batch.lengths)
        frames = model.output_lengths(tf.shape(batch.features)[1])
        span = max(round(self.span / model.subsampling), 1)
        probability = 1.0 - (1.0 - self.masked_share) ** (1.0 / span)
        shape = (tf.shape(batch.features)[0], frames + span - 1)
        starts = tf.cast(tf.random.stateless_uniform(shape, _dice(batch, seed, 0)) < probability, tf.float32)
        covered = tf.nn.max_pool1d(starts[:, :, tf.newaxis], span, 1, "VALID")[:, :, 0] > 0
        return covered & tf.sequence_mask(lengths, frames) & (batch.label_lengths == 0)[:, tf.newaxis]

    def loss_terms(self, step: Step) -> dict[str, tf.Tensor]:
        """Return ``self_taught``: cross entropy in nats, or squared error, per masked frame."""
        if self.weight == 0:
            return {}
        model, batch = step.model, step.batch
        hidden, predicted = self.hidden(model, batch, step.encoded.seed), self._predict(step)
        stacked = stack(batch.features, batch.lengths, model.subsampling)
        if self.target == "features":
            losses = tf.reduce_mean(tf.math.squared_difference(predicted, stacked), axis=-1)
        else:
            scores = self._by_codebook(predicted)
            targets = self.quantise(stacked, model.inputs)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores)
            losses = tf.reduce_mean(losses, axis=-1)
        return {"self_taught": self.weight * _mean(losses, hidden)}

    def measures(self, step: Step) -> dict[str, tf.Tensor]:
        """Return the accuracy at masked frames, and the perplexity of targets and predictions."""
        if self.weight == 0 or self.target == "features":
            return {}
        model, batch = step.model, step.batch
        hidden = self.hidden(model, batch, step.encoded.seed)
        targets = self.quantise(stack(batch.features, batch.lengths, model.subsampling), model.inputs)
        predicted = tf.argmax(self._by_codebook(self._predict(step)), axis=-1, output_type=tf.int32)
        found = tf.reduce_mean(tf.cast(targets == predicted, tf.float32), axis=-1)
        return {
            "self_taught_accuracy": _mean(found, hidden),
            "self_taught_target_perplexity": perplexity(targets, hidden, self.codebook_size),
            "self_taught_predicted_perplexity": perplexity(predicted, hidden, self.codebook_size),
        }

    def quantise(self, stacked: tf.Tensor, bins: int) -> tf.Tensor:
        """Return the index of the nearest vector, ``(batch, frames', codebooks)`` int32.

        With unit vectors ``c`` and a projection ``p``, ``argmin ‖p / ‖p‖ − c‖ = argmax p · c``.

        Args:
            stacked: ``(batch, frames', stack · bins)``.
            bins: of each frame.
        """
        if self.cepstra:
            batch, steps = tf.unstack(tf.shape(stacked)[:2])
            frames = stacked.shape[-1] // bins
            transform = weighted_cosine_transform(bins, min(self.cepstra, bins))
            cepstra = tf.matmul(tf.reshape(stacked, (-1, bins)), transform)
            stacked = tf.reshape(cepstra, (batch, steps, frames * transform.shape[1]))
        projections, vectors = random_quantisers(
            stacked.shape[-1], self.codebooks, self.codebook_size, self.codebook_dimension, self.codebook_seed
        )
        projected = tf.einsum("bts,csd->btcd", stacked, projections)
        return tf.argmax(tf.einsum("btcd,cnd->btcn", projected, vectors), axis=-1, output_type=tf.int32)

    def _predict(self, step: Step) -> tf.Tensor:
        return step.model.auxiliary[self._name(step.model)](step.encoded.outputs[self._block(step.model)])

    def _by_codebook(self, scores: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(scores)
        return tf.reshape(scores, (shape[0], shape[1], self.codebooks, self.codebook_size))

    def _block(self, model: AcousticModel) -> str:
        return self.block or model.block_names[-1]

    def _name(self, model: AcousticModel) -> str:
        return f"self_taught_{self.target}_{self._block(model)}"


class Predictor(keras.layers.Layer):
    """Layer normalisation and a linear layer."""

    def __init__(self, size: int, outputs: int, name: str):
        super().__init__(name=name)
        self.norm = layer_norm(size, "norm")
        self.output_layer = dense(size, outputs, "output")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map ``(batch, frames, size)`` to ``(batch, frames, outputs)``."""
        return self.output_layer(self.norm(inputs))


@lru_cache(maxsize=8)
def random_quantisers(
    inputs: int, codebooks: int, codebook_size: int, dimension: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the quantisers, a function of sizes and seed alone.

    Returns:
        Projections ``(codebooks, inputs, dimension)``, uniform as Glorot & Bengio 2010 initialise, and vectors
        ``(codebooks, codebook size, dimension)``, uniform on the unit sphere.
    """
    rng = np.random.default_rng((seed, inputs))
    limit = np.sqrt(6.0 / (inputs + dimension))
    projections = rng.uniform(-limit, limit, (codebooks, inputs, dimension))
    vectors = rng.normal(size=(codebooks, codebook_size, dimension))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return projections.astype(np.float32), vectors.astype(np.float32)


@lru_cache(maxsize=8)
def weighted_cosine_transform(bins: int, coefficients: int) -> np.ndarray:
    """Return the DCT-II ``(bins, coefficients)`` with weights ``sqrt(1 + k)``, float32."""
    return (cosine_transform(bins, coefficients) * np.sqrt(1.0 + np.arange(coefficients))).astype(np.float32)


def stack(features: tf.Tensor, lengths: tf.Tensor, factor: int) -> tf.Tensor:
    """Stack ``factor`` frames: ``(batch, frames, bins)`` to ``(batch, ceil(frames / factor), factor · bins)``.

    Frames beyond the length of an utterance count as zeros.
    """
    frames, bins = tf.shape(features)[1], features.shape[2]
    steps = -(-frames // factor)
    padded = tf.pad(mask(features, lengths), [[0, 0], [0, steps * factor - frames], [0, 0]])
    return tf.reshape(padded, (tf.shape(features)[0], steps, factor * bins))


def perplexity(indices: tf.Tensor, hidden: tf.Tensor, size: int) -> tf.Tensor:
    """Return ``exp(entropy)`` of the indices ``(batch, frames, codebooks)`` at masked frames, a mean over codebooks."""
    chosen = tf.one_hot(indices, size) * tf.cast(hidden, tf.float32)[:, :, tf.newaxis, tf.newaxis]
    shares = tf.reduce_sum(chosen, (0, 1)) / tf.maximum(tf.reduce_sum(tf.cast(hidden, tf.float32)), 1.0)
    return tf.reduce_mean(tf.exp(-tf.reduce_sum(tf.math.xlogy(shares, shares), axis=-1)))


def _mean(values: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
    weights = tf.cast(hidden, values.dtype)
    return tf.reduce_sum(values * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)


def _dice(batch: Batch, seed: tf.Tensor | None, salt: int) -> tf.Tensor:
    """Return the seed of the masks of an update; held-out speech has the same masks in every evaluation."""
    if seed is None:
        seed = tf.stack([batch.utterances[0], 0])
    return seed + tf.constant([0, SALT + salt], tf.int32)
