"""A search that can be continued: frames are given to it as they come."""

import numpy as np

from speechtl.decoding.search.compaction import compact
from speechtl.decoding.search.ends import Found, beginning_of, ends_of
from speechtl.decoding.search.front import Front, Settings
from speechtl.decoding.search.memory import (
    KINDS,
    ROOM_GROUPS,
    ROOM_HISTORIES,
    ROOM_LINKS,
    Memory,
    clear,
    has_less,
    larger_memory,
    new_memory,
    size_of,
)
from speechtl.decoding.search.token_passing import FULL, KEPT, PASSED, TURN, Progress, begin_sentence, pass_frames
from speechtl.kernels.kept import KeptKernel
from speechtl.kernels.packed import Packed

# Links, or word sequences, below which nothing is dropped; some ten seconds of speech make so many.
_KEPT = 1 << 16

_begin_kept = KeptKernel(begin_sentence)
_pass_kept = KeptKernel(pass_frames, "compiling the search for this processor, once; this takes about a minute")


class _Room:
    """What a search writes to, and how it is given to kernels."""

    def __init__(self) -> None:
        self.needs = np.zeros(KINDS, np.int64)
        self.progress = Progress(np.zeros(5, np.int64), np.zeros(3))
        self.changed = Packed(self.progress), Packed(self.needs)
        self.set(new_memory())

    def set(self, memory: Memory) -> None:
        """Take a larger memory."""
        self.memory, self.packed = memory, Packed(memory)

    def begin(self, settings: Settings, depth: int) -> None:
        """Forget the search before."""
        clear(self.memory)
        self.needs[:] = 0
        self.needs[ROOM_GROUPS] = self.needs[ROOM_LINKS] = self.needs[ROOM_HISTORIES] = depth
        self.progress.counts[:] = 0
        self.progress.counts[FULL] = self.progress.counts[KEPT] = _KEPT
        self.progress.marks[:] = 0.0, -np.inf, settings.beam
        if has_less(self.memory, self.needs):
            self.set(larger_memory(self.memory, self.needs))


# Rooms of searches that are over, for the next: to make one takes as long as to search seconds of speech. At most so
# many, and none that has grown beyond so many bytes.
_free: list[_Room] = []
_MOST_FREE, _LARGEST_FREE = 8, 1 << 25


class TokenSearch:
    """Token passing over the frames of one utterance, which come in blocks of any size.

    What it finds does not depend on the blocks. A block takes as long as its frames, however many came before; what no
    hypothesis needs any more is dropped from time to time.

    Args:
        space: the packed `Space` that is searched. Its arrays must not change while the search goes on.
        start: first state of the language model.
        settings: how it prunes.
    """

    def __init__(self, space: Packed, start: int, settings: Settings):
        self._space, self._settings = space, settings
        self._frames = 0
        try:
            self._room = _free.pop()
        except IndexError:
            self._room = _Room()
        self._room.begin(settings, space.value.ahead.depth)
        self._fixed = space, Packed(settings)
        _begin_kept(space, Packed(start), Packed(settings.sequences), self._room.packed)

    def __del__(self) -> None:
        """Leave the room to the next search; nothing that was returned refers to it."""
        room = getattr(self, "_room", None)
        if room is not None and len(_free) < _MOST_FREE and size_of(room.memory) <= _LARGEST_FREE:
            _free.append(room)

    def feed(self, frames: np.ndarray) -> None:
        """Go on through ``(frames, units)`` float32: scaled log posteriors, unit 0 the blank."""
        room = self._room
        counts = room.progress.counts
        given = Packed(np.ascontiguousarray(frames, np.float32)), Packed(self._frames)
        # Returns early where the memory is too small.
        while not _pass_kept(*given, *self._fixed, room.packed, *room.changed):
            if self._most() >= counts[FULL]:
                compact(self._front, room.memory.links, room.memory.histories, self._settings.sequences)
                # What is left must double before it is worth looking through it again.
                counts[FULL] = max(int(counts[KEPT]), 2 * self._most())
            else:
                room.set(larger_memory(room.memory, room.needs))
        self._frames += len(frames)

    def ends(self) -> Found:
        """Return the best hypotheses, as if there were no more frames."""
        memory, graph = self._room.memory, self._space.value.graph
        return ends_of(graph, self._front, memory.links, memory.histories, self._passed, self._settings.sequences)

    def beginning(self) -> Found:
        """Return the best hypothesis so far, complete or not."""
        return beginning_of(self._front, self._room.memory.links, self._passed)

    @property
    def _passed(self) -> float:
        return float(self._room.progress.marks[PASSED])

    @property
    def _front(self) -> Front:
        """The tokens of the last frame."""
        return self._room.memory.odd if self._room.progress.counts[TURN] else self._room.memory.even

    def _most(self) -> int:
        """Return how many links, or word sequences, there are."""
        links, histories = self._room.memory.links, self._room.memory.histories
        return max(int(number[0]) for number in (links.used, histories.numbers.free, histories.sequences.free))
