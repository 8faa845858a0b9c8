"""Where the posteriors of a data directory come from: the model, or tables of stored ones."""

from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table
from speechtl.errors import DataError
from speechtl.experiment.language_choice import NEW_LANGUAGE
from speechtl.features.archives import read_matrix
from speechtl.files import finish_replacing
from speechtl.lang.phone_inventory import PhoneInventory

if TYPE_CHECKING:
    from speechtl.experiment.speech_model import SpeechModel


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

    def of(
        self, data: Path, language: str, units: int, utterances: Container[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield ``(utterance, log-posteriors (frames, units))`` of those that have features, or stored posteriors.

        Args:
            data: the data directory.
            language: of all of them.
            units: the phones of that language, and the blank.
            utterances: which ones; None for all.

        Raises:
            DataError: what is stored is of another model, or no posteriors at all; names the utterance.
        """
        if not self.tables:
            yield from self.model.posteriors_of(data, language, utterances)
            return
        places: dict[str, str] = {}
        for table in self.tables:
            finish_replacing(Path(table).parent)
            places.update(read_table(table, value_required=True))
        for utterance in DataDir.load(data).utterance_ids:
            if utterance in places and (utterances is None or utterance in utterances):
                matrix = read_matrix(places[utterance])
                _check(utterance, places[utterance], matrix, units)
                yield utterance, matrix


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
