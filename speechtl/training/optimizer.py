"""AdamW with warm-up and cosine decay."""

from collections.abc import Mapping

import keras

from speechtl.training.config import TrainingConfig


def make_optimizer(
    config: TrainingConfig, steps: int | None, variables: Mapping[str, keras.Variable]
) -> keras.optimizers.Optimizer:
    """Build the optimizer; call it after every method's ``prepare``, or it trains the wrong variables.

    Args:
        config: rates and decay.
        steps: of the whole training; None for a constant rate.
        variables: the weights to train, by path.
    """
    schedule = config.learning_rate if steps is None else _schedule(config, steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, beta_2=0.98)
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables.values() if len(v.shape) < 2])
    optimizer.build(list(variables.values()))
    return optimizer


def _schedule(config: TrainingConfig, steps: int) -> keras.optimizers.schedules.CosineDecay:
    warmup = round(config.warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        decay_steps=max(steps - warmup, 1),
        alpha=config.final_rate,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
