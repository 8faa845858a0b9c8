"""AdamW with warm-up and cosine decay."""

from collections.abc import Mapping

import keras

from speechtl.training.config import TrainingConfig


def make_optimizer(
    config: TrainingConfig, steps: int, variables: Mapping[str, keras.Variable]
) -> keras.optimizers.Optimizer:
    """Build the optimizer; call it after every method's ``prepare``, or it trains the wrong variables.

    Args:
        config: rates and decay.
        steps: of the whole training.
        variables: the weights to train, by path.
    """
    warmup = round(config.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        decay_steps=max(steps - warmup, 1),
        alpha=config.final_rate,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, beta_2=0.98)
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables.values() if len(v.shape) < 2])
    optimizer.build(list(variables.values()))
    return optimizer
