"""Frames to seconds and back."""

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from speechtl.data.ctm import TimedLabel
from speechtl.features.config import FeatureConfig

Places = TypeVar("Places", float, np.ndarray)


@dataclasses.dataclass(frozen=True)
class FrameClock:
    """The time of frames.

    A frame stands for the middle shift of its window, so the boundary before a frame is half way between the middle of
    its window and that of the window before it.

    Attributes:
        shift: seconds from one frame of features to the next.
        offset: seconds at which the shift of the first frame starts (`FeatureConfig.lead`): half of what a window is
            longer than a shift, or 0 where the signal is mirrored at its ends.
        subsampling: frames of features per frame of posteriors.
    """

    shift: float
    offset: float
    subsampling: int = 1

    @classmethod
    def of(cls, features: FeatureConfig, subsampling: int = 1) -> "FrameClock":
        """Return the clock of a feature configuration."""
        return cls(features.frame_shift / features.sample_rate, features.lead, subsampling)

    def seconds(self, boundary: Places) -> Places:
        """Return the time of the boundary before a frame of features, or of an array of boundaries."""
        return boundary * self.shift + self.offset

    def boundary(self, frame: int) -> float:
        """Return the boundary, in frames of features, before a frame of posteriors.

        Frame k of posteriors is centred on frame ``k · subsampling`` of the features.
        """
        return frame * self.subsampling - (self.subsampling - 1) / 2

    def spans(self, labels: Sequence[TimedLabel], count: int) -> list[tuple[int, int]]:
        """Return first frame and end of each label, of an utterance with ``count`` frames of features."""

        def frame(seconds: float) -> int:
            return min(max(round((seconds - self.offset) / self.shift), 0), count)

        return [(frame(one.start), frame(one.end)) for one in labels]
