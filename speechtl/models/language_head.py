"""Auxiliary language-identification head."""

from collections.abc import Callable, Iterable, Sequence

import keras
import tensorflow as tf

from speechtl.errors import ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import DilatedConv, dense, layer_norm, mask, mean_over_time
from speechtl.models.encoder import Encoded

FOLDER = "language"
_SCORE = "score-"
# Learning-rate multiplier of the score layers. Every batch is of one language, so most of the gradient of a score is
# reversed by the next batch, and little of it discriminates between languages. At the normal rate, Adam would need far
# more than a hundred steps.
_SCORE_RATE = 30.0
# Learning-rate multiplier of the mean over all speech, which is subtracted before scoring.
_CENTRE_RATE = 10.0


class LanguageHead(keras.layers.Layer):
    """Score every language by the mean and standard deviation over the frames of an utterance.

    Statistics pooling as in x-vectors (Snyder et al. 2018): normalisation, a convolution over three frames, ReLU, mean
    and standard deviation minus their mean over all speech, and a linear layer for each language.

    Attributes:
        place: the block whose output is the head's input, ``"input"`` for the features.
        size: number of pooled units.
        languages: in the order of the scores.
    """

    def __init__(self, place: str, inputs: int, size: int, languages: Sequence[str]):
        super().__init__(name=place)
        self.place, self.size, self.languages = place, size, list(languages)
        self.norm = layer_norm(inputs, "norm")
        self.conv = DilatedConv(inputs, size, 3, name="conv")
        self.scores = [dense(2 * size, 1, f"{_SCORE}{language}") for language in languages]
        self.centre = self.add_weight(name="centre", shape=(2 * size,), initializer="zeros")
        for score in self.scores:
            score.kernel.assign(tf.zeros_like(score.kernel.value))  # initially, all languages are equally likely
        self.built = True

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Map ``(batch, frames, inputs)`` with ``(batch,)`` valid frames to logits ``(batch, languages)``."""
        return self._scores(self._pool(inputs, lengths))

    def losses(self, inputs: tf.Tensor, lengths: tf.Tensor, language: str) -> tf.Tensor:
        """Return the cross entropy of each utterance, ``(batch,)``; its gradient also moves the centre to the mean."""
        pooled = self._pool(inputs, lengths)
        entropy = -tf.nn.log_softmax(self._scores(pooled))[:, self.languages.index(language)]
        away = tf.stop_gradient(pooled) - _scaled(self.centre.value, _CENTRE_RATE)
        pull = tf.reduce_sum(tf.square(away), axis=1) / 2
        return entropy + (pull - tf.stop_gradient(pull))

    def _pool(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.relu(self.conv(mask(self.norm(inputs), lengths)))
        mean = mean_over_time(hidden, lengths)
        variance = mean_over_time(tf.square(hidden - mean[:, tf.newaxis]), lengths)
        return tf.concat([mean, tf.sqrt(variance + 1e-5)], axis=1)

    def _scores(self, pooled: tf.Tensor) -> tf.Tensor:
        centred = pooled - tf.stop_gradient(_scaled(self.centre.value, _CENTRE_RATE))
        weights = [
            (_scaled(score.kernel.value, _SCORE_RATE), _scaled(score.bias.value, _SCORE_RATE)) for score in self.scores
        ]
        return tf.concat([tf.matmul(centred, kernel) + bias for kernel, bias in weights], axis=1)

    def select(self, features: tf.Tensor, lengths: tf.Tensor, encoded: Encoded) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the head's input and its lengths: those of its block in a forward pass, or the features."""
        if self.place == "input":
            return features, lengths
        return encoded.outputs[self.place], encoded.lengths[self.place]


def _scaled(weight: tf.Tensor, rate: float) -> tf.Tensor:
    """Scale a weight up and its gradient down: Adam follows the scale alone, and clipping sees no large gradient."""
    small = weight / rate
    return small + tf.stop_gradient(weight * rate - small)


def language_head(model: AcousticModel) -> LanguageHead | None:
    """Return the model's language head, or None if it has none."""
    heads = [layer for name, layer in model.auxiliary.items() if name.startswith(f"{FOLDER}/")]
    return heads[0] if heads else None


def language_function(model: AcousticModel) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return a compiled ``(features, lengths) -> logits (batch, languages)``, without dropout.

    Raises:
        ModelError: the model has no language head.
    """
    head = language_head(model)
    if head is None:
        raise ModelError("this model was not trained to recognise languages (identify of the method multitask)")
    signature = (tf.TensorSpec((None, None, model.inputs)), tf.TensorSpec((None,), tf.int32))

    # Blocks after the input of the head are not run: nothing here depends on them.
    @tf.function(input_signature=signature, autograph=False)
    def logits(features: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        return head(*head.select(features, lengths, model.encode(features, lengths)))

    return logits


def attach_language_head(model: AcousticModel, place: str, size: int, languages: Sequence[str]) -> LanguageHead:
    """Attach a language head; an existing one keeps its place and is extended by the languages that it lacks.

    Raises:
        ModelError: there is no such block.
    """
    present = language_head(model)
    if present is None:
        inputs = model.inputs if place == "input" else model.block(place).output_size
        model.auxiliary[f"{FOLDER}/{place}"] = LanguageHead(place, inputs, size, languages)
        return model.auxiliary[f"{FOLDER}/{place}"]
    lacking = [language for language in languages if language not in present.languages]
    if lacking:
        grown = LanguageHead(present.place, present.norm.scale.shape[0], present.size, [*present.languages, *lacking])
        kept = {variable.path: variable for variable in present.weights}
        for variable in grown.weights:
            if variable.path in kept:
                variable.assign(kept[variable.path].value)
        model.auxiliary[f"{FOLDER}/{present.place}"] = grown
        return grown
    return present


def languages_in(names: Iterable[str]) -> list[str]:
    """Return the languages of a stored language head, from the names of its weights (``PLACE/score-de/kernel``)."""
    parts = [name.split("/")[1] for name in names if name.count("/") == 2]
    return list(dict.fromkeys(part.removeprefix(_SCORE) for part in parts if part.startswith(_SCORE)))
