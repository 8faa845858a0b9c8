"""Language identification: what the data says, or what the model recognises."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from speechtl.batches.padding import pad_features
from speechtl.batches.plan import plan_once
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, ModelError, list_problems
from speechtl.experiment.experiment import Experiment
from speechtl.models.attribute_head import has_attributes
from speechtl.models.language_head import language_head
from speechtl.recognition.spoken_language import SpokenLanguage


class LanguageIdentifier:
    """Recognise the language of utterances with the language head of a model (see `Multitask`).

    Attributes:
        languages: among which it chooses: all those of the model.
    """

    def __init__(self, experiment: Experiment):
        """Compile.

        Raises:
            ModelError: the model has no language head, or one that lacks some of its languages.
        """
        self.experiment = experiment
        model, head = experiment.model, language_head(experiment.model)
        self.languages = experiment.languages
        known = [] if head is None else head.languages
        if head is None or not set(self.languages) <= set(known):
            advice = "; --inventory all takes the phones of all" if has_attributes(experiment.model) else ""
            raise ModelError(
                f"{experiment.path}: say which language (--language, or utt2lang in a data directory); this model has "
                f"{', '.join(self.languages) or 'none'}, and was trained to recognise {', '.join(known) or 'none'} "
                f"(identify of the [[transfer]] method multitask){advice}"
            )
        columns = [head.languages.index(name) for name in self.languages]
        signature = (tf.TensorSpec((None, None, model.inputs)), tf.TensorSpec((None,), tf.int32))

        # Blocks after the input of the head are not run: nothing here depends on them.
        @tf.function(input_signature=signature, autograph=False)
        def probabilities(features: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
            selected = head.select(features, lengths, model.encode(features, lengths))
            return tf.nn.softmax(tf.gather(head(*selected), columns, axis=1))

        self._probabilities = probabilities

    def recognise(self, features: np.ndarray, lengths: np.ndarray) -> list[SpokenLanguage]:
        """Return the most probable language of each utterance of a batch.

        Args:
            features: ``(batch, frames, bins)``, normalised and padded.
            lengths: ``(batch,)`` valid frames, int32.
        """
        rows = self._probabilities(tf.constant(features), tf.constant(lengths)).numpy()
        return [SpokenLanguage(self.languages[int(row.argmax())], float(row.max())) for row in rows]

    def recognise_all(self, utterances: Sequence[np.ndarray]) -> list[SpokenLanguage]:
        """Return the most probable language of any number of utterances, ``(frames, bins)`` each."""
        found: dict[int, SpokenLanguage] = {}
        lengths = np.array([len(matrix) for matrix in utterances], np.int32)
        for batch in plan_once([lengths], self.experiment.config.batches):
            chosen = [utterances[index] for index in batch.utterances]
            spoken = self.recognise(*pad_features(chosen, self.experiment.model.inputs))
            found |= dict(zip(batch.utterances, spoken, strict=True))
        return [found[index] for index in range(len(utterances))]


def spoken_languages(experiment: Experiment, directory: str | Path) -> dict[str, SpokenLanguage]:
    """Return the language of every utterance of a data directory that has features.

    What ``utt2lang`` says is taken; without it, languages are recognised.

    Raises:
        DataError: no utterance has features, or ``utt2lang`` has languages that the model lacks; all listed.
        ModelError: something must be recognised, and the model cannot do it.
    """
    data = DataDir.load(directory)
    if not data.feats_scp:
        raise DataError(f"{directory}/feats.scp: missing; run speechtl features {directory}")
    if not data.utt2lang:
        identifier, found = LanguageIdentifier(experiment), dict[str, SpokenLanguage]()
        for names, features, lengths in experiment.batches_of(directory):
            found |= dict(zip(names, identifier.recognise(features, lengths), strict=True))
        return found
    strange = sorted(set(data.utt2lang.values()) - set(experiment.languages))
    if strange:
        heading = f"{directory}/utt2lang: languages that {experiment.path} lacks (it has "
        raise DataError(list_problems(f"{heading}{', '.join(experiment.languages)}); say one with --language", strange))
    return {name: SpokenLanguage(data.utt2lang[name]) for name in data.feats_scp}
