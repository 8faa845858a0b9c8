"""Export an experiment, and measure what that costs."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from speechtl.alignment.ctc import merge_repeats
from speechtl.batches.labelling import Labelling
from speechtl.data.datadir import DataDir
from speechtl.errors import ConfigError, DataError
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.speech_model import SpeechModel
from speechtl.exporting.export_graphs import export_graphs
from speechtl.exporting.export_model import export_model
from speechtl.exporting.stored_weights import Precision
from speechtl.exporting.whole_graphs import export_whole, parse_format
from speechtl.lang.phone_mapping import fit_lexicon
from speechtl.layout import ExperimentLayout
from speechtl.recognition.language_identifier import spoken_languages
from speechtl.runtime.exported_model import ExportedModel

logger = logging.getLogger(__name__)


_ORIGINAL = "TensorFlow"
# Points of phone error rate that fewer bits may cost without a warning.
_WORTH_TELLING = 0.3


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        path: the file or folder.
        bytes: its size; of graphs in an experiment directory, theirs.
        precision: of its weights.
        error_rates: phone error rates in percent on held-out speech, of the experiment (``"TensorFlow"``) and of what
            was exported (its precision); empty where there was none to measure them on.
    """

    path: Path
    bytes: int
    precision: Precision
    error_rates: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def loss(self) -> float | None:
        """Points of phone error rate that the export costs; None where they were not measured."""
        return self.error_rates[self.precision] - self.error_rates[_ORIGINAL] if self.error_rates else None

    def describe(self) -> str:
        """Return one line: file, size, precision, phone error rates."""
        rates = ", ".join(f"{rate:.2f} % ({name})" for name, rate in self.error_rates.items())
        loss = "" if self.loss is None else f"; PER {rates}, a loss of {self.loss:.2f} points"
        return f"{self.path}: {self.bytes / 1e6:.1f} MB, {self.precision}{loss}"


def export(
    model: Path,
    out: Path | None = None,
    precision: Precision | None = None,
    speaker: Path | None = None,
    dev: Sequence[Path] = (),
    language: str | None = None,
) -> Exported:
    """Export an experiment; see `export_model` and `export_graphs`, and `speechtl.export` for the arguments.

    Raises:
        SpeechtlError: the model or the held-out speech is missing or wrong, or the file cannot be written.
    """
    if language is not None:
        raise ConfigError("--language is for other formats; a file of speechtl has all languages of the model")
    if out is None:
        if precision not in (None, "float32"):
            raise ConfigError(
                f"--precision {precision} is of a file; graphs in an experiment directory take its weights as they are"
            )
        place, precision = export_graphs(model, speaker), "float32"
        size = sum(path.stat().st_size for path in ExperimentLayout(place).graphs.glob("*.onnx"))
        out, exported = place, ExportedModel(model, speaker, ExperimentLayout(place))
        experiment = Experiment.load(model, speaker) if dev else None
    else:
        experiment, precision = Experiment.load(model, speaker), precision or "float16"
        export_model(experiment, out, precision)
        size, exported = out.stat().st_size, ExportedModel(out)
    if experiment is None or not dev:
        return Exported(out, size, precision)
    rates = {_ORIGINAL: phone_error_rate(experiment, dev), precision: phone_error_rate(exported, dev)}
    found = Exported(out, size, precision, rates)
    if (found.loss or 0) > _WORTH_TELLING:
        logger.warning(f"{out}: {precision} costs {found.loss:.2f} points of phone error rate; more bits cost fewer")
    return found


def export_other(
    model: Path,
    out: Path | None,
    form: str,
    precision: Precision | None = None,
    speaker: Path | None = None,
    dev: Sequence[Path] = (),
    language: str | None = None,
) -> Exported:
    """Export an experiment to a format that other tools run; see `export_whole`, and `speechtl.export`.

    Raises:
        ConfigError: options that do not go together.
        SpeechtlError: see `export_whole`.
    """
    chosen = parse_format(form)
    if out is None:
        raise ConfigError(f"--format {form} writes a new folder; name it")
    if precision not in (None, "float32") or dev:
        option = "--dev" if dev else f"--precision {precision}"
        raise ConfigError(f"{option} is for files of speechtl; --format {form} has the weights as they are, float32")
    file = export_whole(Experiment.load(model, speaker), out, chosen, language)
    files = file.rglob("*") if file.is_dir() else [file]
    return Exported(file, sum(path.stat().st_size for path in files if path.is_file()), "float32")


def phone_error_rate(model: SpeechModel, directories: Sequence[Path]) -> float:
    """Return the phone error rate in percent of the best path against the first pronunciations.

    Args:
        model: an experiment or an exported model.
        directories: data directories with features and transcripts.

    Raises:
        DataError: no utterance has both; or ``utt2lang`` has languages that the model lacks.
        LexiconError: words without a pronunciation.
    """
    errors = length = 0
    for directory in directories:
        texts = DataDir.load(directory).text
        languages = model.languages
        if len(languages) > 1:
            spoken = {name: one.name for name, one in spoken_languages(model, directory).items()}
        else:
            spoken = dict.fromkeys(texts, languages[0])
        for language in languages:
            own = {name: text for name, text in texts.items() if spoken.get(name) == language and text.strip()}
            if not own:
                continue
            inventory = model.inventory(language)
            lexicon = None
            if model.directory.lexicon(language).is_file():
                lexicon = fit_lexicon(model.lexicon(language), inventory, "nearest")
            variants = dict(zip(own, Labelling(inventory, lexicon).variants(own, language), strict=True))
            for name, posteriors in model.posteriors_of(directory, language, own):
                reference = [unit for word in variants[name] for unit in word[0]]
                errors += Levenshtein.distance(merge_repeats(posteriors.argmax(axis=1)), reference)
                length += len(reference)
    if not length:
        raise DataError(f"{', '.join(map(str, directories))}: no utterance with features and a transcript")
    return 100 * errors / length
