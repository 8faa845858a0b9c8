"""Pseudo-labels: what the source model recognises, in place of transcripts."""

from collections.abc import Sequence

import numpy as np

from speechtl.adaptation.learner import Outputs, Speech
from speechtl.adaptation.scorer import Scorer
from speechtl.alignment.span import Span
from speechtl.errors import DataError
from speechtl.lang.phone_inventory import PhoneInventory


def label(
    speech: Speech, outputs: Outputs, scorer: Scorer, inventory: PhoneInventory, threshold: float, warnings: list[str]
) -> Speech:
    """Keep the utterances that the model is sure of, labelled with the pronunciations that it found.

    Args:
        speech: without labels.
        outputs: what the model makes of it.
        scorer: with a lexicon.
        inventory: of the model.
        threshold: mean confidence of an utterance's words, at least; in [0, 1].
        warnings: what was left out is added here.

    Raises:
        DataError: there is no lexicon, or no utterance is sure enough.
    """
    if scorer.decoder is None:
        raise DataError("adapting without transcripts needs words to find; give their pronunciations with --lexicon")
    kept, labels, unsure = [], [], {}
    hypotheses = scorer.hypotheses(outputs.posteriors, times=True)
    for place, name in enumerate(speech.ids):
        found = hypotheses[name]
        confidence = confidence_of(found.word_spans)
        if not found.words or confidence < threshold:
            unsure[name] = confidence
            continue
        kept.append(place)
        labels.append(inventory.encode(found.phones))
    if not kept:
        raise DataError(
            f"no recording is understood with confidence {threshold:g} (best: {max(unsure.values()):.2f}); lower "
            "--confidence, give a language model (--lm), or transcribe some"
        )
    warnings += [f"{name}: left out: confidence {value:.2f}" for name, value in sorted(unsure.items())]
    chosen = speech.select(kept)
    chosen.labels = labels
    return chosen


def confidence_of(spans: Sequence[Span]) -> float:
    """Return the mean confidence of an utterance's words, 0 without words."""
    return float(np.mean([span.confidence or 0.0 for span in spans])) if spans else 0.0
