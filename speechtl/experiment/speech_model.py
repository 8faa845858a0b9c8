"""A trained model as recognition sees it, whatever computes its posteriors."""

import abc
from collections.abc import Collection, Container, Iterator, Mapping
from pathlib import Path

import numpy as np

from speechtl.batches.config import BatchConfig, DataConfig
from speechtl.batches.padding import pad_features
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Normaliser, Source
from speechtl.batches.stored_batch import StoredBatch
from speechtl.decoding.reach import posteriors_of_batch
from speechtl.experiment.directory import ExperimentDirectory, choose_language
from speechtl.features.archives import read_double_matrix, read_matrix
from speechtl.features.config import FeatureConfig
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.models.head_name import head_name


class SpeechModel(abc.ABC):
    """From normalised features to posteriors of phones and languages; nothing here needs TensorFlow.

    Attributes:
        directory: the experiment directory, or the exported model.
        features: how its features are computed.
        batches: how much passes through it together.
        normaliser: of features.
        speaker_stats: CMVN statistics of the speech that the speaker's layers were trained on, where there are such.
        inventories: phones by head.
        head_of: by language, the name of its head.
    """

    directory: ExperimentDirectory
    features: FeatureConfig
    batches: BatchConfig
    normaliser: Normaliser
    speaker_stats: np.ndarray | None
    inventories: dict[str, PhoneInventory]
    head_of: Mapping[str, str]

    @property
    @abc.abstractmethod
    def heads(self) -> Collection[str]:
        """Names of the heads."""

    @property
    @abc.abstractmethod
    def private(self) -> Collection[str]:
        """Languages that have blocks of the encoder of their own."""

    @property
    @abc.abstractmethod
    def subsampling(self) -> int:
        """Feature frames per frame of posteriors."""

    @property
    @abc.abstractmethod
    def scores_any_phone(self) -> bool:
        """Whether phones are scored by their attributes, so that `add_language` can be called."""

    @property
    @abc.abstractmethod
    def recognised_languages(self) -> list[str]:
        """The languages that the model was trained to tell apart, in the order of `language_probabilities`."""

    @abc.abstractmethod
    def add_language(self, name: str, inventory: PhoneInventory) -> None:
        """Give the model a head for phones that it may never have been trained on; it must have attribute heads.

        Args:
            name: of the head, for `posteriors` and the others.
            inventory: its phones.

        Raises:
            ModelError: the model was trained without the method ``attributes``, or has a head of this name.
            LexiconError: phones that are not IPA.
        """

    @abc.abstractmethod
    def batch_posteriors(self, features: np.ndarray, lengths: np.ndarray, language: str) -> list[np.ndarray]:
        """Return log-posteriors of a batch.

        Args:
            features: ``(batch, frames, bins)``, normalised and padded.
            lengths: ``(batch,)`` valid frames, int32.
            language: whose head and private blocks are used; or a head.

        Returns:
            For each utterance ``(frames', units)`` float32; unit 0 is the blank, unit i the inventory's phone i.
        """

    @abc.abstractmethod
    def language_probabilities(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the probabilities ``(batch, languages)`` of `recognised_languages`; arguments as `batch_posteriors`.

        Raises:
            ModelError: the model has no language head.
        """

    @property
    def path(self) -> Path:
        """The experiment directory, or the file of an exported model."""
        return self.directory.origin

    @property
    def languages(self) -> list[str]:
        """Languages that the model has a head for, as the config lists them."""
        return list(self.head_of)

    @property
    def frame_shift(self) -> float:
        """Seconds between two frames of posteriors."""
        return self.features.frame_shift_ms / 1000 * self.subsampling

    def language(self, name: str | None) -> str:
        """Return ``name``, or the only language there is (or that has a lexicon); see `choose_language`.

        Raises:
            ModelError: the model lacks that language, or has several and none was named.
        """
        name = name or self.directory.default_language
        return choose_language(name, self.languages, self.heads, self.path, bool(self.private), self.scores_any_phone)

    def has_head(self, language: str) -> bool:
        """Whether there is a head for a language, or one of this name."""
        return self.head_of.get(language, language) in self.heads

    def head_name(self, language: str) -> str:
        """Return the name of a language's head; the name of a head stands for itself.

        Raises:
            ModelError: the model has no head for ``language``.
        """
        return head_name(language, self.head_of, self.heads)

    def inventory(self, language: str | None = None) -> PhoneInventory:
        """Return the phones of a language (of the only one by default)."""
        return self.inventories[self.head_name(self.language(language))]

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
        return self.batch_posteriors(features[np.newaxis], lengths, self.language(language))[0]

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
        for batch in self.plan(directory, utterances):
            yield from self.posteriors_of_stored(batch, language)

    def posteriors_of_stored(self, batch: StoredBatch, language: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield ``(utterance id, log-posteriors (frames', units))`` of a batch; see `plan`."""
        names, features, lengths = self.read(batch)
        found = posteriors_of_batch(
            lambda some, valid: self.batch_posteriors(some, valid, language),
            features,
            lengths,
            self.subsampling,
            self.directory.attention_window,
        )
        yield from zip(names, found, strict=True)

    def batches_of(
        self, directory: str | Path, utterances: Container[str] | None = None
    ) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        """Yield utterance ids, padded normalised features ``(batch, frames, bins)`` and lengths, shortest first."""
        return map(self.read, self.plan(directory, utterances))

    def plan(self, directory: str | Path, utterances: Container[str] | None = None) -> list[StoredBatch]:
        """Return which utterances of a data directory pass through the model together, shortest first.

        Args:
            directory: with features; DataError if they were not computed with the model's ``[features]``.
            utterances: which ones; None for all.
        """
        source = Source([directory], DataConfig(), self.normaliser, self.features, report=False)
        chosen = [i for i, name in enumerate(source.utterance_ids) if utterances is None or name in utterances]
        return [
            tuple(source.stored(chosen[place]) for place in batch.utterances)
            for batch in plan_once([source.frames[chosen]], self.batches)
        ]

    def read(self, batch: StoredBatch) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Return utterance ids, padded normalised features ``(batch, frames, bins)`` and lengths.

        Raises:
            DataError: an archive cannot be read.
        """
        matrices = [self.normaliser(read_matrix(one.archive), self._stats(one.cmvn)) for one in batch]
        return [one.id for one in batch], *pad_features(matrices, self.features.dimension)

    def _stats(self, place: str) -> np.ndarray | None:
        # Kept in the object without a constructor of its own, which subclasses would have to call.
        kept: dict[str, np.ndarray | None] = self.__dict__.setdefault("_kept_stats", {"": None})
        if place not in kept:
            kept[place] = read_double_matrix(place)
        return kept[place]
