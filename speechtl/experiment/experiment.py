"""A trained experiment: its model, and what turns speech into posteriors."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from speechtl.batches.source import Normaliser
from speechtl.errors import ModelError
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.directory import ExperimentDirectory, read_inventories
from speechtl.experiment.export_info import ExportInfo
from speechtl.experiment.speaker_file import speaker_file
from speechtl.experiment.speech_model import SpeechModel
from speechtl.files import finish_replacing
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.attribute_head import add_language, has_attributes
from speechtl.models.language_head import language_function, language_head
from speechtl.models.restore import restore
from speechtl.models.weights import assign, load_arrays
from speechtl.training.evaluate import forward_function
from speechtl.transfer.speaker_layers import load_speaker


class Experiment(SpeechModel):
    """A trained experiment: its config, its model and what turns speech into posteriors.

    Attributes:
        config: every value it was trained with.
        model: with its weights.
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
        self.features, self.batches = config.features, config.batches
        self.speaker_stats = speaker_stats
        self._forward: dict[str, Any] = {}

    @classmethod
    def load(cls, path: str | Path, speaker: str | Path | None = None) -> "Experiment":
        """Load a finished experiment.

        Args:
            path: the experiment directory, or an exported model.
            speaker: a speaker file, or the directory that ``speechtl adapt`` wrote it into; its layers are put on top.

        Raises:
            ModelError: the directory is missing, unfinished or damaged, has no heads, or the speaker belongs to another
                model.
        """
        layout = ExperimentLayout(path)
        if not layout.exported:
            finish_replacing(layout.path)
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
        export = ExportInfo.read(layout) if layout.exported else ExportInfo()
        if speaker is not None:
            # Another one's, which may be within an exported model.
            arrays = {name: array for name, array in arrays.items() if name not in export.speaker_weights}
        restore(model, arrays, str(layout.weights))
        assign(model.variables(), arrays, str(layout.weights))
        stats = directory.training_stats if config.normalisation.kind == "global" else None
        speaker_stats = directory.speaker_stats
        if speaker is not None:
            speaker_stats = load_speaker(speaker_file(speaker), model, export.fingerprint)
        return cls(directory, config, model, Normaliser(config.normalisation, stats), speaker_stats)

    @cached_property
    def inventories(self) -> dict[str, PhoneInventory]:  # type: ignore[override]
        """Phones by head."""
        return read_inventories(self.directory, self.config.data)

    @property
    def head_of(self) -> Mapping[str, str]:  # type: ignore[override]
        """By language, the name of its head."""
        return self.model.head_of

    @property
    def heads(self) -> Collection[str]:  # noqa: D102
        return self.model.heads

    @property
    def private(self) -> Collection[str]:  # noqa: D102
        return self.model.private

    @property
    def subsampling(self) -> int:  # noqa: D102
        return self.model.subsampling

    @property
    def scores_any_phone(self) -> bool:  # noqa: D102
        return has_attributes(self.model)

    @property
    def recognised_languages(self) -> list[str]:  # noqa: D102
        head = language_head(self.model)
        return [] if head is None else head.languages

    def add_language(self, name: str, inventory: PhoneInventory) -> None:  # noqa: D102
        add_language(self.model, name, inventory)
        self.inventories[name] = inventory

    def batch_posteriors(self, features: np.ndarray, lengths: np.ndarray, language: str) -> list[np.ndarray]:  # noqa: D102
        if language not in self._forward:
            self._forward[language] = forward_function(self.model, language)
        logits, valid = self._forward[language](tf.constant(features), tf.constant(lengths))
        scores = tf.nn.log_softmax(logits).numpy()
        return [row[:length] for row, length in zip(scores, valid.numpy(), strict=True)]

    def language_probabilities(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:  # noqa: D102
        return tf.nn.softmax(self._language_logits(tf.constant(features), tf.constant(lengths))).numpy()

    @cached_property
    def _language_logits(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        return language_function(self.model)
