"""Loss and greedy phone error rate on held-out speech."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from rapidfuzz.distance import Levenshtein

from speechtl.batches.config import BatchConfig
from speechtl.batches.pipeline import make_dataset
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Source
from speechtl.models.acoustic_model import AcousticModel
from speechtl.training.objective import ctc_losses

Forward = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def forward_function(model: AcousticModel, language: str) -> Forward:
    """Return a compiled ``(features, lengths) -> (logits, lengths)`` for one language, without dropout."""
    signature = (tf.TensorSpec((None, None, model.inputs)), tf.TensorSpec((None,), tf.int32))

    @tf.function(input_signature=signature, autograph=False)
    def forward(features, lengths):
        encoded = model.encode(features, lengths, language=language)
        return model.logits(encoded, language), encoded.lengths[encoded.last]

    return forward


def evaluate(model: AcousticModel, sources: Sequence[Source], config: BatchConfig, forward: dict[str, Forward]) -> dict:
    """Measure a model on held-out speech.

    Args:
        model: the model.
        sources: labelled speech.
        config: batch sizes.
        forward: compiled forward functions by language, from `forward_function`.

    Returns:
        ``dev_loss``, nats per utterance; ``dev_per``, greedy phone errors (best path, against the first pronunciations)
        per phone, in percent.
    """
    losses, count, errors, phones = 0.0, 0, 0, 0
    for number, source in enumerate(sources):
        plan = [batch for batch in plan_once([s.frames for s in sources], config) if batch.source == number]
        for batch in make_dataset(source, plan, model.inputs):
            logits, lengths = forward[source.language](batch.features, batch.lengths)
            losses += float(tf.reduce_sum(ctc_losses(logits, lengths, batch.labels, batch.label_lengths)))
            best = tf.argmax(logits, axis=-1).numpy()
            for row, index in enumerate(batch.utterances.numpy()):
                reference = source.labels[index]
                if not reference:
                    continue
                errors += Levenshtein.distance(best_path(best[row, : int(lengths[row])]), reference)
                phones += len(reference)
                count += 1
    return {"dev_loss": losses / max(count, 1), "dev_per": 100.0 * errors / max(phones, 1)}


def best_path(units: np.ndarray) -> list[int]:
    """Collapse a path of units: merge repetitions, then drop blanks (unit 0)."""
    if not len(units):
        return []
    changed = np.concatenate([[True], units[1:] != units[:-1]])
    return [int(unit) for unit in units[changed] if unit != 0]
