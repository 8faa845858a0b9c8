"""Computation graphs into an experiment directory, which then recognises speech without TensorFlow."""

import json
import logging
import time
from pathlib import Path

from speechtl.errors import ModelError, SpeechtlError
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.export_info import find_graphs, weights_digest
from speechtl.experiment.speaker_file import speaker_file
from speechtl.exporting.export_model import export_info, model_graphs
from speechtl.files import atomic_write, replacing_together
from speechtl.layout import ExperimentLayout

logger = logging.getLogger(__name__)


def export_graphs(model: Path, speaker: Path | None = None) -> Path:
    """Write the graphs of a trained model beside its weights, or those of a model with a speaker's layers beside these.

    They are known to belong to these weights (`speechtl.experiment.export_info.find_graphs`): when the weights change,
    TensorFlow computes again.

    Args:
        model: the experiment directory.
        speaker: the file or folder of a speaker's layers.

    Returns:
        The folder that has them.

    Raises:
        ModelError: the model is missing or wrong, or cannot be converted.
        DataError: the folder cannot be written to.
    """
    layout = ExperimentLayout(model)
    if layout.exported:
        raise ModelError(f"{model}: is exported already; export the experiment directory that it was made of")
    place = layout if speaker is None else ExperimentLayout(speaker_file(speaker).parent)
    # Before anything is read: weights that change meanwhile are others.
    about = {"weights": weights_digest(layout)}
    if speaker is not None:
        about["speaker"] = weights_digest(place)
    experiment = Experiment.load(model, speaker)
    graphs = model_graphs(experiment.model)
    info = export_info(experiment.model, graphs, "float32").model_copy(update=about)
    names = {place.graph(name).relative_to(place.path).as_posix() for name in graphs}
    old = {path.relative_to(place.path).as_posix() for path in place.graphs.glob("*.onnx")}
    with replacing_together(place.path, old - names) as new:
        written = ExperimentLayout(new)
        for name, graph in graphs.items():
            with atomic_write(written.graph(name), "wb") as file:
                file.write(graph.content)
        with atomic_write(written.export) as file:
            json.dump(info.model_dump(exclude_none=True), file, ensure_ascii=False, indent=1)
    return place.path


def export_at_the_end(model: Path, speaker: Path | None = None) -> None:
    """Do what `export_graphs` does after a training, unless it is done; why it cannot be done is logged."""
    if find_graphs(ExperimentLayout(model), speaker)[0] is not None:
        return
    started = time.monotonic()
    try:
        place = export_graphs(model, speaker)
    except SpeechtlError as error:
        logger.info(f"{model}: not exported, so it recognises speech by TensorFlow: {error}")
        return
    logger.info(f"{place}: exported in {time.monotonic() - started:.1f} s; it recognises speech without TensorFlow")
