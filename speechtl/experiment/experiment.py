"""From a config file to a trained model, and back from an experiment directory to posteriors.

An experiment directory stands alone: ``config.toml`` (every value written out), ``phones/<head>.txt``,
``lexicon/<language>.txt``, ``cmvn.h5`` where normalisation is global, ``weights.h5`` once training has ended,
``log.jsonl``, ``tensorboard/``, and ``state/`` from which a killed run continues.
"""

import json
import os
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tomli_w
from pydantic import model_validator

from speechtl.batches.config import AugmentationConfig, BatchConfig, DataConfig, NormalisationConfig
from speechtl.batches.frame_labels import label_frames
from speechtl.batches.global_stats import global_stats
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Normaliser, Source
from speechtl.config import Section, override, parse, read_toml
from speechtl.decoding.config import DecodingConfig
from speechtl.errors import ConfigError, LexiconError, ModelError
from speechtl.features.config import FeatureConfig
from speechtl.files import atomic_write
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phones import PhoneInventory
from speechtl.models.acoustic_model import AcousticModel, ModelConfig
from speechtl.models.attribute_head import add_language
from speechtl.models.speaker_layers import restore
from speechtl.models.weights import assign, load_arrays, save_arrays
from speechtl.training.config import TrainingConfig
from speechtl.training.evaluate import forward_function
from speechtl.training.train import Trainer
from speechtl.transfer.inventories import head_inventories, read_lexicon
from speechtl.transfer.methods import Method
from speechtl.transfer.speaker_layers import SPEAKER_FILE, load_speaker


class ExperimentConfig(Section):
    """A whole config file; every section has defaults but ``[[data]]``."""

    seed: int = 1
    features: FeatureConfig = FeatureConfig()
    normalisation: NormalisationConfig = NormalisationConfig()
    data: tuple[DataConfig, ...]
    model: ModelConfig = ModelConfig()
    batches: BatchConfig = BatchConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    training: TrainingConfig = TrainingConfig()
    transfer: tuple[Method, ...] = ()
    decoding: DecodingConfig = DecodingConfig()

    @model_validator(mode="after")
    def _check(self) -> "ExperimentConfig":
        languages = [data.language for data in self.data]
        if not languages:
            raise ValueError("no [[data]] table; name at least one language's training data")
        if len(set(languages)) < len(languages):
            raise ValueError(
                f"two [[data]] tables of one language (got {languages}); list its directories in one table"
            )
        for data in self.data:
            if any(other.language == data.head_name != other.head_name for other in self.data):
                raise ValueError(
                    f"head = '{data.head_name}' is the name of a language that has another head; choose another name"
                )
        return self

    @property
    def head_of(self) -> dict[str, str]:
        """By language, the name of its head."""
        return {data.language: data.head_name for data in self.data}


def load_config(path: str | Path, settings: Sequence[str] = ()) -> ExperimentConfig:
    """Read a config file and apply ``section.key=value`` settings.

    Raises:
        ConfigError: the file or a setting is wrong; all problems at once.
    """
    return parse(ExperimentConfig, override(read_toml(path), settings), path)


class Experiment:
    """A trained experiment: its config, its model and what turns speech into posteriors.

    Attributes:
        path: the experiment directory.
        config: every value it was trained with.
        model: with its weights.
        normaliser: of features.
        speaker_stats: CMVN statistics of the speech that the speaker's layers were trained on, where there are such.
    """

    def __init__(
        self,
        path: Path,
        config: ExperimentConfig,
        model: AcousticModel,
        normaliser: Normaliser,
        speaker_stats: np.ndarray | None = None,
    ):
        self.path, self.config, self.model, self.normaliser = path, config, model, normaliser
        self.speaker_stats = speaker_stats
        self._forward: dict[str, Any] = {}

    @classmethod
    def load(cls, path: str | Path, speaker: str | Path | None = None) -> "Experiment":
        """Load a finished experiment.

        Args:
            path: the experiment directory.
            speaker: a speaker file, or the directory that ``speechtl adapt`` wrote it into; its layers are put on top.

        Raises:
            ModelError: the directory is missing, unfinished or damaged, or the speaker belongs to another model.
        """
        path = Path(path)
        if not (path / "weights.h5").is_file() and (path / SPEAKER_FILE).is_file():
            source = load_arrays(path / SPEAKER_FILE)[1].get("source")
            raise ModelError(f"{path}: holds one speaker's parameters alone; give {source} with --speaker {path}")
        if not (path / "config.toml").is_file():
            raise ModelError(f"{path}: not an experiment directory (no config.toml); give one that speechtl train made")
        if not (path / "weights.h5").is_file():
            raise ModelError(f"{path}: training has not ended (no weights.h5); continue with speechtl train")
        config = load_config(path / "config.toml")
        inventories = _read_inventories(path, config)
        model = AcousticModel(config.model, config.features.dimension, inventories, config.head_of)
        arrays = load_arrays(path / "weights.h5")[0]
        restore(model, arrays, str(path / "weights.h5"))
        assign(model.variables(), arrays, str(path / "weights.h5"))
        stats = load_arrays(path / "cmvn.h5")[0]["global"] if config.normalisation.kind == "global" else None
        speaker_stats = None
        if speaker is not None:
            file = Path(speaker) / SPEAKER_FILE if Path(speaker).is_dir() else Path(speaker)
            speaker_stats = load_speaker(file, model)
        return cls(path, config, model, Normaliser(config.normalisation, stats), speaker_stats)

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
        return _read_inventories(self.path, self.config)

    def language(self, name: str | None) -> str:
        """Return ``name``, or the only language there is.

        The name of a head that several languages share stands for any language whose phones it has.

        Raises:
            ModelError: the model lacks that language, or has several and none was named.
        """
        if name is None and len(self.languages) == 1:
            return self.languages[0]
        if name in self.model.heads and name not in self.languages and self.model.private:
            wanted = f"'{name}' is a head of languages with encoder blocks of their own; say which language"
        elif name is not None and (name in self.languages or name in self.model.heads):
            return name
        else:
            wanted = "say which language" if name is None else f"no head for language '{name}'"
        known = ", ".join(self.languages) or "none"
        raise ModelError(f"{self.path}: {wanted}; this model has: {known} (--language)")

    def inventory(self, language: str | None = None) -> PhoneInventory:
        """Return the phones of a language (of the only one by default)."""
        return self.inventories[self.model.head_name(self.language(language))]

    def add_language(self, name: str, inventory: PhoneInventory) -> None:
        """Give the model a head for phones that it may never have heard; it must have attribute heads.

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
        path = self.path / "lexicon" / f"{self.language(language)}.txt"
        if not path.is_file():
            raise LexiconError(f"{path}: this model was trained without a lexicon; give one with --lexicon")
        return Lexicon.load(path, stress="keep", tone="keep")

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
        source = Source([directory], DataConfig(), self.normaliser, None, None, require_text=False, features=features)
        chosen = [i for i, name in enumerate(source.utterance_ids) if utterances is None or name in utterances]
        for batch in plan_once([source.frames[chosen]], self.config.batches):
            indices = [chosen[place] for place in batch.utterances]
            matrices = [source.features(index) for index in indices]
            lengths = np.array([len(matrix) for matrix in matrices], np.int32)
            padded = np.zeros((len(matrices), max(lengths.max(), 1), self.model.inputs), np.float32)
            for row, matrix in zip(padded, matrices, strict=True):
                row[: len(matrix)] = matrix
            yield [source.utterance_ids[index] for index in indices], padded, lengths

    def _log_posteriors(self, features: np.ndarray, lengths: np.ndarray, language: str) -> list[np.ndarray]:
        if language not in self._forward:
            self._forward[language] = forward_function(self.model, language)
        logits, valid = self._forward[language](tf.constant(features), tf.constant(lengths))
        scores = tf.nn.log_softmax(logits).numpy()
        return [row[:length] for row, length in zip(scores, valid.numpy(), strict=True)]


def train(config: ExperimentConfig, directory: str | Path) -> dict[str, Any]:
    """Train the experiment that a config describes, or continue it where it stopped; a finished one is left alone.

    Uses every GPU of this machine, and every machine of ``TF_CONFIG``.

    Args:
        config: the experiment.
        directory: where everything is kept.

    Returns:
        ``dev_loss`` and ``dev_per`` of the final model, empty without dev data.

    Raises:
        ConfigError: the directory holds another experiment, or a source experiment does not fit.
        DataError, LexiconError, ModelError: the data, lexicons or sources are wrong.
    """
    directory = Path(directory)
    # The strategy comes first: a cluster cannot be joined after other TensorFlow operations have run.
    strategy = _strategy()
    tf.keras.utils.set_random_seed(config.seed)
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    _check_directory(config, directory)
    finished = _finished(directory)
    if finished is not None:
        # What [decoding] says may have changed.
        _write_config(config, directory)
        return finished
    _check_sources(config)
    lexicons = {data.language: read_lexicon(data, config.transfer) for data in config.data}
    inventories = head_inventories(config.data, config.transfer, lexicons)
    kind = config.normalisation.kind
    stats = global_stats(config.data, config.features) if kind == "global" else None
    normaliser = Normaliser(config.normalisation, stats)
    train_sources, dev_sources = [], []
    for data in config.data:
        shared = (normaliser, lexicons[data.language], inventories.get(data.head_name))
        train_sources.append(Source(data.train, data, *shared, features=config.features, unlabelled=data.unlabelled))
        if config.training.criterion == "frames" and data.head_name in inventories:
            label_frames(train_sources[-1], data.train, inventories[data.head_name], config.features)
        dev_sources += [Source(data.dev, data, *shared, features=config.features)] if data.dev else []
    with strategy.scope():
        model = AcousticModel(config.model, config.features.dimension, inventories, config.head_of)
        for method in config.transfer:
            model = method.prepare(model)
        for method in config.transfer:
            method.attach(model, train_sources)
    trainer = Trainer(
        model,
        config.transfer,
        train_sources,
        dev_sources,
        config.training,
        config.batches,
        config.augmentation,
        directory,
        config.seed,
        strategy,
    )
    if trainer.is_chief:
        _write_directory(config, directory, inventories, lexicons, normaliser)
    frames = sum(int(source.frames.sum()) for source in train_sources)
    hours = frames * config.features.frame_shift_ms / 3.6e6
    silent = sum(not labels for source in train_sources for labels in source.labels)
    print(
        f"{sum(map(len, train_sources))} utterances{f' ({silent} unlabelled)' if silent else ''}, {hours:.2f} h; "
        f"{model.parameter_count():,} parameters; {trainer.steps} steps",
        flush=True,
    )
    return trainer.run()


def _strategy() -> tf.distribute.Strategy:
    if os.environ.get("TF_CONFIG"):
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _check_directory(config: ExperimentConfig, directory: Path) -> None:
    """Refuse to mix two experiments in one directory."""
    path = directory / "config.toml"
    if not path.exists():
        return
    kept, now = load_config(path).model_dump(), config.model_dump()
    changed = [name for name in now if name != "decoding" and now[name] != kept[name]]
    if changed:
        raise ConfigError(
            f"{path}: this directory holds an experiment with other values of: {', '.join(changed)}; "
            "use another directory, or delete this one to start over"
        )


def _finished(directory: Path) -> dict[str, Any] | None:
    """Return the last evaluation of a finished experiment, None for another."""
    log = directory / "log.jsonl"
    if not (directory / "weights.h5").exists() or not log.exists():
        return None
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    # A killed run may have left half a line.
    last = json.loads(lines[-1]) if lines and lines[-1].endswith("\n") else {}
    if last.get("event") != "final":
        return None
    return {name: value for name, value in last.items() if name not in ("event", "step", "epochs_averaged")}


def _check_sources(config: ExperimentConfig) -> None:
    """Check that the experiments that methods borrow from see the same features."""
    for method in config.transfer:
        for source in method.sources():
            kept = load_config(Path(source) / "config.toml")
            for section in ("features", "normalisation"):
                if getattr(kept, section) != getattr(config, section):
                    raise ConfigError(
                        f"{source}/config.toml: [{section}] differs from this experiment's; a model can only be reused "
                        "on the features it was trained on; copy that section"
                    )


def _write_directory(config, directory: Path, inventories, lexicons, normaliser: Normaliser) -> None:
    for head, inventory in inventories.items():
        inventory.save(directory / "phones" / f"{head}.txt")
    for language, lexicon in lexicons.items():
        if lexicon is not None and config.head_of[language] in inventories:
            lexicon.save(directory / "lexicon" / f"{language}.txt")
    if normaliser.global_stats is not None:
        save_arrays(directory / "cmvn.h5", {"global": normaliser.global_stats})
    # Last, since its presence says that the rest is there.
    _write_config(config, directory)


def _write_config(config: ExperimentConfig, directory: Path) -> None:
    with atomic_write(directory / "config.toml") as file:
        file.write(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))


def _read_inventories(path: Path, config: ExperimentConfig) -> dict[str, PhoneInventory]:
    files = {head: path / "phones" / f"{head}.txt" for head in config.head_of.values()}
    trained = {data.head_name for data in config.data if data.train}
    # A language of unlabelled speech alone has none.
    return {head: PhoneInventory.load(file) for head, file in files.items() if head in trained or file.exists()}
