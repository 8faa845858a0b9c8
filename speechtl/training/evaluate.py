"""Loss and greedy phone error rates on held-out speech."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
from rapidfuzz.distance import Levenshtein

from speechtl.alignment.ctc import merge_repeats
from speechtl.batches.config import BatchConfig
from speechtl.batches.pipeline import Batch, make_dataset, read_batches
from speechtl.batches.plan import PlannedBatch, plan_once
from speechtl.batches.source import Source
from speechtl.models.acoustic_model import AcousticModel
from speechtl.scoring.feature_error_rate import feature_distances, unknown_phones
from speechtl.training.objective import LossTerms, Objective, ctc_losses

Forward = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
Terms = Callable[[Batch], LossTerms]
# What was found and what was said, as units of a head.
Pair = tuple[Sequence[int], Sequence[int]]


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


class HeldOut(NamedTuple):
    """Held-out speech of one language, and how it is read: the same each time, so that it is set up once.

    Attributes:
        source: the speech, labelled where its language has a head.
        plan: its batches, in order.
        dataset: of these `speechtl.batches.pipeline.Batch`.
        has_head: whether its language has one.
    """

    source: Source
    plan: list[PlannedBatch]
    dataset: tf.data.Dataset
    has_head: bool


def held_out(model: AcousticModel, sources: Sequence[Source], config: BatchConfig) -> list[HeldOut]:
    """Prepare held-out speech for `evaluate`.

    Args:
        model: the model.
        sources: the speech.
        config: batch sizes.
    """
    planned = plan_once([s.feature_frames for s in sources], config, [s.shards for s in sources])
    found = []
    for number, source in enumerate(sources):
        plan = [batch for batch in planned if batch.source == number]
        has_head = model.has_head(source.language)
        # Only the terms of transfer methods look at targets.
        dataset = make_dataset(source, plan, model.inputs, targets=not has_head)
        found.append(HeldOut(source, plan, dataset, has_head))
    return found


def evaluate(
    model: AcousticModel,
    speech: Sequence[HeldOut],
    forward: dict[str, Forward],
    terms: dict[str, Terms],
) -> dict[str, float]:
    """Evaluate a model on held-out speech.

    Args:
        model: the model.
        speech: from `held_out`.
        forward: compiled forward functions by language, from `forward_function`.
        terms: for languages without a head, compiled functions from `terms_function`.

    Returns:
        ``dev_loss``, the CTC loss in nats per labelled utterance or, where nothing is labelled, the loss of the
        transfer methods; ``dev_per``, the phone error rate of the best path against the first pronunciations, in
        percent, where speech is labelled, and ``dev_pfer``, its phone feature error rate (see
        ``scoring.feature_error_rate``) where phones are IPA; with several languages also ``dev_per_LANGUAGE`` and
        ``dev_pfer_LANGUAGE``, since what helps one may harm another; and, as ``dev_NAME``, each loss term and measure
        on speech whose language has no head.
    """
    losses, count = 0.0, 0
    pairs = defaultdict[str, list[Pair]](list)
    loss, sums, utterances = 0.0, defaultdict[str, float](float), 0
    for source, plan, dataset, has_head in speech:
        for batch in read_batches(dataset, source, plan):
            if not has_head:
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
                pairs[source.language].append((merge_repeats(best[row, : int(lengths[row])]), reference))
                count += 1
    unlabelled = {f"dev_{name}": value / utterances for name, value in sums.items() if name != "ctc"}
    if utterances and not count:
        return {"dev_loss": loss / utterances, **unlabelled}
    phones = {language: _phone_errors(spoken) for language, spoken in pairs.items()}
    features = {language: _feature_errors(model, language, spoken) for language, spoken in pairs.items()}
    rates = {**(_rates("dev_per", phones) or {"dev_per": 0.0}), **_rates("dev_pfer", features)}
    return {"dev_loss": losses / max(count, 1), **rates, **unlabelled}


def unmeasured_phones(model: AcousticModel, sources: Sequence[Source]) -> dict[str, int]:
    """Return the phones that ``dev_pfer`` counts in part or not at all, and how often they occur in references."""
    every: list[list[str]] = []
    for source in sources:
        if model.has_head(source.language) and model.head_name(source.language) in model.inventories:
            every += _decode(model, source.language, source.labels)
    return unknown_phones(every)


def _phone_errors(pairs: Sequence[Pair]) -> tuple[float, int]:
    """Return the phone errors, and the phones of the references."""
    return sum(Levenshtein.distance(*pair) for pair in pairs), sum(len(reference) for _, reference in pairs)


def _feature_errors(model: AcousticModel, language: str, pairs: Sequence[Pair]) -> tuple[float, int]:
    """Return the feature distances, and the segments of the references; 0 where phones are unknown or not IPA."""
    if model.head_name(language) not in model.inventories:
        return 0.0, 0
    found, references = (_decode(model, language, side) for side in zip(*pairs, strict=True))
    distances, lengths = feature_distances(references, found)
    return float(distances.sum()), int(lengths.sum())


def _decode(model: AcousticModel, language: str, every: Sequence[Sequence[int]]) -> list[list[str]]:
    inventory = model.inventories[model.head_name(language)]
    return [inventory.decode(units) for units in every]


def _rates(name: str, counts: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    """Return an error rate in percent, and where there are several languages that of each."""
    measured = {language: (errors, length) for language, (errors, length) in counts.items() if length}
    if not measured:
        return {}
    errors, lengths = zip(*measured.values(), strict=True)
    rates = {name: 100.0 * sum(errors) / sum(lengths)}
    if len(measured) > 1:
        rates |= {f"{name}_{language}": 100.0 * errors / length for language, (errors, length) in measured.items()}
    return rates
