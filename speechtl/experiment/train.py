"""Training: from a config to an experiment directory."""

import contextlib
import dataclasses
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from speechtl.batches.frame_labels import label_frames
from speechtl.batches.global_stats import global_stats
from speechtl.batches.labelling import Labelling
from speechtl.batches.source import Normaliser, Source
from speechtl.errors import ConfigError, ModelError
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.directory import ExperimentDirectory, write_config, write_experiment
from speechtl.experiment.sources import check_sources, located
from speechtl.layout import ExperimentLayout
from speechtl.lock import alone_in
from speechtl.models.acoustic_model import AcousticModel
from speechtl.training.frozen_outputs import frozen_outputs
from speechtl.training.teacher_outputs import set_targets
from speechtl.training.trainer import Trainer, is_chief
from speechtl.training.training_data import TrainingData
from speechtl.training.worker_watch import watched_cluster
from speechtl.transfer.inventories import head_inventories, read_lexicon

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained experiment.

    Attributes:
        directory: of the experiment.
        dev_loss: loss of the final model on the dev speech; None without any.
        dev_per: its greedy phone error rate there, per cent; None without any.
        dev_pfer: its phone feature error rate there, per cent; None without any, and where phones are not IPA.
    """

    directory: Path
    dev_loss: float | None
    dev_per: float | None
    dev_pfer: float | None = None


def train(
    config: ExperimentConfig, directory: str | Path, then: Callable[[Path], object] | None = None
) -> dict[str, Any]:
    """Train the experiment that a config describes, or continue it where it stopped; a finished one is left alone.

    Uses every GPU of this machine, and every machine of ``TF_CONFIG``. Unless ``deterministic = false``, it makes
    TensorFlow deterministic for the whole process (``enable_op_determinism``).

    Args:
        config: the experiment.
        directory: where everything is kept.
        then: is called with the directory of the finished experiment, by the process that writes there.

    Returns:
        ``dev_loss``, ``dev_per`` and ``dev_pfer`` of the final model, empty without dev data.

    Raises:
        ConfigError: the directory holds another experiment, or a source experiment does not fit.
        DataError: another process trains in the directory; or a worker has died.
        DataError, LexiconError, ModelError: the data, lexicons or sources are wrong; ``directory`` is a file.
    """
    layout = ExperimentLayout(directory)
    if layout.exported:
        raise ModelError(f"{directory}: is an exported model, to which nothing is added; train into a directory")
    with watched_cluster() as watch:
        # The strategy comes first: a cluster cannot be joined after other TensorFlow operations have run.
        strategy = _strategy()
        if watch is not None:
            watch.all_there()
        chief = is_chief(strategy)
        with alone_in(layout.path) if chief else contextlib.nullcontext():
            result = _train(config, layout, strategy)
    if chief and then is not None:
        # The other processes of a cluster need not wait for it.
        with alone_in(layout.path):
            then(layout.path)
    return result


def _train(config: ExperimentConfig, layout: ExperimentLayout, strategy: tf.distribute.Strategy) -> dict[str, Any]:
    _check_directory(config, layout)
    finished = _finished(layout)
    if finished is not None:
        # What [decoding] says may have changed.
        write_config(layout, config)
        logger.info(f"{layout.path}: finished before, and left as it is")
        return finished
    # The names of sources stay in the config that is written; importing a checkpoint draws random numbers.
    given, config = config, located(config)
    tf.keras.utils.set_random_seed(config.seed)
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    check_sources(config)
    lexicons = {data.language: read_lexicon(data, config.transfer) for data in config.data}
    inventories = head_inventories(config.data, config.transfer, lexicons)
    stats = None
    if config.normalisation.kind == "global":
        # A run that continues has what it began with; the speech may take long to read.
        stats = ExperimentDirectory(layout).training_stats if layout.config.exists() else None
        stats = global_stats(config.data, config.features) if stats is None else stats
    normaliser = Normaliser(config.normalisation, stats)
    train_sources, dev_sources = [], []
    for data in config.data:
        inventory = inventories.get(data.head_name)
        labelling = None if inventory is None else Labelling(inventory, lexicons[data.language])
        shared = (data, normaliser, config.features, labelling)
        train_sources.append(Source(data.train, *shared, unlabelled=data.unlabelled))
        if config.training.criterion == "framewise" and inventory is not None:
            label_frames(train_sources[-1], data.train, inventory, config.features)
        dev_sources += [Source(data.dev, *shared)] if data.dev else []
    with strategy.scope():
        model = AcousticModel(config.model, config.features.dimension, inventories, config.head_of)
        for method in config.transfer:
            model = method.prepare(model)
        for method in config.transfer:
            method.attach(model, train_sources)
    speech = TrainingData(train_sources, dev_sources, config.batches, config.augmentation, config.seed)
    teachers = set_targets(model, config.transfer, speech, config.training.cache_frozen)
    frozen = frozen_outputs(
        model, config.transfer, config.training.cache_frozen, config.augmentation, [*train_sources, *dev_sources]
    )
    if frozen is not None:
        model, speech = frozen.model, frozen.speech(speech)
    trainer = Trainer(model, config.transfer, speech, config.training, layout.path, strategy)
    if trainer.is_chief:
        kept = {name: one for name, one in lexicons.items() if one is not None and config.head_of[name] in inventories}
        write_experiment(layout, given, inventories, kept, normaliser.global_stats)
    frames = sum(int(source.frames.sum()) for source in train_sources)
    hours = frames * config.features.frame_shift_ms / 3.6e6
    silent = sum(not labels for source in train_sources for labels in source.labels)
    logger.info(
        f"{sum(map(len, train_sources))} utterances{f' ({silent} unlabelled)' if silent else ''}, {hours:.2f} h; "
        f"{model.parameter_count():,} parameters; {trainer.steps} steps"
    )
    for outputs in [*teachers, *([] if frozen is None else [frozen])]:
        outputs.compute()
    return trainer.run()


def _strategy() -> tf.distribute.Strategy:
    if os.environ.get("TF_CONFIG"):
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _check_directory(config: ExperimentConfig, directory: ExperimentLayout) -> None:
    """Refuse to mix two experiments in one directory."""
    path = directory.config
    if not path.exists():
        return
    # Whether it is exported, and who computes features, makes no other experiment.
    uncounted: Any = {"training": {"export"}, "data": {"__all__": {"service"}}}
    kept, now = (one.model_dump(exclude=uncounted) for one in (load_config(path), config))
    changed = [name for name in now if name != "decoding" and now[name] != kept[name]]
    if changed:
        raise ConfigError(
            f"{path}: this directory holds an experiment with other values of: {', '.join(changed)}; "
            "use another directory, or delete this one to start over"
        )


def _finished(directory: ExperimentLayout) -> dict[str, Any] | None:
    """Return the last evaluation of a finished experiment, None for another."""
    if not directory.weights.exists() or not directory.log.exists():
        return None
    lines = directory.log.read_text(encoding="utf-8").splitlines(keepends=True)
    # A killed run may have left half a line.
    last = json.loads(lines[-1]) if lines and lines[-1].endswith("\n") else {}
    if last.get("event") != "final":
        return None
    return {name: value for name, value in last.items() if name not in ("event", "step", "epochs_averaged")}
