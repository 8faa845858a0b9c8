"""Export an experiment, and measure what that costs."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from speechtl.alignment.ctc import merge_repeats
from speechtl.batches.labelling import Labelling
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.speech_model import SpeechModel
from speechtl.exporting.export_model import export_model
from speechtl.exporting.stored_weights import Precision
from speechtl.lang.phone_mapping import fit_lexicon
from speechtl.recognition.language_identifier import spoken_languages
from speechtl.runtime.exported_model import ExportedModel

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        path: the file.
        bytes: its size.
        precision: of its weights.
        error_rates: phone error rates in percent on held-out speech, of the experiment (``"TensorFlow"``) and of the
            file (its precision); empty where there was none to measure them on.
    """

    path: Path
    bytes: int
    precision: Precision
    error_rates: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def describe(self) -> str:
        """Return one line: file, size, precision, phone error rates."""
        rates = ", ".join(f"{rate:.2f} % ({name})" for name, rate in self.error_rates.items())
        return f"{self.path}: {self.bytes / 1e6:.1f} MB, {self.precision}" + (f"; PER {rates}" if rates else "")


def export(
    model: Path, out: Path, precision: Precision = "float16", speaker: Path | None = None, dev: Sequence[Path] = ()
) -> Exported:
    """Export an experiment; see `export_model`, and `speechtl.export` for the arguments.

    Raises:
        SpeechtlError: the model or the held-out speech is missing or wrong, or the file cannot be written.
    """
    experiment = Experiment.load(model, speaker)
    export_model(experiment, out, precision)
    rates: dict[str, float] = {}
    if dev:
        rates = {"TensorFlow": phone_error_rate(experiment, dev), precision: phone_error_rate(ExportedModel(out), dev)}
    return Exported(out, out.stat().st_size, precision, rates)


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
