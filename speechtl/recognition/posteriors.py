"""Where the posteriors of a data directory come from: the model, or tables of stored ones."""

from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechtl.batches.stored_batch import StoredBatch, StoredUtterance, frames_of
from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table
from speechtl.errors import DataError
from speechtl.experiment.language_choice import NEW_LANGUAGE
from speechtl.features.archives import read_matrix
from speechtl.files import finish_replacing
from speechtl.lang.phone_inventory import PhoneInventory

if TYPE_CHECKING:
    from speechtl.experiment.speech_model import SpeechModel


class SpokenBatch(NamedTuple):
    """Utterances of one language that pass through the model together."""

    language: str
    utterances: StoredBatch

    @property
    def work(self) -> float:
        """How much it is, in frames; every utterance is some by itself."""
        return frames_of(self.utterances) + 100.0 * len(self.utterances)


class Posteriors:
    """Posteriors of a trained model, which is loaded when it is needed.

    Args:
        experiment: directory of the model.
        tables: scp tables of stored posteriors; if there are some, the model is not run.
        speaker: a speaker's layers to put on top of the model, or None.

    Attributes:
        new_phones: phones that the model has a head for, ``NEW_LANGUAGE``; or None.
    """

    def __init__(self, experiment: Path, tables: Sequence[Path] = (), speaker: Path | None = None):
        self.experiment, self.tables, self.speaker = experiment, tables, speaker
        self.new_phones: PhoneInventory | None = None

    @cached_property
    def model(self) -> "SpeechModel":
        """The model; loading it may take seconds."""
        from speechtl.recognition.load_model import load_model

        model = load_model(self.experiment, self.speaker)
        if self.new_phones is not None:
            model.add_language(NEW_LANGUAGE, self.new_phones)
        return model

    def score_phones(self, phones: PhoneInventory) -> None:
        """Give the model a head for phones, ``NEW_LANGUAGE``."""
        self.new_phones = phones
        # One that is loaded later gets it then.
        if "model" in self.__dict__:
            self.model.add_language(NEW_LANGUAGE, phones)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "model"}

    def plan(self, data: Path, language: str, utterances: Container[str] | None = None) -> list[SpokenBatch]:
        """Return which utterances pass through the model together: those that have features, or stored posteriors.

        Args:
            data: the data directory.
            language: of all of them.
            utterances: which ones; None for all.
        """
        if not self.tables:
            return [SpokenBatch(language, batch) for batch in self.model.plan(data, utterances)]
        places: dict[str, str] = {}
        for table in self.tables:
            finish_replacing(Path(table).parent)
            places.update(read_table(table, value_required=True))
        return [
            SpokenBatch(language, (StoredUtterance(name, places[name], "", 0),))
            for name in DataDir.load(data).utterance_ids
            if name in places and (utterances is None or name in utterances)
        ]

    def read(
        self, batch: SpokenBatch, units: int, problems: dict[str, str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield ``(utterance, log-posteriors (frames, units))`` of a batch.

        Args:
            batch: the utterances.
            units: the phones of its language, and the blank.
            problems: to which utterances are added that cannot be read, with the reason; None raises it.

        Raises:
            DataError: what is stored cannot be read, is of another model, or no posteriors at all.
        """
        utterances = batch.utterances
        if self.tables:
            for one in utterances:
                try:
                    matrix = read_matrix(one.archive)
                    _check(one.id, one.archive, matrix, units)
                except DataError as error:
                    if problems is None:
                        raise
                    problems[one.id] = str(error)
                    continue
                yield one.id, matrix
            return
        if problems is None:
            yield from self.model.posteriors_of_stored(utterances, batch.language)
        else:
            yield from posteriors_of_readable(self.model, utterances, batch.language, problems)

    def of(
        self, data: Path, language: str, units: int, utterances: Container[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield ``(utterance, log-posteriors (frames, units))`` of what `plan` finds; see there and `read`."""
        for batch in self.plan(data, language, utterances):
            yield from self.read(batch, units)


def posteriors_of_readable(
    model: "SpeechModel", batch: StoredBatch, language: str, problems: dict[str, str]
) -> list[tuple[str, np.ndarray]]:
    """Return ``(utterance, log-posteriors (frames, units))`` of those of a batch that can be read.

    Args:
        model: the model.
        batch: the utterances.
        language: of all of them.
        problems: to which the others are added, with the reason.
    """
    try:
        return list(model.posteriors_of_stored(batch, language))
    except DataError:
        good = []
        for one in batch:
            try:
                model.read((one,))
                good.append(one)
            except DataError as error:
                problems[one.id] = str(error)
        if len(good) == len(batch):
            raise
    return list(model.posteriors_of_stored(tuple(good), language)) if good else []


def _check(utterance: str, place: str, matrix: np.ndarray, units: int) -> None:
    """Tell posteriors of this model from other matrices (features, say, or those of another model)."""
    if matrix.size == 0:
        return
    if matrix.shape[1] != units:
        raise DataError(
            f"{place}: utterance {utterance} has {matrix.shape[1]} units, expected {units}; "
            "take posteriors of the same model and language"
        )
    sums = np.exp(matrix).sum(axis=1)
    if not np.all(np.abs(sums - 1) < 0.01):
        raise DataError(
            f"{place}: utterance {utterance} has no log-posteriors (got a frame of probability {sums.max():g}, "
            "expected 1); give what --save-posteriors wrote"
        )
