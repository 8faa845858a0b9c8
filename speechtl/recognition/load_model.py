"""Load a trained model for recognition: an experiment directory, or an exported model."""

import logging
from pathlib import Path

from speechtl.experiment.directory import ExperimentDirectory
from speechtl.experiment.export_info import find_graphs
from speechtl.experiment.speaker_file import speaker_file
from speechtl.experiment.speech_model import SpeechModel
from speechtl.layout import ExperimentLayout

logger = logging.getLogger(__name__)

# What was said to run by TensorFlow.
_told: set[tuple[Path, str]] = set()


def load_model(path: str | Path, speaker: str | Path | None = None) -> SpeechModel:
    """Load a model; TensorFlow is imported for an experiment directory whose graphs are missing, or of other weights.

    That this is so is logged once.

    Args:
        path: an experiment directory, or the file of an exported model.
        speaker: a speaker file, or the directory that ``speechtl adapt`` wrote it into; its layers are put on top.

    Raises:
        ModelError: the model is missing, unfinished or damaged, has no heads, or the speaker belongs to another model.
    """
    layout = ExperimentLayout(path)
    if layout.exported:
        from speechtl.runtime.exported_model import ExportedModel

        return ExportedModel(path, speaker)
    if not layout.speaker.is_file():
        # What is no experiment is told before TensorFlow is loaded, which takes seconds.
        ExperimentDirectory(layout)
    place = None if speaker is None else speaker_file(speaker)
    if layout.weights.is_file() and (place is None or place.is_file()):
        graphs, why = find_graphs(layout, place)
        if graphs is not None:
            from speechtl.runtime.exported_model import ExportedModel

            return ExportedModel(path, place, graphs)
        _tell(layout.path, place, why)
    from speechtl.experiment.experiment import Experiment

    return Experiment.load(path, speaker)


def _tell(model: Path, speaker: Path | None, why: str) -> None:
    if (model, why) not in _told:
        _told.add((model, why))
        export = f"speechtl export {model}" + ("" if speaker is None else f" --speaker {speaker}")
        logger.info(f"{speaker or model}: {why}, so TensorFlow is loaded, which takes seconds; not after '{export}'")
