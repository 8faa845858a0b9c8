"""Align batches of utterances, in any process: here, or on the worker of a cluster."""

import dataclasses
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from speechtl.alignment.ctc_aligner import CtcAligned, CtcAligner, Spoken
from speechtl.batches.stored_batch import StoredBatch, frames_of
from speechtl.experiment.speech_model import SpeechModel
from speechtl.recognition.load_model import load_model
from speechtl.recognition.posteriors import posteriors_of_readable


class TranscribedBatch(NamedTuple):
    """Utterances that pass through the model together, and what is known of each."""

    utterances: StoredBatch
    spoken: tuple[Spoken, ...]

    @property
    def work(self) -> float:
        """How much it is, in frames; every utterance is some by itself."""
        return frames_of(self.utterances) + 100.0 * len(self.utterances)


@dataclasses.dataclass
class BatchAligner:
    """Aligns batches; pickled, it leaves out the model, which is loaded again.

    Attributes:
        path: experiment directory, or exported model.
        speaker: a speaker's layers to put on top of it.
        language: which head; one that the model lacks gets the phones of the aligner.
        aligner: of posteriors.
    """

    path: Path
    speaker: Path | None
    language: str
    aligner: CtcAligner

    @cached_property
    def model(self) -> SpeechModel:
        """The model."""
        model = load_model(self.path, self.speaker)
        if not model.has_head(self.language):
            model.add_language(self.language, self.aligner.inventory)
        return model

    def __getstate__(self) -> dict[str, Any]:
        # Elsewhere each thread is a worker.
        config = dataclasses.replace(self.aligner.config, jobs=1)
        state = {key: value for key, value in self.__dict__.items() if key != "model"}
        return state | {"aligner": dataclasses.replace(self.aligner, config=config)}

    def __call__(self, batches: Iterable[TranscribedBatch]) -> Iterator[CtcAligned]:
        """Yield the alignments of all utterances; those that cannot be read last."""
        problems: dict[str, str] = {}

        def posteriors() -> Iterator[tuple[Spoken, np.ndarray]]:
            for batch in batches:
                known = {one.utterance: one for one in batch.spoken}
                for name, matrix in posteriors_of_readable(self.model, batch.utterances, self.language, problems):
                    yield known[name], matrix

        yield from self.aligner(posteriors())
        for name, problem in problems.items():
            yield CtcAligned(name, None, problem)
