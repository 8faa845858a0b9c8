"""Which pronunciation of each word is trained on: the one that fits the recording best."""

from collections.abc import Iterator, Mapping, Sequence

import tensorflow as tf

from speechtl.alignment.ctc import choose_pronunciations, chosen_labels
from speechtl.batches.pipeline import make_dataset, read_batches
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Source
from speechtl.training.evaluate import Forward
from speechtl.training.training_data import TrainingData

# By language, by utterance id: for every word, the index of its pronunciation.
Choices = dict[str, dict[str, list[int]]]


def choose_anew(data: TrainingData, bins: int, forward: Mapping[str, Forward], choices: Choices) -> int:
    """Train from now on with the pronunciations that fit the recordings best.

    Args:
        data: whose training utterances get other labels.
        bins: feature dimension.
        forward: compiled forward functions by language, from `speechtl.training.evaluate.forward_function`.
        choices: the previous choices, which are replaced.

    Returns:
        The number of words whose pronunciation changed.
    """
    changed = 0
    for number, source in enumerate(data.train):
        before = choices.get(source.language, {})
        choices[source.language] = dict(_choices(data, number, bins, forward[source.language]))
        for name, chosen in choices[source.language].items():
            changed += sum(new != old for new, old in zip(chosen, before.get(name, [0] * len(chosen)), strict=True))
    apply_choices(data.train, choices)
    return changed


def apply_choices(sources: Sequence[Source], choices: Choices) -> None:
    """Replace the labels of utterances by those of the chosen pronunciations."""
    for source in sources:
        chosen = choices.get(source.language, {})
        for index, name in enumerate(source.utterance_ids):
            if name in chosen:
                words = zip(source.variants[index], chosen[name], strict=True)
                source.labels[index] = [unit for word, one in words for unit in word[one]]


def _choices(data: TrainingData, number: int, bins: int, forward: Forward) -> Iterator[tuple[str, list[int]]]:
    """Yield the best pronunciations of each utterance that has several; none where they do not fit into its frames."""
    source = data.train[number]
    several = {index for index, words in enumerate(source.variants) if any(len(word) > 1 for word in words)}
    plan = plan_once([one.feature_frames for one in data.train], data.batches, [one.shards for one in data.train])
    plan = [planned for planned in plan if planned.source == number and several.intersection(planned.utterances)]
    for batch in read_batches(make_dataset(source, plan, bins), source, plan):
        logits, lengths = forward(batch.features, batch.lengths)
        log_posteriors = tf.nn.log_softmax(logits).numpy()
        for row, index in enumerate(batch.utterances.numpy()):
            if int(index) not in several:
                continue
            frames, variants = int(lengths[row]), source.variants[index]
            chosen = choose_pronunciations(log_posteriors[row, :frames], variants)
            if chosen_labels(variants, chosen, frames) is not None:
                yield source.utterance_ids[index], chosen
