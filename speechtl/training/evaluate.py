"""Loss and greedy phone error rate on held-out speech."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import tensorflow as tf
from rapidfuzz.distance import Levenshtein

from speechtl.alignment.ctc import merge_repeats
from speechtl.batches.config import BatchConfig
from speechtl.batches.pipeline import Batch, make_dataset
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Source
from speechtl.models.acoustic_model import AcousticModel
from speechtl.training.objective import LossTerms, Objective, ctc_losses

Forward = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
Terms = Callable[[Batch], LossTerms]


def forward_function(model: AcousticModel, language: str) -> Forward:
    """Return a compiled ``(features, lengths) -> (logits, lengths)`` for one language, without dropout."""
    signature = (tf.TensorSpec((None, None, model.inputs)), tf.TensorSpec((None,), tf.int32))

    @tf.function(input_signature=signature, autograph=False)
    def forward(features: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        encoded = model.encode(features, lengths, language=language)
        return model.logits(encoded, language), encoded.lengths[encoded.last]

    return forward


def terms_function(objective: Objective, language: str) -> Terms:
    """Return a compiled function from a batch to its loss terms and measures, without dropout."""

    @tf.function(reduce_retracing=True, autograph=False)
    def terms(batch: Batch) -> LossTerms:
        return objective(batch, language, None, tf.constant(1.0))

    return terms


def evaluate(
    model: AcousticModel,
    sources: Sequence[Source],
    config: BatchConfig,
    forward: dict[str, Forward],
    terms: dict[str, Terms],
) -> dict[str, float]:
    """Evaluate a model on held-out speech.

    Args:
        model: the model.
        sources: speech, labelled where its language has a head.
        config: batch sizes.
        forward: compiled forward functions by language, from `forward_function`.
        terms: for languages without a head, compiled functions from `terms_function`.

    Returns:
        ``dev_loss``, the CTC loss in nats per labelled utterance or, where nothing is labelled, the loss of the
        transfer methods; ``dev_per``, the phone error rate of the best path against the first pronunciations, in
        percent, where speech is labelled; with several languages also ``dev_per_LANGUAGE``, since what helps one may
        harm another; and, as ``dev_NAME``, each loss term and measure on speech whose language has no head.
    """
    losses, count = 0.0, 0
    errors, phones = defaultdict[str, int](int), defaultdict[str, int](int)
    loss, sums, utterances = 0.0, defaultdict[str, float](float), 0
    for number, source in enumerate(sources):
        plan = [batch for batch in plan_once([s.frames for s in sources], config) if batch.source == number]
        for batch in make_dataset(source, plan, model.inputs):
            if not model.has_head(source.language):
                parts, measures = terms[source.language](batch)
                size = int(batch.total)
                utterances += size
                loss += size * sum(float(part) for part in parts.values())
                for name, value in (parts | measures).items():
                    sums[name] += size * float(value)
                continue
            logits, lengths = forward[source.language](batch.features, batch.lengths)
            losses += float(tf.reduce_sum(ctc_losses(logits, lengths, batch.labels, batch.label_lengths)))
            best = tf.argmax(logits, axis=-1).numpy()
            for row, index in enumerate(batch.utterances.numpy()):
                reference = source.labels[index]
                if not reference:
                    continue
                errors[source.language] += Levenshtein.distance(
                    merge_repeats(best[row, : int(lengths[row])]), reference
                )
                phones[source.language] += len(reference)
                count += 1
    unlabelled = {f"dev_{name}": value / utterances for name, value in sums.items() if name != "ctc"}
    if utterances and not count:
        return {"dev_loss": loss / utterances, **unlabelled}
    rates = {"dev_per": 100.0 * sum(errors.values()) / max(sum(phones.values()), 1)}
    if len(phones) > 1:
        rates |= {f"dev_per_{language}": 100.0 * errors[language] / phones[language] for language in phones}
    return {"dev_loss": losses / max(count, 1), **rates, **unlabelled}
