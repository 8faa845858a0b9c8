"""``speechtl.score``: hypotheses against references."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from speechtl.api.paths import StrPath, optional_path

if TYPE_CHECKING:
    from speechtl.lang.lexicon import Notation
    from speechtl.scoring.report import Score


def score(
    reference: StrPath,
    hypothesis: StrPath,
    *,
    unit: Literal["word", "character", "phone"] = "word",
    utt2spk: StrPath | None = None,
    lexicon: StrPath | None = None,
    notation: "Notation" = "ipa",
    resample: Literal["speaker", "utterance"] | None = None,
    samples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 1,
) -> "Score":
    """Score what a system found against references, with a bootstrap confidence interval.

    Args:
        reference: a text table, or a data directory with one.
        hypothesis: a text table, or a folder that `decode` wrote.
        unit: what is counted.
        utt2spk: speakers of the utterances; by default those of the data directory.
        lexicon: with ``unit="phone"``, references are words, each of which counts as its best-matching pronunciation.
        notation: how the lexicon writes phones.
        resample: what the bootstrap draws; by default speakers if two or more are known, else utterances.
        samples: of the bootstrap.
        confidence: level of the interval.
        seed: of the bootstrap.

    Raises:
        SpeechtlError: a file is missing or wrong, or the hypotheses are of another test.
    """
    from speechtl.scoring.report import Scoring
    from speechtl.scoring.report import score as run

    scoring = Scoring(
        unit, optional_path(utt2spk), optional_path(lexicon), notation, resample, samples, confidence, seed
    )
    return run(Path(reference), Path(hypothesis), scoring)
