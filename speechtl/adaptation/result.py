"""What an adaptation leaves behind."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.adaptation.learner import Learner
from speechtl.errors import DataError
from speechtl.experiment.directory import write_experiment
from speechtl.experiment.experiment import Experiment
from speechtl.files import atomic_write
from speechtl.lang.lexicon import Lexicon
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import arrays_of, save_arrays
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.speaker_layers import save_speaker


def require_free(out: Path, source: Path, overwrite: bool) -> None:
    """Refuse to write over a source or another result.

    Raises:
        DataError: names what is there.
    """
    if out.resolve() == source.resolve():
        raise DataError(f"{out}: is the source itself, which stays as it is; choose another folder")
    layout = ExperimentLayout(out)
    taken = [path for path in (layout.weights, layout.speaker, layout.log) if path.exists()]
    if layout.log in taken or (taken and not overwrite):
        advice = "choose another folder" + ("" if layout.log in taken else ", or add --overwrite")
        names = ", ".join(path.name for path in taken)
        raise DataError(f"{out}: holds another result already ({names}); {advice}")
    for path in taken:
        path.unlink()


def save_speaker_alone(out: Path, model: AcousticModel, source: str, stats: np.ndarray | None = None) -> Path:
    """Write the speaker's layers; those of a kept source are the identity."""
    file = ExperimentLayout(out).speaker
    save_speaker(file, model, source, stats)
    return file


def save_experiment(
    out: Path, experiment: Experiment, source: str, learner: Learner, data: Path, lexicon: Lexicon | None
) -> Path:
    """Write a whole experiment that stands alone."""
    lexicons = {
        language: experiment.lexicon(language)
        for language in experiment.languages
        if experiment.directory.lexicon(language).is_file()
    }
    if lexicon is not None:
        lexicons[learner.language] = lexicon
    tables = tuple(
        table.model_copy(update={"train": (str(data),), "dev": ()}) if table.language == learner.language else table
        for table in experiment.config.data
    )
    methods = (FineTuning(source=source), *learner.methods)
    config = experiment.config.model_copy(update={"data": tables, "transfer": methods, "seed": learner.config.seed})
    layout = ExperimentLayout(out)
    save_arrays(layout.weights, arrays_of(learner.model.variables()))
    write_experiment(layout, config, experiment.inventories, lexicons, experiment.normaliser.global_stats)
    return layout.weights


def save_notes(out: Path, lines: list[str], numbers: dict[str, Any]) -> None:
    """Write ``report.txt`` and ``adaptation.json``."""
    with atomic_write(out / "report.txt") as file:
        file.writelines(line + "\n" for line in lines)
    with atomic_write(out / "adaptation.json") as file:
        file.write(json.dumps(numbers, ensure_ascii=False, indent=1) + "\n")
