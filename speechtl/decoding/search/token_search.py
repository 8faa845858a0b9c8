"""A search that can be continued: frames are given to it as they come."""

import numpy as np

from speechtl.decoding.search.compaction import compact
from speechtl.decoding.search.ends import Found, beginning_of, ends_of
from speechtl.decoding.search.front import Front, Settings
from speechtl.decoding.search.look_ahead import Space
from speechtl.decoding.search.memory import (
    KINDS,
    ROOM_GROUPS,
    ROOM_HISTORIES,
    ROOM_LINKS,
    larger_memory,
    new_memory,
)
from speechtl.decoding.search.token_passing import FULL, KEPT, PASSED, TURN, Progress, begin_sentence, pass_frames
from speechtl.kernels.kept import KeptKernel
from speechtl.kernels.packed import Packed

# Links, or word sequences, below which nothing is dropped; some ten seconds of speech make so many.
_KEPT = 1 << 16

_begin_kept = KeptKernel(begin_sentence)
_pass_kept = KeptKernel(pass_frames, "compiling the search for this processor, once; this takes about a minute")


class TokenSearch:
    """Token passing over the frames of one utterance, which come in blocks of any size.

    What it finds does not depend on the blocks. A block takes as long as its frames, however many came before; what no
    hypothesis needs any more is dropped from time to time.

    Args:
        space: what is searched. Its arrays must not change while the search goes on.
        start: first state of the language model.
        settings: how it prunes.
    """

    def __init__(self, space: Space, start: int, settings: Settings):
        self._space, self._settings = space, settings
        self._frames = 0
        self._needs = np.zeros(KINDS, np.int64)
        self._needs[ROOM_GROUPS] = self._needs[ROOM_LINKS] = self._needs[ROOM_HISTORIES] = space.ahead.depth
        self._memory = larger_memory(new_memory(), self._needs)
        self._progress = Progress(np.zeros(5, np.int64), np.array([0.0, -np.inf, settings.beam]))
        self._progress.counts[FULL] = self._progress.counts[KEPT] = _KEPT
        self._fixed = Packed(space), Packed(settings)
        self._changed = Packed(self._progress), Packed(self._needs)
        self._room = Packed(self._memory)
        _begin_kept(self._fixed[0], Packed(start), Packed(settings.sequences), self._room)

    def feed(self, frames: np.ndarray) -> None:
        """Go on through ``(frames, units)`` float32: scaled log posteriors, unit 0 the blank."""
        counts = self._progress.counts
        given = Packed(np.ascontiguousarray(frames, np.float32)), Packed(self._frames)
        # Returns early where the memory is too small.
        while not _pass_kept(*given, *self._fixed, self._room, *self._changed):
            if self._most() >= counts[FULL]:
                compact(self._front, self._memory.links, self._memory.histories, self._settings.sequences)
                # What is left must double before it is worth looking through it again.
                counts[FULL] = max(int(counts[KEPT]), 2 * self._most())
            else:
                self._memory = larger_memory(self._memory, self._needs)
                self._room = Packed(self._memory)
        self._frames += len(frames)

    def ends(self) -> Found:
        """Return the best hypotheses, as if there were no more frames."""
        memory, passed = self._memory, float(self._progress.marks[PASSED])
        return ends_of(self._space.graph, self._front, memory.links, memory.histories, passed, self._settings.sequences)

    def beginning(self) -> Found:
        """Return the best hypothesis so far, complete or not."""
        return beginning_of(self._front, self._memory.links, float(self._progress.marks[PASSED]))

    @property
    def _front(self) -> Front:
        """The tokens of the last frame."""
        return self._memory.odd if self._progress.counts[TURN] else self._memory.even

    def _most(self) -> int:
        """Return how many links, or word sequences, there are."""
        histories = self._memory.histories
        return max(
            int(number[0]) for number in (self._memory.links.used, histories.numbers.free, histories.sequences.free)
        )
