"""Batches of utterances whose features are stored: what another process needs to read them, without any table."""

from typing import NamedTuple


class StoredUtterance(NamedTuple):
    """An utterance with features.

    Attributes:
        id: its name.
        archive: ``file.ark:offset`` of its features.
        cmvn: of the statistics of its speaker; empty if they are not used.
        frames: of its features.
    """

    id: str
    archive: str
    cmvn: str
    frames: int


StoredBatch = tuple[StoredUtterance, ...]
"""Utterances that pass through a model together: the same batch gives the same posteriors, to the bit."""


def frames_of(batch: StoredBatch) -> int:
    """Return the frames of all utterances of a batch."""
    return sum(one.frames for one in batch)
