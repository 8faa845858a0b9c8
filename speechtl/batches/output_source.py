"""A source whose speech is read as stored outputs of a model's frozen blocks."""

from collections.abc import Sequence

import numpy as np

from speechtl.batches.source import Source
from speechtl.features.archives import read_matrix


class OutputSource(Source):
    """The utterances of another source, with outputs of blocks in place of their features.

    Attributes:
        source: that source, whose features the outputs are computed from.
        places: of each utterance, ``file.ark:offset`` of its outputs; to be set before they are read.
    """

    def __init__(self, source: Source, frames: np.ndarray, sizes: Sequence[int]):
        """Take over everything but the features.

        Args:
            source: with stored features.
            frames: ``(utterances,)`` of the outputs.
            sizes: of the blocks whose outputs are stored side by side.
        """
        vars(self).update(vars(source))
        self.source, self.frames, self.sizes = source, frames, tuple(sizes)
        self.places: list[str] = []

    @property
    def feature_frames(self) -> np.ndarray:  # noqa: D102
        return self.source.frames

    def features(self, index: int) -> np.ndarray:
        """Read the outputs of one utterance: ``(frames, sum of sizes)`` float32."""
        return read_matrix(self.places[index])
