"""What decoding a data directory found, and the files it is written into."""

import dataclasses
import json
import math
from functools import cached_property
from pathlib import Path

import tomli_w

from speechtl.alignment.span import Hypothesis, in_seconds
from speechtl.data.ctm import write_ctm
from speechtl.data.datadir import DataDir
from speechtl.data.tables import write_table
from speechtl.decoding.confidence import Calibration, calibration, mark_correct
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.tune import Tuning
from speechtl.files import atomic_write
from speechtl.recognition.result_json import decoded_as_json
from speechtl.recognition.spoken_language import SpokenLanguage
from speechtl.scoring.error_rate import ErrorRate, error_rate


@dataclasses.dataclass(frozen=True)
class Decoded:
    """What was found in a data directory.

    Attributes:
        out: folder that it was written into.
        config: settings of the search, tuned ones included.
        data: the data directory.
        phones: utterance to its phones, without a lexicon, with spaces between them.
        frames: utterance to its frames of posteriors.
        hypotheses: utterance to its hypotheses, best first; empty where no words were looked for.
        spoken: utterance to its language, where that was given or recognised for each.
        seconds: that decoding took.
        phones_alone: where no words were looked for, utterance to its phones in time.
        problems: utterance to what is wrong with it, of those that could not be decoded.
    """

    out: Path
    config: DecodingConfig
    data: DataDir
    phones: dict[str, str]
    frames: dict[str, int]
    hypotheses: dict[str, list[Hypothesis]]
    spoken: dict[str, SpokenLanguage]
    seconds: float
    phones_alone: dict[str, Hypothesis] = dataclasses.field(default_factory=dict)
    problems: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> dict[str, str]:
        """Utterance to the words of the best hypothesis."""
        return {utterance: " ".join(best[0].words) for utterance, best in self.hypotheses.items()}

    @cached_property
    def score(self) -> ErrorRate | None:
        """Word errors of the utterances that were decoded; None without words or transcripts."""
        references = {name: text for name, text in self.data.text.items() if name in self.hypotheses}
        return error_rate(references, self.text) if any(references.values()) else None

    @property
    def error_rate(self) -> float | None:
        """Word error rate, 1.0 is 100 %; None without words or transcripts."""
        return None if self.score is None else self.score.rate

    @cached_property
    def calibration(self) -> Calibration | None:
        """How well the confidences say what is right; None without times, words or transcripts."""
        references = self.data.text
        known = {utterance: best[0] for utterance, best in self.hypotheses.items() if utterance in references}
        if not references or not any(best.word_spans for best in known.values()):
            return None
        correct = mark_correct(references, ((utterance, best.words) for utterance, best in known.items()))
        pairs = [
            (span.confidence, right)
            for utterance, best in known.items()
            for span, right in zip(best.word_spans, correct[utterance], strict=False)
            if span.confidence is not None
        ]
        return calibration([sure for sure, _ in pairs], [right for _, right in pairs])


def describe(calibrated: Calibration) -> str:
    """Return a calibration in one line."""
    # Where all words are right, or all are wrong, there is nothing to tell apart.
    undefined = math.isnan(calibrated.entropy)
    entropy = "not defined" if undefined else f"{calibrated.entropy:.3f}"
    return (
        f"confidence of {calibrated.words} words: mean {calibrated.mean_confidence:.3f}, "
        f"right {calibrated.accuracy:.3f}, "
        f"expected calibration error {calibrated.error:.3f}, normalised cross entropy {entropy}"
    )


def write(out: Path, found: Decoded, frame_shift: float | None) -> None:
    """Write what was found; see `decode_corpus`.

    Args:
        out: the folder.
        found: what was found.
        frame_shift: seconds from one frame of posteriors to the next, for the times; None writes none.
    """
    if found.phones:
        write_table(out / "phones", found.phones)
    if found.spoken:
        write_table(out / "utt2lang", {utterance: found.spoken[utterance].name for utterance in found.frames})
    if found.hypotheses:
        write_table(out / "text", found.text)
    hypotheses = found.hypotheses or {utterance: [one] for utterance, one in found.phones_alone.items()}
    with atomic_write(out / "log.jsonl") as file:
        for utterance in sorted(hypotheses):
            line = decoded_as_json(
                utterance,
                hypotheses[utterance],
                found.data,
                frames=found.frames[utterance],
                frame_shift=frame_shift,
                language=found.spoken.get(utterance),
            )
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    if frame_shift is not None:
        best = {name: one[0] for name, one in found.hypotheses.items()} or found.phones_alone
        known = {name: one for name, one in best.items() if name in found.data.utt2spk}
        if found.hypotheses:
            words = {name: in_seconds(one.word_spans, frame_shift) for name, one in known.items()}
            write_ctm(out / "ctm", words, found.data)
        phones = {name: in_seconds(one.phone_spans, frame_shift) for name, one in known.items()}
        write_ctm(out / "phones.ctm", phones, found.data)
    write_config(out / "decoding.toml", found.config)


def write_tuning(out: Path, tuning: Tuning) -> None:
    """Write the settings that tuning chose, and every trial."""
    write_config(out / "tuned.toml", tuning.config)
    with atomic_write(out / "tuning.jsonl") as file:
        for trial in tuning.trials:
            file.write(json.dumps({**trial.values, "wer": round(100 * trial.rate, 3)}) + "\n")


def write_config(path: Path, config: DecodingConfig) -> None:
    """Write a ``[decoding]`` table, which ``--config`` reads."""
    with atomic_write(path) as file:
        file.write(tomli_w.dumps({"decoding": config.model_dump(exclude_none=True)}))
