"""End-pointing: find the segments of speech in audio that is still coming in.

The same detector as in `voice_activity`, which sees only what was heard so far: the noise floor is that of the last ten
seconds. A segment ends after a pause. A long one ends at a quiet place: the longer it is, the less quiet.
"""

import dataclasses

import numpy as np

from speechtl.audio.voice_activity import FRAMES_PER_SECOND, REACH, SegmentationConfig, noise_floor, silence_level

_WINDOW = REACH * FRAMES_PER_SECOND
# Frames from one estimate of the noise floor to the next, and how many frames are needed until it may wait so long.
_EVERY, _FEW = 20, 50
# Half of the frames over which the level is averaged to find where to cut long speech.
_HALF = 10


@dataclasses.dataclass(frozen=True)
class Heard:
    """A segment of speech as far as it is known.

    Attributes:
        start: its first frame of 10 ms.
        end: frames up to here belong to it.
        complete: whether it ends there.
    """

    start: int
    end: int
    complete: bool


class EndPointer:
    """Finds where segments begin and end. What it finds does not depend on how many frames it is given at once.

    Args:
        config: durations and margin, as for `find_speech`.
    """

    def __init__(self, config: SegmentationConfig):
        self.config = config
        durations = config.pause, config.padding, config.longest
        self._pause, self._padding, self._longest = (round(seconds * FRAMES_PER_SECOND) for seconds in durations)
        self._near: list[float] = []  # The last three levels.
        self._smooth = np.zeros(2 * _WINDOW)
        self._count = 0  # Frames that were decided on.
        self._floor = 0.0
        # Of the frames from here on nothing belongs to a segment yet; what is active since, and how much.
        self._free = 0
        self._first = self._last = -1
        self._activity = 0
        self._start: int | None = None
        self._quiet: list[float] = []

    @property
    def earliest(self) -> int:
        """The first frame that may belong to a segment that `feed` has not returned yet."""
        begin = self._count if self._first < 0 else self._first
        return max(begin - self._padding, self._free, 0)

    def feed(self, levels: np.ndarray) -> list[Heard]:
        """Go on.

        Args:
            levels: dB of the next frames, ``(frames,)``, from `frame_levels`.

        Returns:
            The segments of which more is known now, in order; all but the last are complete.
        """
        heard: list[Heard] = []
        for level in levels.tolist():
            self._near = [*self._near[-2:], level]
            if len(self._near) > 1:
                self._decide(sum(self._near) / len(self._near), heard)
        if self._start is None:
            return heard
        end = min(self._last + 1 + self._padding, self._count)
        if 2 * (self._count - self._start) >= self._longest:
            # It may be cut a few frames back.
            end = min(end, self._count - _HALF)
        return [*heard, Heard(self._start, max(end, self._start), False)]

    def finish(self) -> list[Heard]:
        """Return what is known when no more frames come; all segments are complete."""
        heard: list[Heard] = []
        if self._near:
            last = self._near[-2:]
            self._decide(sum(last) / len(last), heard)
        self._close(min(self._last + 1 + self._padding, self._count), heard)
        return heard

    def _decide(self, level: float, heard: list[Heard]) -> None:
        """Decide what the next frame is, from its level and those before it."""
        frame = self._count
        if frame > _WINDOW and frame % _WINDOW == 0:
            self._smooth[:_WINDOW] = self._smooth[_WINDOW:]
        place = frame if frame < _WINDOW else _WINDOW + frame % _WINDOW
        self._smooth[place] = level
        self._count += 1
        if frame % _EVERY == 0 or frame < _FEW:
            recent = self._smooth[max(place + 1 - _WINDOW, 0) : place + 1]
            self._floor = noise_floor(recent, silence_level(recent), self._count)
        if level >= self._floor + self.config.margin:
            if self._first < 0:
                self._first, self._activity = frame, 0
            self._last, self._activity = frame, self._activity + 1
            if self._start is None and self._activity >= self.config.shortest * FRAMES_PER_SECOND:
                self._start = max(self._first - self._padding, self._free)
                self._quiet = []
        elif self._first >= 0 and frame - self._last >= self._pause:
            self._close(min(self._last + 1 + self._padding, frame + 1), heard)
            self._first = -1
        if self._start is not None:
            self._quiet.append(float(self._smooth[max(place + 1 - 2 * _HALF, 0) : place + 1].mean()))
            self._cut(self._start, frame - _HALF, heard)

    def _cut(self, start: int, place: int, heard: list[Heard]) -> None:
        """End a segment at a place around which it is quiet for its length."""
        beyond = 2 * (place - start) / self._longest - 1
        if beyond <= 0 or self._quiet[-1] > np.quantile(self._quiet, min(beyond, 1.0) ** 4):
            return
        self._close(min(place, self._last + 1 + self._padding), heard)
        if self._last >= place:
            # Speech goes on, and with it the next segment.
            self._start, self._first, self._quiet = place, max(self._first, place), []
        else:
            self._first = -1

    def _close(self, end: int, heard: list[Heard]) -> None:
        if self._start is not None:
            heard.append(Heard(self._start, end, True))
            self._start, self._free = None, end
