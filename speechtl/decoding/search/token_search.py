"""A search that can be continued: frames are given to it as they come."""

import numpy as np
from numba import njit

from speechtl.decoding.search.compaction import compact
from speechtl.decoding.search.ends import Found, beginning_of, ends_of
from speechtl.decoding.search.first_compilation import note_first_compilation
from speechtl.decoding.search.front import Settings
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

note_first_compilation(__name__)

# Links, or word sequences, below which nothing is dropped; some ten seconds of speech make so many.
_KEPT = 1 << 16


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
        self._memory, self._progress, self._needs = _begin(space, start, settings, _KEPT)

    def feed(self, frames: np.ndarray) -> None:
        """Go on through ``(frames, units)`` float32: scaled log posteriors, unit 0 the blank."""
        self._memory = _continue(
            frames, self._frames, self._space, self._settings, self._memory, self._progress, self._needs
        )
        self._frames += len(frames)

    def ends(self) -> Found:
        """Return the best hypotheses, as if there were no more frames."""
        return _ends(self._space.graph, self._memory, self._progress, self._settings.sequences)

    def beginning(self) -> Found:
        """Return the best hypothesis so far, complete or not."""
        return _beginning(self._memory, self._progress)


@njit(nogil=True, cache=True)
def _begin(space, start, settings, kept):
    memory, needs = new_memory(), np.zeros(KINDS, np.int64)
    progress = Progress(np.zeros(5, np.int64), np.array([0.0, -np.inf, settings.beam]))
    progress.counts[FULL] = progress.counts[KEPT] = kept
    needs[ROOM_GROUPS] = needs[ROOM_LINKS] = needs[ROOM_HISTORIES] = space.ahead.depth
    memory = larger_memory(memory, needs)
    begin_sentence(space, start, settings.sequences, memory)
    return memory, progress, needs


@njit(nogil=True, cache=True)
def _continue(frames, first, space, settings, memory, progress, needs):
    """Pass all frames on; return the memory, which may be a larger one."""
    while not pass_frames(frames, first, space, settings, memory, progress, needs):
        used = _most(memory)
        if used >= progress.counts[FULL]:
            front = memory.odd if progress.counts[TURN] else memory.even
            compact(front, memory.links, memory.histories, settings.sequences)
            # What is left must double before it is worth looking through it again.
            progress.counts[FULL] = max(progress.counts[KEPT], 2 * _most(memory))
        else:
            memory = larger_memory(memory, needs)
    return memory


@njit(nogil=True, cache=True)
def _most(memory):
    histories = memory.histories
    return max(memory.links.used[0], histories.numbers.free[0], histories.sequences.free[0])


@njit(nogil=True, cache=True)
def _ends(graph, memory, progress, sequences):
    front = memory.odd if progress.counts[TURN] else memory.even
    return ends_of(graph, front, memory.links, memory.histories, progress.marks[PASSED], sequences)


@njit(nogil=True, cache=True)
def _beginning(memory, progress):
    front = memory.odd if progress.counts[TURN] else memory.even
    return beginning_of(front, memory.links, progress.marks[PASSED])
