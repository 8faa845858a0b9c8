"""A small head beside the model that hears which language is spoken."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from speechtl.models.acoustic_model import AcousticModel, Encoded
from speechtl.models.blocks import DilatedConv, dense, layer_norm, mask

FOLDER = "language"
_SCORE = "score-"
# Batches are of one language, so most of a score's gradient is what the next batch takes back, and little what tells
# languages apart. For Adam to learn that in a hundred steps, scores must move this many times as fast as other weights.
_PACE = 30.0


class LanguageHead(keras.layers.Layer):
    """Give every language a score from mean and standard deviation over the frames of an utterance.

    Statistics pooling as for x-vectors (Snyder et al. 2018): normalisation, a convolution over three frames, ReLU,
    mean and standard deviation, and a linear layer for each language.

    Attributes:
        place: the block whose output it hears, ``"input"`` for the features.
        size: units that are pooled.
        languages: in the order of the scores.
    """

    def __init__(self, place: str, inputs: int, size: int, languages: Sequence[str]):
        super().__init__(name=place)
        self.place, self.size, self.languages = place, size, list(languages)
        self.norm = layer_norm(inputs, "norm")
        self.conv = DilatedConv(inputs, size, 3, name="conv")
        self.scores = [dense(2 * size, 1, f"{_SCORE}{language}") for language in languages]
        for score in self.scores:
            score.kernel.assign(tf.zeros_like(score.kernel.value))  # at first, all languages are as likely
        self.built = True

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Map ``(batch, frames, inputs)`` with ``(batch,)`` valid frames to logits ``(batch, languages)``."""
        heard = tf.nn.relu(self.conv(mask(self.norm(inputs), lengths)))
        valid = tf.sequence_mask(lengths, tf.shape(heard)[1], dtype=heard.dtype)[:, :, tf.newaxis]
        count = tf.cast(tf.maximum(lengths, 1), heard.dtype)[:, tf.newaxis]
        mean = tf.reduce_sum(heard * valid, axis=1) / count
        variance = tf.reduce_sum(tf.square(heard - mean[:, tf.newaxis]) * valid, axis=1) / count
        pooled = tf.concat([mean, tf.sqrt(variance + 1e-5)], axis=1)
        scores = [tf.matmul(pooled, _quick(score.kernel.value)) + _quick(score.bias.value) for score in self.scores]
        return tf.concat(scores, axis=1)

    def heard(self, features: tf.Tensor, lengths: tf.Tensor, encoded: Encoded) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what the head takes of a forward pass: a block's output and lengths, or the features and theirs."""
        if self.place == "input":
            return features, lengths
        return encoded.outputs[self.place], encoded.lengths[self.place]


def _quick(weight: tf.Tensor) -> tf.Tensor:
    """Scale a weight up and its gradient down: Adam follows the scale alone, and clipping sees no large gradient."""
    small = weight / _PACE
    return small + tf.stop_gradient(weight * _PACE - small)


def language_head(model: AcousticModel) -> LanguageHead | None:
    """Return the model's language head, or None if it has none."""
    heads = [layer for name, layer in model.beside.items() if name.startswith(f"{FOLDER}/")]
    return heads[0] if heads else None


def attach_language_head(model: AcousticModel, place: str, size: int, languages: Sequence[str]) -> LanguageHead:
    """Put a language head beside a model; one that is there keeps its place and gains the languages that it lacks.

    Raises:
        ModelError: there is no such block.
    """
    present = language_head(model)
    if present is None:
        inputs = model.inputs if place == "input" else model.block(place).output_size
        model.beside[f"{FOLDER}/{place}"] = LanguageHead(place, inputs, size, languages)
        return model.beside[f"{FOLDER}/{place}"]
    lacking = [language for language in languages if language not in present.languages]
    if lacking:
        grown = LanguageHead(present.place, present.norm.scale.shape[0], present.size, [*present.languages, *lacking])
        kept = {variable.path: variable for variable in present.weights}
        for variable in grown.weights:
            if variable.path in kept:
                variable.assign(kept[variable.path].value)
        model.beside[f"{FOLDER}/{present.place}"] = grown
        return grown
    return present


def languages_in(names: Sequence[str]) -> list[str]:
    """Return the languages that stored weights of a language head score, from their names."""
    parts = [name.split("/")[3] for name in names if name.count("/") == 4]
    return list(dict.fromkeys(part.removeprefix(_SCORE) for part in parts if part.startswith(_SCORE)))
