"""Score a test from its files: error rate, confidence interval, tables."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from speechtl.errors import ConfigError, DataError
from speechtl.lang.lexicon import Lexicon, Notation
from speechtl.scoring.error_rate import Counts, ErrorRate, Scored, Unit, spelling_errors
from speechtl.scoring.feature_error_rate import FeatureErrorRate, feature_error_rate
from speechtl.scoring.score_files import confusion_lines, speaker_table, summary_lines, write_scores
from speechtl.scoring.significance import (
    ConfidenceInterval,
    PairedComparison,
    bootstrap_interval,
    compare,
    paired_bootstrap,
)
from speechtl.scoring.transcripts import References, read_hypotheses, read_references
from speechtl.scoring.transcripts import score as score_transcripts


@dataclasses.dataclass(frozen=True)
class Scoring:
    """How tests are scored.

    Attributes:
        unit: what is counted.
        utt2spk: a table of the speakers of the utterances; None for that of the reference's data directory.
        lexicon: with ``unit = "phone"``, references are words, each of which counts as its best-matching pronunciation.
        notation: how the lexicon writes phones.
        resample: what the bootstrap draws; None for speakers if two or more are known, else utterances.
        samples: of the bootstrap.
        confidence: level of the interval.
        seed: of the bootstrap.
    """

    unit: Unit = "word"
    utt2spk: Path | None = None
    lexicon: Path | None = None
    notation: Notation = "ipa"
    resample: Literal["speaker", "utterance"] | None = None
    samples: int = 10_000
    confidence: float = 0.95
    seed: int = 1

    def pronunciations(self) -> Lexicon | None:
        """Read the lexicon.

        Raises:
            ConfigError: there is one, and something else than phones is counted.
            LexiconError: the file is wrong.
        """
        if self.lexicon is None:
            return None
        if self.unit != "phone":
            raise ConfigError(f"--lexicon turns words into phones; use it with --unit phone (got --unit {self.unit})")
        return Lexicon.load(self.lexicon, self.notation)

    def groups(self, utt2spk: Mapping[str, str]) -> Mapping[str, str] | None:
        """Return the speakers to draw, or None to draw utterances.

        Raises:
            DataError: speakers are to be drawn, and there are not two.
        """
        speakers = len(set(utt2spk.values()))
        if self.resample == "speaker" and speakers < 2:
            raise DataError(f"--resample speaker needs at least 2 speakers (got {speakers}); give --utt2spk")
        return utt2spk if self.resample == "speaker" or (self.resample is None and speakers >= 2) else None

    def interval(self, errors: Scored[Counts], utt2spk: Mapping[str, str]) -> ConfidenceInterval | None:
        """Return the interval of an error rate; None where there is one utterance or speaker alone.

        Raises:
            DataError: speakers are to be drawn, and there are not two.
        """
        groups = self.groups(utt2spk)
        if len(set(groups.values()) if groups else errors.per_utterance) < 2:
            return None
        return bootstrap_interval(errors, groups, samples=self.samples, confidence=self.confidence, seed=self.seed)

    def describe(self, interval: ConfidenceInterval) -> str:
        """Write an interval in percent."""
        return (
            f"{100 * self.confidence:g} % confidence interval {100 * interval.low:.2f} to {100 * interval.high:.2f} "
            f"(bootstrap over {interval.groups} {interval.by}s, {self.samples} samples)"
        )


@dataclasses.dataclass(frozen=True)
class Score:
    """The score of one system on a test.

    Attributes:
        references: the test.
        errors: counts and alignments.
        interval: of the error rate; None where one utterance or speaker alone has none.
        scoring: how it was scored.
        features: phone feature errors; None for words, characters and phones of which panphon knows none.
        feature_interval: of their rate.
    """

    references: References
    errors: ErrorRate
    interval: ConfidenceInterval | None
    scoring: Scoring
    features: FeatureErrorRate | None = None
    feature_interval: ConfidenceInterval | None = None

    @property
    def error_rate(self) -> float:
        """Errors per unit of the reference, 1.0 is 100 %."""
        return self.errors.rate

    @property
    def spelling_errors(self) -> int:
        """Errors that are differences of case and punctuation alone; 0 for phones, which have neither."""
        return 0 if self.errors.unit == "phone" else spelling_errors(self.errors)

    @property
    def missing(self) -> list[str]:
        """Utterances without a hypothesis; all their words are deletions."""
        return self.errors.missing

    def summary(self) -> list[str]:
        """Return Kaldi's lines, and the confidence interval; of phones also the feature error rate with its own."""
        lines = summary_lines(self.errors)
        if self.interval is not None:
            lines.append(self.scoring.describe(self.interval))
        if self.features is not None:
            lines.append(self.features.kaldi_line())
        if self.feature_interval is not None:
            lines.append(self.scoring.describe(self.feature_interval))
        return lines

    def table(self) -> list[str]:
        """Return one row for each speaker, and their sum; nothing where speakers are unknown."""
        utt2spk = self.references.utt2spk
        return speaker_table(self.errors, utt2spk, self.features) if utt2spk else []

    def confusions(self, limit: int) -> list[str]:
        """Return the most frequent errors."""
        return confusion_lines(self.errors, limit)

    def write(self, folder: Path) -> None:
        """Write ``wer``, ``per_utt`` (alignments), ``per_spk`` and ``ops`` (confusions).

        Raises:
            DataError: a file cannot be written.
        """
        write_scores(folder, self.errors, self.summary(), self.references.utt2spk, self.features)


@dataclasses.dataclass(frozen=True)
class SystemComparison:
    """Two systems on one test.

    Attributes:
        first: errors of the baseline.
        second: errors of the other system.
        paired: the difference, and how sure it is.
        features: phone feature errors of both; None for words, characters and phones of which panphon knows none.
        paired_features: their difference.
    """

    first: ErrorRate
    second: ErrorRate
    paired: PairedComparison
    features: tuple[FeatureErrorRate, FeatureErrorRate] | None = None
    paired_features: PairedComparison | None = None

    def lines(self, scoring: Scoring) -> list[str]:
        """Return the difference, its confidence interval and the test of matched pairs; then those of phone features.

        The test counts whole errors, so there is none of phone features.
        """
        lines = _difference("B - A", self.first.rate, self.paired, scoring)
        pairs = self.paired.matched_pairs
        if pairs is None:
            lines.append("matched pairs: not for phones by best-matching pronunciation, whose references differ")
        elif pairs.segments < 2:
            lines.append(f"matched pairs: too few segments with errors ({pairs.segments})")
        else:
            few = "; few segments, take it with care" if pairs.segments < 50 else ""
            lines.append(f"matched pairs (MAPSSWE): z {pairs.z:+.2f}, p {pairs.p:.4f} ({pairs.segments} segments{few})")
        if self.features is not None and self.paired_features is not None:
            lines += [f"{name} {errors.kaldi_line()}" for name, errors in zip("AB", self.features, strict=True)]
            lines += _difference("PFER, B - A", self.features[0].rate, self.paired_features, scoring)
        return lines


def score(reference: Path, hypothesis: Path, scoring: Scoring | None = None) -> Score:
    """Score what a system found.

    Args:
        reference: a text table, or a data directory with one.
        hypothesis: a text table, or a folder that ``speechtl decode`` wrote.
        scoring: how.

    Raises:
        SpeechtlError: a file is missing or wrong, or the hypotheses are of another test.
    """
    scoring = scoring or Scoring()
    references = read_references(reference, scoring.utt2spk)
    pronunciations = scoring.pronunciations()
    hypotheses = read_hypotheses(hypothesis, scoring.unit, references)
    errors = score_transcripts(references, hypotheses, scoring.unit, pronunciations)
    interval = scoring.interval(errors, references.utt2spk)
    features = _feature_errors(errors)
    feature_interval = None if features is None else scoring.interval(features, references.utt2spk)
    return Score(references, errors, interval, scoring, features, feature_interval)


def compare_systems(reference: Path, first: Path, second: Path, scoring: Scoring | None = None) -> SystemComparison:
    """Score two systems on one test, and test the difference: paired bootstrap and matched pairs.

    Args:
        reference: as in `score`.
        first: what the baseline found.
        second: what the other system found.
        scoring: how.

    Raises:
        SpeechtlError: as in `score`.
    """
    scoring = scoring or Scoring()
    references = read_references(reference, scoring.utt2spk)
    pronunciations = scoring.pronunciations()
    baseline, other = (
        score_transcripts(references, read_hypotheses(path, scoring.unit, references), scoring.unit, pronunciations)
        for path in (first, second)
    )
    groups = scoring.groups(references.utt2spk)
    samples, confidence, seed = scoring.samples, scoring.confidence, scoring.seed
    paired = compare(baseline, other, groups, samples=samples, confidence=confidence, seed=seed)
    one, two = _feature_errors(baseline), _feature_errors(other)
    if one is None or two is None:
        return SystemComparison(baseline, other, paired)
    paired_features = paired_bootstrap(one, two, groups, samples=samples, confidence=confidence, seed=seed)
    return SystemComparison(baseline, other, paired, (one, two), paired_features)


def _feature_errors(errors: ErrorRate) -> FeatureErrorRate | None:
    """Return the feature errors of phones, against the references that the errors were counted against."""
    if errors.unit != "phone":
        return None
    references = {name: _phones(pair.reference for pair in pairs) for name, pairs in errors.alignments.items()}
    hypotheses = {name: _phones(pair.hypothesis for pair in pairs) for name, pairs in errors.alignments.items()}
    features = feature_error_rate(references, hypotheses)
    return features if features.total.reference_length else None


def _phones(side: Iterable[str | None]) -> list[str]:
    return [phone for phone in side if phone is not None]


def _difference(what: str, first: float, paired: PairedComparison, scoring: Scoring) -> list[str]:
    interval = paired.interval
    relative = f", {100 * paired.difference / first:+.1f} % relative" if first else ""
    return [
        f"{what}: {100 * paired.difference:+.2f} points{relative}",
        f"{100 * scoring.confidence:g} % confidence interval {100 * interval.low:+.2f} to "
        f"{100 * interval.high:+.2f} points "
        f"(paired bootstrap over {interval.groups} {interval.by}s, {scoring.samples} samples)",
        f"probability that B is better: {paired.probability_of_improvement:.3f}",
    ]
