"""Optimizers, and the learning-rate schedule: linear warm-up and cosine decay."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import keras
import numpy as np

Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


def make_optimizer(
    learning_rate: float | Schedule,
    variables: Mapping[str, keras.Variable],
    weight_decay: float = 0.0,
    kind: Literal["adam", "sgd"] = "adam",
) -> keras.optimizers.Optimizer:
    """Build an optimizer; call it after every method's ``prepare``, or it trains the wrong variables.

    Args:
        learning_rate: constant, or a schedule over the steps.
        variables: the weights to train, by path.
        weight_decay: decoupled decay of AdamW (Loshchilov & Hutter 2019), not applied to biases and normalisation.
        kind: AdamW, or plain gradient descent.
    """
    if kind == "sgd":
        optimizer = keras.optimizers.SGD(learning_rate)
    else:
        optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay, beta_2=0.98)
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
