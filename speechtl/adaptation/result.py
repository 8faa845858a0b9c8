"""What an adaptation leaves behind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from speechtl.adaptation.learner import Learner
from speechtl.errors import DataError
from speechtl.experiment.experiment import Experiment
from speechtl.files import atomic_write
from speechtl.lang.lexicon import Lexicon
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import arrays_of, save_arrays
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.speaker_layers import SPEAKER_FILE, save_speaker


def require_free(out: Path, source: Path, overwrite: bool) -> None:
    """Refuse to write over a source or another result.

    Raises:
        DataError: names what is there.
    """
    if out.resolve() == source.resolve():
        raise DataError(f"{out}: is the source itself, which stays as it is; choose another folder")
    taken = [name for name in ("weights.h5", SPEAKER_FILE, "log.jsonl") if (out / name).exists()]
    if "log.jsonl" in taken or (taken and not overwrite):
        advice = "choose another folder" + ("" if "log.jsonl" in taken else ", or add --overwrite")
        raise DataError(f"{out}: holds another result already ({', '.join(taken)}); {advice}")
    for name in taken:
        (out / name).unlink()


def save_speaker_alone(out: Path, model: AcousticModel, source: str, stats: np.ndarray | None = None) -> Path:
    """Write the speaker's layers; those of a kept source are the identity."""
    save_speaker(out / SPEAKER_FILE, model, source, stats)
    return out / SPEAKER_FILE


def save_experiment(
    out: Path, experiment: Experiment, source: str, learner: Learner, data: Path, lexicon: Lexicon | None
) -> Path:
    """Write a whole experiment that stands alone."""
    for head, inventory in experiment.inventories.items():
        inventory.save(out / "phones" / f"{head}.txt")
    for language in experiment.languages:
        kept = experiment.path / "lexicon" / f"{language}.txt"
        if language == learner.language and lexicon is not None:
            lexicon.save(out / "lexicon" / f"{language}.txt")
        elif kept.is_file():
            with atomic_write(out / "lexicon" / f"{language}.txt", "wb") as file:
                file.write(kept.read_bytes())
    if experiment.normaliser.global_stats is not None:
        save_arrays(out / "cmvn.h5", {"global": experiment.normaliser.global_stats})
    tables = tuple(
        table.model_copy(update={"train": (str(data),), "dev": ()}) if table.language == learner.language else table
        for table in experiment.config.data
    )
    methods = (FineTuning(source=source), *learner.methods)
    config = experiment.config.model_copy(update={"data": tables, "transfer": methods, "seed": learner.config.seed})
    save_arrays(out / "weights.h5", arrays_of(learner.model.variables()))
    with atomic_write(out / "config.toml") as file:
        file.write(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))
    return out / "weights.h5"


def save_notes(out: Path, lines: list[str], numbers: dict[str, Any]) -> None:
    """Write ``report.txt`` and ``adaptation.json``."""
    with atomic_write(out / "report.txt") as file:
        file.writelines(line + "\n" for line in lines)
    with atomic_write(out / "adaptation.json") as file:
        file.write(json.dumps(numbers, ensure_ascii=False, indent=1) + "\n")
