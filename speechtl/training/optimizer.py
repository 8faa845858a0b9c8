"""Optimizers, and the learning-rate schedule: linear warm-up and cosine decay."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
import tensorflow as tf

Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


class AdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019) with a learning rate of its own for each weight, and a step at which it starts.

    A weight with factor ``f`` moves as it would with ``f`` times the learning rate, by its gradient and by its decay.
    One that starts at a later step moves as in an optimizer that is new at this step: its moments are corrected for the
    number of its own updates (Kingma & Ba 2015). Until then it must not be among the weights given to ``apply``.
    """

    def __init__(
        self, learning_rate: float | Schedule, factors: Sequence[float], starts: Sequence[int], **settings: Any
    ):
        """Configure the optimizer.

        Args:
            learning_rate: constant, or a schedule over the steps.
            factors: of the learning rate, for each weight in the order of ``build``.
            starts: for each weight, the number of updates before its first.
            settings: others of ``keras.optimizers.AdamW``.
        """
        super().__init__(learning_rate, **settings)
        self.factors, self.starts = tuple(factors), tuple(starts)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Update a weight: decay, then the step of Adam."""
        index = self._get_variable_index(variable)
        rate, done = (tf.cast(value, variable.dtype) for value in (learning_rate, self.iterations.value))
        done += 1.0
        if self.factors[index] != 1.0:
            rate *= self.factors[index]
        if self._use_weight_decay(variable):
            self.assign_sub(variable, variable * tf.cast(self.weight_decay, variable.dtype) * rate)
        if self.starts[index]:
            # Adam corrects for all updates; replace this by the correction for those of this weight.
            rate *= self._correction(done - self.starts[index]) / self._correction(done)
        if tf.distribute.has_strategy():
            super().update_step(gradient, variable, rate)
            return
        # The same formula as Keras', in one pass over weight and moments instead of one for each of its operations.
        beta_1, beta_2 = (tf.constant(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1**done,
            beta2_power=beta_2**done,
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
        )

    def _correction(self, updates: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(1.0 - self.beta_2**updates) / (1.0 - self.beta_1**updates)

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Do nothing: Keras would apply one rate to all weights here."""


class GradientDescent(keras.optimizers.SGD):
    """Plain gradient descent, with a learning rate of its own for each weight."""

    def __init__(self, learning_rate: float | Schedule, factors: Sequence[float]):
        """Configure the optimizer; the factors of the learning rate are in the order of ``build``."""
        super().__init__(learning_rate)
        self.factors = tuple(factors)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Update a weight."""
        factor = self.factors[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate if factor == 1.0 else factor * learning_rate)


def make_optimizer(
    learning_rate: float | Schedule,
    variables: Mapping[str, keras.Variable],
    weight_decay: float = 0.0,
    kind: Literal["adam", "sgd"] = "adam",
    *,
    factors: Mapping[str, float] | None = None,
    starts: Mapping[str, int] | None = None,
) -> keras.optimizers.Optimizer:
    """Build an optimizer; call it after every method's ``prepare``, or it trains the wrong variables.

    Args:
        learning_rate: constant, or a schedule over the steps.
        variables: the weights to train, by path.
        weight_decay: decoupled decay of AdamW (Loshchilov & Hutter 2019), not applied to biases and normalisation.
        kind: AdamW, or plain gradient descent.
        factors: of the learning rate, by path; 1 for weights that are not listed.
        starts: the number of updates before the first of a weight, by path; 0 for weights that are not listed.
    """
    scales = [(factors or {}).get(path, 1.0) for path in variables]
    if kind == "sgd":
        optimizer: keras.optimizers.Optimizer = GradientDescent(learning_rate, scales)
    else:
        first = [(starts or {}).get(path, 0) for path in variables]
        optimizer = AdamW(learning_rate, scales, first, weight_decay=weight_decay, beta_2=0.98)
        optimizer.exclude_from_weight_decay(var_list=[v for v in variables.values() if len(v.shape) < 2])
    optimizer.build(list(variables.values()))
    return optimizer


def cosine_schedule(
    peak: float | np.ndarray, steps: int, *, warmup: float = 0.0, final_rate: float = 0.0
) -> keras.optimizers.schedules.CosineDecay:
    """Return a learning rate that rises linearly and decays along a cosine.

    Args:
        peak: highest rate; an array of one float64 makes the schedule compute in float64.
        steps: of the whole training.
        warmup: fraction of the steps over which the rate rises.
        final_rate: rate after the last step, as a fraction of the peak.
    """
    rising = round(warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if rising else peak,
        decay_steps=max(steps - rising, 1),
        alpha=final_rate,
        warmup_target=peak if rising else None,
        warmup_steps=rising,
    )
