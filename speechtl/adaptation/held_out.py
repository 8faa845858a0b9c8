"""Cross-validation on the recordings: when to stop, and whether adaptation helps at all.

Where other speakers have shown how long to train, a few held-out recordings are poor judges of it: their losses rise
while the errors on the speaker's other speech still fall, and their errors are too few to count. Then they only guard
against harm, and speak up when they are sure, as by the rule of one standard error (Breiman et al., *Classification and
Regression Trees*, 1984, 3.4.3).
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from speechtl.adaptation.learner import Learner, Outputs, Speech
from speechtl.adaptation.scorer import Scorer, Scores
from speechtl.progress import progress_bar

# With more utterances than this, one part is held out once.
_MANY = 60


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What held-out speech says.

    Attributes:
        epochs: to train on everything; 0 keeps the source.
        before: errors of the source on the held-out speech; None without transcripts.
        after: errors of models that were not trained on the utterance they are tested on, and were stopped by the
            losses on the other parts.
        losses: held-out loss per utterance after 0, 1, ... epochs.
    """

    epochs: int
    before: Scores | None
    after: Scores | None
    losses: list[float]


def deal(count: int, folds: int, seed: int) -> list[np.ndarray]:
    """Deal utterances into parts to be held out: each in turn, or only a fifth of them where there are many."""
    order = np.random.default_rng((seed, count)).permutation(count)
    if count > _MANY:
        return [np.sort(order[: count // 5])]
    folds = min(folds, count)
    return [np.sort(order[fold::folds]) for fold in range(folds)]


def cross_validate(
    learner: Learner, speech: Speech, before: Outputs, references: Mapping[str, str], scorer: Scorer
) -> Verdict:
    """Train without each part and listen to it after every epoch.

    The part of an utterance has no say in how long the model that is tested on it was trained: that is decided by the
    losses on the other parts. So nothing of the "after" errors was chosen on the speech they are counted on, but for
    the last decision, between adapted model and source.

    Args:
        learner: of the method.
        speech: two utterances or more, with labels.
        before: what the source makes of them.
        references: transcripts; utterances without one have no part in the errors.
        scorer: counts errors.
    """
    config = learner.config
    parts = deal(len(speech), config.folds, config.seed)
    curves: list[list[Outputs]] = []
    with progress_bar("held-out speech", len(parts) * config.epochs) as advance:
        for number, part in enumerate(parts):
            rest = speech.select([index for index in range(len(speech)) if index not in set(part)])
            held = speech.select([int(index) for index in part])
            curve = [before.select(held.ids)]
            for _ in learner.learn(rest, config.epochs, seed=number + 1):
                curve.append(learner.evaluate(held))
                advance()
            curves.append(curve)
    losses = [np.array([[outputs.losses[name] for outputs in curve] for name in curve[0].losses]) for curve in curves]
    everything = np.concatenate(losses)
    epochs = _choose_epochs(everything, config.standard_errors)
    chosen: dict[str, np.ndarray] = {}
    for number, curve in enumerate(curves):
        others = losses[:number] + losses[number + 1 :] or losses
        chosen |= curve[_choose_epochs(np.concatenate(others), config.standard_errors)].posteriors
    means = everything.mean(axis=0).tolist()
    known = {name: references[name] for name in chosen if name in references}
    if not known:
        if is_above(everything[:, epochs] - everything[:, 0], config.standard_errors):
            epochs = 0
        return Verdict(epochs, None, None, means)
    first = scorer.score(known, {name: before.posteriors[name] for name in known})
    second = scorer.score(known, chosen)
    errors = {name: counts.errors for name, counts in first.main.per_utterance.items()}
    more = [counts.errors - errors[name] for name, counts in second.main.per_utterance.items()]
    if is_above(np.array(more), config.standard_errors):
        epochs = 0
    if epochs == 0:
        second = first
    return Verdict(epochs, first, second, means)


def is_above(differences: np.ndarray, standard_errors: float | None) -> bool:
    """Whether the mean of the differences of utterances is above 0, by more than so many standard errors of it."""
    total = float(differences.sum())
    if not standard_errors or total <= 0:
        return total > 0
    if len(differences) < 2:
        return False
    return total > standard_errors * math.sqrt(len(differences)) * float(differences.std(ddof=1))


def _choose_epochs(losses: np.ndarray, standard_errors: float | None) -> int:
    """Return the number of epochs with the lowest held-out loss, or that of all where errors alone have a say.

    Args:
        losses: ``(utterances, epochs + 1)``, before training and after each epoch.
        standard_errors: of the config.
    """
    return int(losses.sum(axis=0).argmin()) if standard_errors is None else losses.shape[1] - 1
