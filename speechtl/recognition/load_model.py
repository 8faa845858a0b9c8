"""Load a trained model for recognition: an experiment directory, or an exported model."""

from pathlib import Path

from speechtl.experiment.directory import ExperimentDirectory
from speechtl.experiment.speech_model import SpeechModel
from speechtl.layout import ExperimentLayout


def load_model(path: str | Path, speaker: str | Path | None = None) -> SpeechModel:
    """Load a model; TensorFlow is imported for an experiment directory only.

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
    from speechtl.experiment.experiment import Experiment

    return Experiment.load(path, speaker)
