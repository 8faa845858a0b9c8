"""Transcribe many recordings, in any process: here, or on the worker of a cluster."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from speechtl.recognition.recogniser import Recogniser
from speechtl.recognition.recogniser_options import RecogniserOptions
from speechtl.recognition.transcript import Recording, Transcript
from speechtl.recognition.vocabulary import Vocabulary

GROUP_SECONDS = 600.0
"""Seconds of recordings in a group, or few more."""

_UNKNOWN_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class RecordingGroup:
    """Recordings whose segments pass through the model together: the same group gives the same transcripts.

    Attributes:
        recordings: in order.
        seconds: of all of them, as far as that is known.
    """

    recordings: tuple[Recording, ...]
    seconds: float


def group_recordings(recordings: Sequence[Recording], seconds: Sequence[float | None]) -> list[RecordingGroup]:
    """Divide recordings into groups of some minutes, in order."""
    groups: list[RecordingGroup] = []
    own: list[Recording] = []
    size = 0.0
    for recording, length in zip(recordings, seconds, strict=True):
        own.append(dataclasses.replace(recording, group=len(groups)))
        size += _UNKNOWN_SECONDS if length is None else length
        if size >= GROUP_SECONDS:
            groups.append(RecordingGroup(tuple(own), size))
            own, size = [], 0.0
    return groups + [RecordingGroup(tuple(own), size)] * bool(own)


@dataclasses.dataclass
class RecordingTranscriber:
    """Transcribes groups of recordings; pickled, it leaves out the model, which is loaded again.

    Attributes:
        path: experiment directory, or exported model.
        vocabulary: the words.
        options: how the model is made ready.
        advance: called with the seconds of audio that have been transcribed since the last call; here only.
    """

    path: Path
    vocabulary: Vocabulary
    options: RecogniserOptions
    advance: Callable[[float], object] = lambda seconds: None

    @classmethod
    def of(cls, recogniser: Recogniser) -> "RecordingTranscriber":
        """Return one for a model that is loaded here; words that were added to it later are not those of others."""
        made = cls(recogniser.experiment.path, recogniser.vocabulary, recogniser.options)
        made.recogniser = recogniser
        return made

    @cached_property
    def recogniser(self) -> Recogniser:
        """The model with its vocabulary."""
        return Recogniser.load(self.path, self.vocabulary, self.options)

    def __reduce__(self) -> tuple[Any, ...]:
        return RecordingTranscriber, (self.path, self.vocabulary, dataclasses.replace(self.options, jobs=1))

    def __call__(self, groups: Iterable[RecordingGroup]) -> Iterator[Transcript]:
        """Yield a transcript of each recording, in order."""
        recordings = (recording for group in groups for recording in group.recordings)
        return self.recogniser.transcribe_all(recordings, self.advance)
