"""What batches have for the teachers that transfer methods compare with."""

from collections.abc import Sequence

from speechtl.batches.source import Source
from speechtl.transfer.method import TransferMethod


def set_targets(methods: Sequence[TransferMethod], sources: Sequence[Source]) -> None:
    """Let batches of all sources have what the teachers of the methods need: the features before augmentation."""
    if any(method.teacher_blocks() for method in methods):
        for source in sources:
            source.targets["input"] = source
