"""Language identification: what the data says, or what the model recognises."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechtl.batches.padding import pad_features
from speechtl.batches.plan import plan_once
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, ModelError, list_problems
from speechtl.experiment.speech_model import SpeechModel
from speechtl.recognition.spoken_language import SpokenLanguage


class LanguageIdentifier:
    """Recognise the language of utterances with the language head of a model (see `Multitask`).

    Attributes:
        languages: among which it chooses: all those of the model.
    """

    def __init__(self, experiment: SpeechModel):
        """Check that the model recognises languages.

        Raises:
            ModelError: the model has no language head, or one that lacks some of its languages.
        """
        self.experiment = experiment
        self.languages, known = experiment.languages, experiment.recognised_languages
        if not known or not set(self.languages) <= set(known):
            advice = "; --inventory all takes the phones of all" if experiment.scores_any_phone else ""
            raise ModelError(
                f"{experiment.path}: say which language (--language, or utt2lang in a data directory); this model has "
                f"{', '.join(self.languages) or 'none'}, and was trained to recognise {', '.join(known) or 'none'} "
                f"(identify of the [[transfer]] method multitask){advice}"
            )
        self._columns = [known.index(name) for name in self.languages]

    def recognise(self, features: np.ndarray, lengths: np.ndarray) -> list[SpokenLanguage]:
        """Return the most probable language of each utterance of a batch.

        Args:
            features: ``(batch, frames, bins)``, normalised and padded.
            lengths: ``(batch,)`` valid frames, int32.
        """
        rows = self.experiment.language_probabilities(features, lengths)[:, self._columns]
        rows = rows / rows.sum(axis=1, keepdims=True)
        return [SpokenLanguage(self.languages[int(row.argmax())], float(row.max())) for row in rows]

    def recognise_all(self, utterances: Sequence[np.ndarray]) -> list[SpokenLanguage]:
        """Return the most probable language of any number of utterances, ``(frames, bins)`` each."""
        found: dict[int, SpokenLanguage] = {}
        lengths = np.array([len(matrix) for matrix in utterances], np.int32)
        for batch in plan_once([lengths], self.experiment.batches):
            chosen = [utterances[index] for index in batch.utterances]
            spoken = self.recognise(*pad_features(chosen, self.experiment.features.dimension))
            found |= dict(zip(batch.utterances, spoken, strict=True))
        return [found[index] for index in range(len(utterances))]


def spoken_languages(experiment: SpeechModel, directory: str | Path) -> dict[str, SpokenLanguage]:
    """Return the language of every utterance of a data directory that has features.

    What ``utt2lang`` says is taken; without it, languages are recognised.

    Raises:
        DataError: no utterance has features, or ``utt2lang`` has languages that the model lacks; all listed.
        ModelError: something must be recognised, and the model cannot do it.
    """
    data = DataDir.load(directory)
    if not data.feats_scp:
        raise DataError(f"{directory}/feats.scp: missing; run speechtl features {directory} --model MODEL")
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
