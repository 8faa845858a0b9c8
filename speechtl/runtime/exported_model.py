"""An exported model, one file or an experiment directory with graphs, run without TensorFlow."""

from collections.abc import Collection
from functools import cached_property
from pathlib import Path

import numpy as np

from speechtl.batches.config import BatchConfig, NormalisationConfig
from speechtl.batches.source import Normaliser
from speechtl.config import parse, read_toml
from speechtl.errors import ModelError, list_problems
from speechtl.experiment.directory import ExperimentDirectory, read_inventories
from speechtl.experiment.export_info import ExportInfo, encoder_graph
from speechtl.experiment.speaker_file import speaker_file
from speechtl.experiment.speech_model import SpeechModel
from speechtl.lang.known_phones import known_phones_only
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.layout import ExperimentLayout
from speechtl.models.weight_files import load_arrays
from speechtl.runtime.phone_head import ATTRIBUTES, PhoneHead, attribute_head, ctc_head
from speechtl.runtime.session import Session


class ExportedModel(SpeechModel):
    """A model that ``speechtl export`` made.

    Attributes:
        info: what is particular to the file.
        weights: by path, as far as graphs and heads need them.
    """

    def __init__(self, path: str | Path, speaker: str | Path | None = None, graphs: ExperimentLayout | None = None):
        """Open the file; graphs are loaded when they are needed first.

        Args:
            path: the file, or an experiment directory.
            speaker: a speaker file, or the directory that ``speechtl adapt`` wrote it into, to take the place of the
                speaker's layers that the model was exported with.
            graphs: of an experiment directory, where they are, see `speechtl.experiment.export_info.find_graphs`.

        Raises:
            ModelError: the file is damaged or of another version, or the speaker belongs to another model, or has
                other layers than the one that was exported.
        """
        self.directory = ExperimentDirectory(path)
        self._graphs = graphs or self.directory
        self.info = ExportInfo.read(self._graphs)
        table = read_toml(self.directory.config)
        origin = self.directory.config
        self.features = self.directory.features
        self.batches = parse(BatchConfig, table.get("batches", {}), f"{origin}: [batches]")
        normalisation = parse(NormalisationConfig, table.get("normalisation", {}), f"{origin}: [normalisation]")
        stats = self.directory.training_stats if normalisation.kind == "global" else None
        self.normaliser = Normaliser(normalisation, stats)
        self.speaker_stats = self.directory.speaker_stats
        self.head_of = {name: data.head_name for name, data in self.directory.data.items()}
        self.inventories = read_inventories(self.directory, list(self.directory.data.values()))
        self.head_of = {name: head for name, head in self.head_of.items() if head in self.inventories}
        self.weights = load_arrays(self.directory.weights)[0]
        if speaker is not None:
            self._put_on(speaker_file(speaker))
        self._sessions: dict[str, Session] = {}
        self._heads: dict[str, PhoneHead] = {}

    @property
    def heads(self) -> Collection[str]:  # noqa: D102
        return self.inventories

    @property
    def private(self) -> Collection[str]:  # noqa: D102
        return self.info.private

    @cached_property
    def subsampling(self) -> int:  # noqa: D102
        return self.directory.subsampling

    @property
    def scores_any_phone(self) -> bool:  # noqa: D102
        return f"{ATTRIBUTES}/projection" in self.weights

    @property
    def recognised_languages(self) -> list[str]:  # noqa: D102
        return list(self.info.recognised_languages)

    def add_language(self, name: str, inventory: PhoneInventory) -> None:  # noqa: D102
        if not self.scores_any_phone:
            raise known_phones_only()
        if name in self.inventories or name in self.head_of:
            raise ModelError(f"the model has a head for language '{name}' already; choose another name")
        self._heads[name] = attribute_head(self.weights, inventory)
        self.inventories[name] = inventory
        self.head_of = {**self.head_of, name: name}

    def batch_posteriors(self, features: np.ndarray, lengths: np.ndarray, language: str) -> list[np.ndarray]:  # noqa: D102
        head = self._head(self.head_name(language))
        return [head.log_posteriors(encoded) for encoded in self.encode(features, lengths, language)]

    def encode(self, features: np.ndarray, lengths: np.ndarray, language: str) -> list[np.ndarray]:
        """Return the encoder's output of each utterance, ``(frames', size)``; arguments as `batch_posteriors`."""
        graph = encoder_graph(language if language in self.info.private else None)
        encoded, valid = self._session(graph).run(features=features, lengths=lengths)
        return [row[:length] for row, length in zip(encoded, valid, strict=True)]

    def language_probabilities(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:  # noqa: D102
        if not self.info.recognised_languages:
            raise ModelError(f"{self.path}: was not trained to recognise languages")
        (logits,) = self._session("languages").run(features=features, lengths=lengths)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def _session(self, name: str) -> Session:
        if name not in self._sessions:
            if name not in self.info.graphs:
                raise ModelError(f"{self.path}: no graph '{name}'; export the model again")
            used = {weight: self.weights[weight] for weight in self.info.graphs[name]}
            self._sessions[name] = Session(self._graphs.graph(name), used)
        return self._sessions[name]

    def _head(self, name: str) -> PhoneHead:
        if name not in self._heads:
            attributes = self.scores_any_phone
            self._heads[name] = (
                attribute_head(self.weights, self.inventories[name]) if attributes else ctc_head(self.weights, name)
            )
        return self._heads[name]

    def _put_on(self, file: Path) -> None:
        """Take another speaker's weights for those that are there."""
        arrays, marks = load_arrays(file)
        self.speaker_stats = arrays.pop("cmvn", None)
        if marks.get("fingerprint") != self.info.fingerprint:
            raise ModelError(
                f"{file}: belongs to another model (trained on {marks.get('source', 'unknown')}); load that one"
            )
        if self.info.speaker is not None:
            # The graphs are those of this very speaker.
            self.weights |= arrays
            return
        there = {name: self.weights[name].shape for name in self.info.speaker_weights}
        here = {name: array.shape for name, array in arrays.items()}
        if there != here:
            different = sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
            heading = (
                f"{file}: the layers of this speaker have no place in {self.path}, which was exported with "
                f"{'those of another kind' if there else 'no speaker'}; export the experiment with --speaker"
            )
            raise ModelError(list_problems(heading, different, limit=5))
        self.weights |= arrays
