"""The result of an adaptation, and the files it is stored in."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.adaptation.config import AdaptationConfig
from speechtl.adaptation.learner import Learner
from speechtl.adaptation.report import BeforeAfter, as_json, table_lines, verdict_line
from speechtl.adaptation.request import Request
from speechtl.adaptation.scorer import Scores
from speechtl.batches.config import DataConfig
from speechtl.errors import DataError
from speechtl.exchange.recordings import LONGEST
from speechtl.experiment.directory import write_experiment
from speechtl.experiment.experiment import Experiment
from speechtl.files import atomic_write, finish_replacing, read_bytes
from speechtl.lang.lexicon import Lexicon
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import arrays_of, save_arrays
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.speaker_layers import save_speaker

# Files of a result that another one, of another kind of method, does not have.
RESULTS = ("weights.h5", "speaker.h5", "config.toml", "cmvn.h5", "speechtl.json")


@dataclasses.dataclass(frozen=True)
class Adapted:
    """What came out.

    Attributes:
        config: the settings used.
        seconds: of speech trained on.
        utterances: trained on.
        epochs: of training; 0 if the source was kept.
        comparisons: before and after, on each kind of speech.
        warnings: what the user should know.
        lines: the report.
        parameters: weights that were trained.
        file: what was stored of them.
        size: its bytes.
    """

    config: AdaptationConfig
    seconds: float
    utterances: int
    epochs: int
    comparisons: list[BeforeAfter]
    warnings: list[str]
    lines: list[str]
    parameters: int
    file: Path
    size: int

    @property
    def before(self) -> Scores | None:
        """Errors of the source on the speech to trust most: test recordings, else held-out ones; None without any."""
        return self._main.before if self._main else None

    @property
    def after(self) -> Scores | None:
        """Errors of the adapted model on the same speech."""
        return self._main.after if self._main else None

    @property
    def _main(self) -> BeforeAfter | None:
        by_title = {comparison.title: comparison for comparison in self.comparisons}
        return by_title.get("test") or by_title.get("held out")


def require_free(out: Path, source: Path, overwrite: bool) -> None:
    """Refuse to write over a source or another result.

    Raises:
        DataError: names what is there.
    """
    if out.resolve() == source.resolve():
        raise DataError(f"{out}: is the source itself, which stays as it is; choose another folder")
    finish_replacing(out)
    layout = ExperimentLayout(out)
    taken = [path for path in (layout.weights, layout.speaker, layout.log) if path.exists()]
    if layout.log in taken or (taken and not overwrite):
        advice = "choose another folder" + ("" if layout.log in taken else ", or add --overwrite")
        names = ", ".join(path.name for path in taken)
        raise DataError(f"{out}: holds another result already ({names}); {advice}")


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
    if learner.language not in experiment.config.head_of:
        tables += (DataConfig(language=learner.language, train=(str(data),)),)
    methods = (FineTuning(source=source), *learner.methods)
    config = experiment.config.model_copy(update={"data": tables, "transfer": methods, "seed": learner.config.seed})
    layout = ExperimentLayout(out)
    save_arrays(layout.weights, arrays_of(learner.model.variables()))
    for language in lexicons:
        own = experiment.directory.language_model(language)
        if own.is_file():
            with atomic_write(layout.language_model(language), "wb") as file:
                file.write(read_bytes(own))
    write_experiment(layout, config, experiment.inventories, lexicons, experiment.normaliser.global_stats)
    return layout.weights


def save_notes(out: Path, lines: list[str], numbers: dict[str, Any]) -> None:
    """Write ``report.txt`` and ``adaptation.json``."""
    with atomic_write(out / "report.txt") as file:
        file.writelines(line + "\n" for line in lines)
    with atomic_write(out / "adaptation.json") as file:
        file.write(json.dumps(numbers, ensure_ascii=False, indent=1) + "\n")


def lines_of(result: Adapted, request: Request, taken: float) -> list[str]:
    """Return the report."""
    config = result.config
    lines = [
        f"{result.utterances} recordings, {result.seconds:.1f} s of speech; method {config.method}, "
        f"{result.parameters:,} parameters, learning rate {config.learning_rate:g}"
    ]
    if result.comparisons:
        lines += ["", *table_lines(result.comparisons), ""]
        lines += [verdict_line(comparison) for comparison in result.comparisons]
    if not result.epochs:
        lines.append("adaptation did not help on held-out speech: the source model is kept as it is")
    else:
        lines.append(f"trained on everything for {result.epochs} of at most {config.epochs} epochs")
        if config.standard_errors is not None and any(
            one.title == "held out" and one.reduction < 0 for one in result.comparisons
        ):
            lines.append(
                "that there are more errors on held-out speech may be chance, and other speakers had fewer: with "
                "--set standard_errors=0 any error more keeps the source"
            )
    lines.append(f"{result.file}: {result.size / 1000:.1f} kB; {taken:.1f} s")
    if result.epochs:
        # A method that puts nothing on top of the source makes a model of its own.
        how = f"{request.called} AUDIO --speaker {request.out}" if config.stored_alone else f"{request.out} AUDIO"
        lines.append(f"use it: speechtl transcribe {how} (likewise decode, align and export)")
    return lines


def numbers_of(result: Adapted, request: Request, losses: list[float], taken: float) -> dict[str, Any]:
    """Return what ``adaptation.json`` holds."""
    return {
        "source": str(request.source),
        "data": str(request.data),
        "method": json.loads(result.config.model_dump_json()),
        "unsupervised": request.unsupervised,
        "utterances": result.utterances,
        "seconds": round(result.seconds, 2),
        "epochs": result.epochs,
        "kept_source": not result.epochs,
        "held_out_losses": [round(value, 4) for value in losses],
        "parameters": result.parameters,
        "bytes": result.size,
        "seconds_taken": round(taken, 2),
        "longest": LONGEST,
        "results": {comparison.title: as_json(comparison) for comparison in result.comparisons},
        "warnings": result.warnings,
    }
