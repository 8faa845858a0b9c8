"""``speechtl score`` and ``speechtl compare``: error rates, how sure they are, and whether two systems differ."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from speechtl.lang.lexicon import Lexicon

Reference = Annotated[Path, typer.Argument(metavar="REF", help="Text table, or a data directory with one.")]
Unit = Annotated[Literal["word", "character", "phone"], typer.Option(help="What to count.")]
Speakers = Annotated[
    Path | None, typer.Option(help="Speakers of the utterances; default: REF/utt2spk if there is one.")
]
LexiconFile = Annotated[
    Path | None,
    typer.Option(help="With --unit phone: REF holds words; each counts as its best-matching pronunciation."),
]
Notation = Annotated[Literal["ipa", "arpabet", "xsampa"], typer.Option(help="How the lexicon writes phones.")]
Resample = Annotated[
    Literal["speaker", "utterance"] | None,
    typer.Option(help="What the bootstrap draws; default: speakers if two or more are known."),
]
Samples = Annotated[int, typer.Option(min=1, help="Number of bootstrap samples.")]
Confidence = Annotated[float, typer.Option(help="Probability mass of the interval.")]
Seed = Annotated[int, typer.Option(help="Seed of the bootstrap.")]


def score(
    reference: Reference,
    hypothesis: Annotated[Path, typer.Argument(metavar="HYP", help="Text table, or a folder that decode wrote.")],
    unit: Unit = "word",
    utt2spk: Speakers = None,
    lexicon: LexiconFile = None,
    notation: Notation = "ipa",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for wer, per_utt (alignments), per_spk and ops (confusions).")
    ] = None,
    confusions: Annotated[int, typer.Option(min=0, help="Print the most frequent errors.")] = 0,
    resample: Resample = None,
    samples: Samples = 10_000,
    confidence: Confidence = 0.95,
    seed: Seed = 0,
) -> None:
    """Print the error rate of a system, its confidence interval and a table of its speakers."""
    from speechtl.scoring.score_files import confusion_lines, speaker_table, summary_lines, write_scores
    from speechtl.scoring.significance import bootstrap_interval
    from speechtl.scoring.transcripts import read_hypotheses, read_references
    from speechtl.scoring.transcripts import score as score_transcripts

    references = read_references(reference, utt2spk)
    pronunciations = _load_lexicon(lexicon, notation, unit)
    hypotheses = read_hypotheses(hypothesis, unit, references)
    result = score_transcripts(references, hypotheses, unit, pronunciations)
    _warn_missing(hypothesis, result.missing)
    empty = sum(not text for text in references.text.values())
    if empty:
        typer.echo(
            f"warning: {references.path}: {empty} without words; what was found there counts as insertions",
            err=True,
        )
    lines = summary_lines(result)
    groups = _groups(resample, references.utt2spk)
    drawn = len(set(groups.values())) if groups else len(references.text)
    if drawn > 1:
        interval = bootstrap_interval(result, groups, samples=samples, confidence=confidence, seed=seed)
        lines.append(
            f"{100 * confidence:g} % confidence interval {100 * interval.low:.2f} to {100 * interval.high:.2f} "
            f"(bootstrap over {interval.groups} {interval.by}s, {samples} samples)"
        )
    else:
        typer.echo("warning: one utterance or speaker alone has no confidence interval", err=True)
    if out is not None:
        write_scores(out, result, lines, references.utt2spk)
    table = speaker_table(result, references.utt2spk) if references.utt2spk else []
    for line in (*lines, *table, *confusion_lines(result, confusions)):
        typer.echo(line)


def compare(
    reference: Reference,
    first: Annotated[Path, typer.Argument(metavar="HYP_A", help="What the first system (the baseline) found.")],
    second: Annotated[Path, typer.Argument(metavar="HYP_B", help="What the second system found.")],
    unit: Unit = "word",
    utt2spk: Speakers = None,
    lexicon: LexiconFile = None,
    notation: Notation = "ipa",
    resample: Resample = None,
    samples: Samples = 10_000,
    confidence: Confidence = 0.95,
    seed: Seed = 0,
) -> None:
    """Say whether system B is better than system A on the same test: paired bootstrap and matched pairs."""
    from speechtl.scoring import significance
    from speechtl.scoring.transcripts import read_hypotheses, read_references
    from speechtl.scoring.transcripts import score as score_transcripts

    references = read_references(reference, utt2spk)
    pronunciations = _load_lexicon(lexicon, notation, unit)
    scores = []
    for path in (first, second):
        hypotheses = read_hypotheses(path, unit, references)
        scores.append(score_transcripts(references, hypotheses, unit, pronunciations))
        _warn_missing(path, scores[-1].missing)
    groups = _groups(resample, references.utt2spk)
    result = significance.compare(scores[0], scores[1], groups, samples=samples, confidence=confidence, seed=seed)
    for name, path, rate in zip("AB", (first, second), scores):
        typer.echo(f"{name} {rate.kaldi_line()} {path}")
    interval = result.interval
    relative = f", {100 * result.difference / scores[0].rate:+.1f} % relative" if scores[0].rate else ""
    typer.echo(f"B - A: {100 * result.difference:+.2f} points{relative}")
    typer.echo(
        f"{100 * confidence:g} % confidence interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f} points "
        f"(paired bootstrap over {interval.groups} {interval.by}s, {samples} samples)"
    )
    typer.echo(f"probability that B is better: {result.probability_of_improvement:.3f}")
    pairs = result.matched_pairs
    if pairs is None:
        typer.echo("matched pairs: not for phones by best-matching pronunciation, whose references differ")
    elif pairs.segments < 2:
        typer.echo(f"matched pairs: too few segments with errors ({pairs.segments})")
    else:
        few = "; few segments, take it with care" if pairs.segments < 50 else ""
        typer.echo(f"matched pairs (MAPSSWE): z {pairs.z:+.2f}, p {pairs.p:.4f} ({pairs.segments} segments{few})")


def _load_lexicon(path: Path | None, notation: Literal["ipa", "arpabet", "xsampa"], unit: str) -> "Lexicon | None":
    from speechtl.errors import ConfigError
    from speechtl.lang.lexicon import Lexicon

    if path is None:
        return None
    if unit != "phone":
        raise ConfigError(f"--lexicon turns words into phones; use it with --unit phone (got --unit {unit})")
    return Lexicon.load(path, notation)


def _groups(resample: str | None, utt2spk: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the speakers to draw, or None to draw utterances."""
    from speechtl.errors import DataError

    speakers = len(set(utt2spk.values()))
    if resample == "speaker" and speakers < 2:
        raise DataError(f"--resample speaker needs at least 2 speakers (got {speakers}); give --utt2spk")
    return utt2spk if resample == "speaker" or (resample is None and speakers >= 2) else None


def _warn_missing(path: Path, missing: list[str]) -> None:
    if missing:
        from speechtl.errors import list_problems

        heading = f"warning: {path}: no hypothesis of {len(missing)}; all their words count as deletions:"
        typer.echo(list_problems(heading, missing, limit=20), err=True)
