"""``speechtl score`` and ``speechtl compare``: error rates, how sure they are, and whether two systems differ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from speechtl.cli import options

if TYPE_CHECKING:
    from speechtl.scoring.error_rate import ErrorRate
    from speechtl.scoring.feature_error_rate import FeatureErrorRate

# Sounds on average of what is to be a phone: diphthongs and affricates have two, few words so few.
_WORDS = 2.0
Reference = Annotated[Path, typer.Argument(metavar="REF", help="Text table, or a data directory with one.")]
Unit = Annotated[Literal["word", "character", "phone"], typer.Option(help="What to count.")]
Speakers = Annotated[
    Path | None, typer.Option(help="Speakers of the utterances; default: REF/utt2spk if there is one.")
]
LexiconFile = Annotated[
    Path | None,
    typer.Option(help="With --unit phone: REF holds words; each counts as its best-matching pronunciation."),
]
Resample = Annotated[
    Literal["speaker", "utterance"] | None,
    typer.Option(help="What the bootstrap draws; default: speakers if two or more are known."),
]
Samples = Annotated[int, typer.Option(min=1, help="Number of bootstrap samples.")]
Confidence = Annotated[float, typer.Option(help="Confidence level of the interval.")]


def score(
    reference: Reference,
    hypothesis: Annotated[Path, typer.Argument(metavar="HYP", help="Text table, or a folder that decode wrote.")],
    unit: Unit = "word",
    utt2spk: Speakers = None,
    lexicon: LexiconFile = None,
    notation: options.Notation = "ipa",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for wer, per_utt (alignments), per_spk and ops (confusions)."),
    ] = None,
    confusions: Annotated[int, typer.Option(min=0, help="Print the most frequent errors.")] = 0,
    resample: Resample = None,
    samples: Samples = 10_000,
    confidence: Confidence = 0.95,
    seed: options.Seed = 1,
) -> None:
    """Print the error rate of a system, its confidence interval and a table of its speakers."""
    import speechtl

    result = speechtl.score(
        reference,
        hypothesis,
        unit=unit,
        utt2spk=utt2spk,
        lexicon=lexicon,
        notation=notation,
        resample=resample,
        samples=samples,
        confidence=confidence,
        seed=seed,
    )
    _warn_missing(hypothesis, result.missing)
    empty = sum(not text for text in result.references.text.values())
    if empty:
        path = result.references.path
        typer.echo(f"warning: {path}: {empty} without words; what was found there counts as insertions", err=True)
    if result.spelling_errors:
        typer.echo(
            f"warning: {result.spelling_errors} of {result.errors.total.errors} errors are differences of case or "
            "punctuation alone; write references and hypotheses alike",
            err=True,
        )
    if unit == "phone":
        _warn_unknown(result.features)
        _warn_words(result.errors, result.features)
    if result.interval is None:
        typer.echo("warning: one utterance or speaker alone has no confidence interval", err=True)
    if out is not None:
        result.write(out)
    for line in (*result.summary(), *result.table(), *result.confusions(confusions)):
        typer.echo(line)


def compare(
    reference: Reference,
    first: Annotated[Path, typer.Argument(metavar="HYP_A", help="What the first system (the baseline) found.")],
    second: Annotated[Path, typer.Argument(metavar="HYP_B", help="What the second system found.")],
    unit: Unit = "word",
    utt2spk: Speakers = None,
    lexicon: LexiconFile = None,
    notation: options.Notation = "ipa",
    resample: Resample = None,
    samples: Samples = 10_000,
    confidence: Confidence = 0.95,
    seed: options.Seed = 1,
) -> None:
    """Say whether system B is better than system A on the same test: paired bootstrap and matched pairs."""
    from speechtl.scoring.report import Scoring, compare_systems

    scoring = Scoring(unit, utt2spk, lexicon, notation, resample, samples, confidence, seed)
    result = compare_systems(reference, first, second, scoring)
    for name, path, errors in zip("AB", (first, second), (result.first, result.second), strict=True):
        _warn_missing(path, errors.missing)
        typer.echo(f"{name} {errors.kaldi_line()} {path}")
    if unit == "phone":
        _warn_unknown(*(result.features or [None]))
        _warn_words(result.first, result.features[0] if result.features else None)
    for line in result.lines(scoring):
        typer.echo(line)


def _warn_missing(path: Path, missing: list[str]) -> None:
    if missing:
        from speechtl.errors import list_problems

        heading = f"warning: {path}: no hypothesis of {len(missing)}; all their words count as deletions:"
        typer.echo(list_problems(heading, missing, limit=20), err=True)


def _warn_words(errors: "ErrorRate", features: "FeatureErrorRate | None") -> None:
    """Say that references are words, if what counts as a phone is several sounds on average."""
    if features is None or features.total.reference_length <= _WORDS * errors.total.reference_length:
        return
    typer.echo(
        "warning: the references look like words, each of which counts as one phone; give their pronunciations with "
        "--lexicon",
        err=True,
    )


def _warn_unknown(*systems: "FeatureErrorRate | None") -> None:
    """Say which phones the feature error rate does not count, or that there is none."""
    from speechtl.scoring.feature_error_rate import describe_unknown

    unknown: dict[str, int] = {}
    for features in systems:
        if features is None:
            typer.echo(
                "warning: no phone of the references is one of panphon's; without IPA, there is no PFER", err=True
            )
            return
        for phone, count in features.unknown.items():
            unknown[phone] = max(count, unknown.get(phone, 0))
    if unknown:
        typer.echo(f"warning: {describe_unknown(unknown)}", err=True)
