"""A trained experiment: its model, and what turns speech into posteriors."""

from collections.abc import Container, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from speechtl.batches.config import DataConfig
from speechtl.batches.padding import pad_features
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Normaliser, Source
from speechtl.errors import ModelError
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.directory import ExperimentDirectory, choose_language, read_inventories
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.attribute_head import add_language
from speechtl.models.restore import restore
from speechtl.models.weights import assign, load_arrays
from speechtl.training.evaluate import forward_function
from speechtl.transfer.speaker_layers import load_speaker


class Experiment:
    """A trained experiment: its config, its model and what turns speech into posteriors.

    Attributes:
        directory: the experiment directory.
        config: every value it was trained with.
        model: with its weights.
        normaliser: of features.
        speaker_stats: CMVN statistics of the speech that the speaker's layers were trained on, where there are such.
    """

    def __init__(
        self,
        directory: ExperimentDirectory,
        config: ExperimentConfig,
        model: AcousticModel,
        normaliser: Normaliser,
        speaker_stats: np.ndarray | None = None,
    ):
        self.directory, self.config, self.model, self.normaliser = directory, config, model, normaliser
        self.speaker_stats = speaker_stats
        self._forward: dict[str, Any] = {}

    @property
    def path(self) -> Path:
        """The experiment directory's path."""
        return self.directory.path

    @classmethod
    def load(cls, path: str | Path, speaker: str | Path | None = None) -> "Experiment":
        """Load a finished experiment.

        Args:
            path: the experiment directory.
            speaker: a speaker file, or the directory that ``speechtl adapt`` wrote it into; its layers are put on top.

        Raises:
            ModelError: the directory is missing, unfinished or damaged, has no heads, or the speaker belongs to another
                model.
        """
        layout = ExperimentLayout(path)
        if not layout.weights.is_file() and layout.speaker.is_file():
            source = load_arrays(layout.speaker)[1].get("source")
            raise ModelError(
                f"{layout.path}: holds one speaker's parameters alone; give {source} with --speaker {layout.path}"
            )
        directory = ExperimentDirectory(layout)
        if not layout.weights.is_file():
            raise ModelError(f"{layout.path}: training has not ended (no weights.h5); continue with speechtl train")
        directory.require_heads()
        config = load_config(layout.config)
        model = AcousticModel(
            config.model, config.features.dimension, read_inventories(layout, config.data), config.head_of
        )
        arrays = load_arrays(layout.weights)[0]
        restore(model, arrays, str(layout.weights))
        assign(model.variables(), arrays, str(layout.weights))
        stats = load_arrays(layout.cmvn)[0]["global"] if config.normalisation.kind == "global" else None
        speaker_stats = None
        if speaker is not None:
            file = ExperimentLayout(speaker).speaker if Path(speaker).is_dir() else Path(speaker)
            speaker_stats = load_speaker(file, model)
        return cls(directory, config, model, Normaliser(config.normalisation, stats), speaker_stats)

    @property
    def languages(self) -> list[str]:
        """Languages that the model has a head for, as the config lists them."""
        return list(self.model.head_of)

    @property
    def frame_shift(self) -> float:
        """Seconds between two frames of posteriors."""
        return self.config.features.frame_shift_ms / 1000 * self.model.subsampling

    @cached_property
    def inventories(self) -> dict[str, PhoneInventory]:
        """Phones by head."""
        return read_inventories(self.directory, self.config.data)

    def language(self, name: str | None) -> str:
        """Return ``name``, or the only language there is (or that has a lexicon); see `choose_language`.

        Raises:
            ModelError: the model lacks that language, or has several and none was named.
        """
        name = name or self.directory.default_language
        return choose_language(name, self.languages, self.model.heads, self.path, bool(self.model.private))

    def inventory(self, language: str | None = None) -> PhoneInventory:
        """Return the phones of a language (of the only one by default)."""
        return self.inventories[self.model.head_name(self.language(language))]

    def add_language(self, name: str, inventory: PhoneInventory) -> None:
        """Give the model a head for phones that it may never have been trained on; it must have attribute heads.

        Args:
            name: of the head, for `posteriors` and the others.
            inventory: its phones.

        Raises:
            ModelError: the model was trained without the method ``attributes``, or has a head of this name.
            LexiconError: phones that are not IPA.
        """
        add_language(self.model, name, inventory)
        self.inventories[name] = inventory

    def lexicon(self, language: str | None = None) -> Lexicon:
        """Return the lexicon that a language was trained with.

        Raises:
            LexiconError: it was trained on phone transcripts, without a lexicon.
        """
        return self.directory.own_lexicon(self.language(language))

    def posteriors(self, features: np.ndarray, language: str | None = None) -> np.ndarray:
        """Return log-posteriors of one utterance.

        Args:
            features: ``(frames, bins)``, normalised.
            language: which head; may be left out if there is only one.

        Returns:
            ``(frames', units)`` float32; unit 0 is the blank, unit i the inventory's phone i.
        """
        lengths = np.array([len(features)], np.int32)
        return self._log_posteriors(features[np.newaxis], lengths, self.language(language))[0]

    def posteriors_of(
        self, directory: str | Path, language: str | None = None, utterances: Container[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield ``(utterance id, log-posteriors (frames', units))`` of a data directory's features, shortest first.

        Args:
            directory: with features; DataError if they were not computed with the model's ``[features]``.
            language: which head; may be left out if there is only one.
            utterances: which ones; None for all.
        """
        language = self.language(language)
        for names, features, lengths in self.batches_of(directory, utterances):
            yield from zip(names, self._log_posteriors(features, lengths, language), strict=True)

    def batches_of(
        self, directory: str | Path, utterances: Container[str] | None = None
    ) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        """Yield utterance ids, padded normalised features ``(batch, frames, bins)`` and lengths, shortest first."""
        features = self.config.features
        source = Source([directory], DataConfig(), self.normaliser, features, report=False)
        chosen = [i for i, name in enumerate(source.utterance_ids) if utterances is None or name in utterances]
        for batch in plan_once([source.frames[chosen]], self.config.batches):
            indices = [chosen[place] for place in batch.utterances]
            names = [source.utterance_ids[index] for index in indices]
            yield names, *pad_features([source.features(index) for index in indices], self.model.inputs)

    def _log_posteriors(self, features: np.ndarray, lengths: np.ndarray, language: str) -> list[np.ndarray]:
        if language not in self._forward:
            self._forward[language] = forward_function(self.model, language)
        logits, valid = self._forward[language](tf.constant(features), tf.constant(lengths))
        scores = tf.nn.log_softmax(logits).numpy()
        return [row[:length] for row, length in zip(scores, valid.numpy(), strict=True)]
