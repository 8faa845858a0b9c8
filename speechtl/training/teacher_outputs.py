"""What batches have for the teachers that transfer methods compare with: their outputs, computed once if possible."""

import logging
from collections.abc import Sequence

from speechtl.errors import ConfigError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.training.config import CacheFrozen
from speechtl.training.frozen_outputs import FrozenOutputs, is_worthwhile
from speechtl.training.training_data import TrainingData
from speechtl.transfer.method import TransferMethod

logger = logging.getLogger(__name__)


def set_targets(
    model: AcousticModel, methods: Sequence[TransferMethod], data: TrainingData, choice: CacheFrozen
) -> list[FrozenOutputs]:
    """Let batches of all sources have what the teachers of the methods need (`Source.targets`).

    These are the stored outputs of a teacher, by its name; or, where they are not stored, the features before
    augmentation, of which its outputs are computed in every step.

    Args:
        model: prepared by every method.
        methods: the transfer methods.
        data: the speech.
        choice: ``cache_frozen`` of ``[training]``.

    Returns:
        Outputs that must be computed before training.

    Raises:
        ConfigError: two methods want different blocks of one teacher.
    """
    sources, stores = [*data.train, *data.dev], []
    wanted: dict[str, tuple[str, ...]] = {}
    for method in methods:
        for name, blocks in method.teacher_blocks().items():
            if wanted.setdefault(name, blocks) != blocks:
                raise ConfigError(f"transfer: two tables have the teacher {name}; name all pairs in one")
    for name, chosen in wanted.items():
        stored = _stored(model.teachers[name], chosen, data, choice)
        if stored is None:
            for source in sources:
                source.targets["input"] = source
            continue
        speech = stored.speech(data)
        for source, outputs in zip(sources, [*speech.train, *speech.dev], strict=True):
            source.targets[name] = outputs
        stores.append(stored)
    return stores


def _stored(
    teacher: AcousticModel, chosen: Sequence[str], data: TrainingData, choice: CacheFrozen
) -> FrozenOutputs | None:
    """Return the outputs of a teacher that are computed once, or None."""
    names = teacher.block_names
    blocks = names[: max(map(names.index, chosen)) + 1]
    if not is_worthwhile(teacher, blocks, choice):
        return None
    rates = {teacher.subsampling_at(name) for name in chosen}
    in_graph = any(source.reader is not None for source in [*data.train, *data.dev])
    if len(rates) > 1 or in_graph or teacher.private or teacher.columns:
        logger.info(
            "the outputs of the teacher are computed in every step: they are stored only for blocks of one frame rate, "
            "without private blocks and columns, and for stored features"
        )
        return None
    return FrozenOutputs(teacher, blocks, chosen)
