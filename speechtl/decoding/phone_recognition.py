"""Phones without any lexicon, in time."""

import numpy as np

from speechtl.alignment.ctc import CtcAlignment
from speechtl.alignment.span import Hypothesis, PhoneSpan
from speechtl.alignment.words import Pauses, share_blanks
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.phone_runs import find_runs
from speechtl.decoding.search_scores import search_scores
from speechtl.lang.phone_inventory import PhoneInventory


def recognise_phones(
    log_posteriors: np.ndarray, inventory: PhoneInventory, config: DecodingConfig | None = None, *, nbest: int = 1
) -> Hypothesis:
    """Find the phones of an utterance, by the best unit of every frame (Graves et al. 2006) or as `phone_runs.pooled`.

    Args:
        log_posteriors: natural logarithms ``(frames, units)``, unit 0 the blank.
        inventory: the phones of units 1, 2, ...
        config: its ``phone_decision`` and ``blank_penalty`` are heeded, and nothing else matters.
        nbest: how many phones are listed at each place, the one that was found included.

    Returns:
        A hypothesis without words. A phone's confidence, and the probability of each alternative, is its mean posterior
        over the frames in which the phone that was found is on; what lacks to 1 is that of the blank and of phones that
        are not listed. Blanks are shared between neighbours as those of words are.

    Raises:
        DataError: the posteriors do not have the model's units, or are not logarithms of probabilities.
    """
    config = config or DecodingConfig()
    scores = search_scores(log_posteriors, inventory, config)
    if not len(scores):
        return Hypothesis((), (), 0.0)
    runs = find_runs(scores / np.float32(config.acoustic_scale), inventory, config.phone_decision)
    units = [run.unit for run in runs]
    is_on = np.zeros(len(scores), bool)
    for run in runs:
        is_on[run.first : run.end] = True
    score = (
        float(scores[is_on, 1:].max(axis=1).sum() + scores[~is_on, 0].sum()) if len(inventory) else float(scores.sum())
    )
    on = np.array([(run.first, run.end) for run in runs], np.int64).reshape(-1, 2)
    alignment = CtcAlignment(on[:, 0], on[:, 1], score)
    starts, ends = share_blanks(np.asarray(log_posteriors), units, alignment, [True] * len(units), Pauses())
    spans = []
    for (unit, first, last), start, end in zip(runs, starts.tolist(), ends.tolist(), strict=True):
        means = np.exp(log_posteriors[first:last, 1:]).mean(axis=0)
        others = [place for place in np.argsort(-means, kind="stable")[:nbest].tolist() if place != unit - 1]
        alternatives = tuple((inventory.phone(place + 1), float(means[place])) for place in others[: nbest - 1])
        sure = min(float(means[unit - 1]), 1.0)
        spans.append(PhoneSpan(inventory.phone(unit), start, end, sure, alternatives))
    return Hypothesis((), tuple(span.label for span in spans), score, score, phone_spans=tuple(spans))


class PhoneSearch:
    """`recognise_phones` of one utterance whose posteriors come in blocks; for the arguments see there."""

    def __init__(self, inventory: PhoneInventory, config: DecodingConfig | None = None, *, nbest: int = 1):
        self.inventory, self.config, self.nbest = inventory, config, nbest
        self._posteriors = np.zeros((0, len(inventory) + 1), np.float32)

    def feed(self, log_posteriors: np.ndarray) -> None:
        """Take the posteriors ``(frames, units)`` of the next frames."""
        self._posteriors = np.concatenate([self._posteriors, log_posteriors])

    def beginning(self) -> Hypothesis:
        """Return the phones so far."""
        return recognise_phones(self._posteriors, self.inventory, self.config, nbest=self.nbest)

    def finish(self) -> list[Hypothesis]:
        """Return the phones of the whole utterance."""
        return [self.beginning()]
