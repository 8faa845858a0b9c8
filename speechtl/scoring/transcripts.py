"""Read references and hypotheses from tables or data directories."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.data.tables import read_table
from speechtl.errors import DataError, list_problems
from speechtl.scoring.error_rate import ErrorRate, Unit, error_rate

if TYPE_CHECKING:
    from speechtl.lang.lexicon import Lexicon


@dataclasses.dataclass(frozen=True)
class References:
    """Reference transcripts and their speakers.

    Attributes:
        path: the file they were read from.
        text: utterance -> words.
        utt2spk: utterance -> speaker; empty if unknown.
    """

    path: Path
    text: dict[str, str]
    utt2spk: dict[str, str]


def read_references(path: str | Path, utt2spk: str | Path | None = None) -> References:
    """Read references.

    Args:
        path: a text table, or a data directory with ``text`` and ``utt2spk``.
        utt2spk: a table of speakers that replaces the directory's.

    Raises:
        DataError: a table cannot be read, or has bad lines; or an utterance has no speaker.
    """
    path = Path(path)
    if path.is_dir():
        speakers = path / "utt2spk"
        if utt2spk is None and speakers.exists():
            utt2spk = speakers
        path = path / "text"
    text = read_table(path)
    if not any(text.values()):
        raise DataError(f"{path}: no words to score against; give references with transcripts")
    by_utterance = read_table(utt2spk, value_required=True) if utt2spk is not None else {}
    lacking = sorted(text.keys() - by_utterance.keys()) if utt2spk is not None else []
    if lacking:
        heading = f"{utt2spk}: {len(lacking)} utterances of {path} have no speaker; add them:"
        raise DataError(list_problems(heading, lacking, limit=20))
    return References(path, text, {utterance: by_utterance[utterance] for utterance in text if utt2spk is not None})


def read_hypotheses(path: str | Path, unit: Unit, references: References) -> dict[str, str]:
    """Read the hypotheses of a system.

    Args:
        path: a text table, or a folder written by ``speechtl decode``, with ``text`` (for phones: ``phones``).
        unit: the unit to score.
        references: the references; every hypothesis must have one.

    Raises:
        DataError: the table cannot be read, has bad lines, or utterances that the references lack (all are listed); or
            the folder has phones alone.
    """
    path = Path(path)
    if path.is_dir():
        folder, path = path, path / ("phones" if unit == "phone" else "text")
        if path.name == "text" and not path.exists() and (folder / "phones").is_file():
            raise DataError(f"{folder}: has phones and no words; decode with --lexicon, or score with --unit phone")
    hypotheses = read_table(path)
    extra = sorted(hypotheses.keys() - references.text.keys())
    if extra and len(extra) == len(hypotheses):
        heading = (
            f"{path}: none of its {len(extra)} ids is one of {references.path}; recognise the data directory itself, "
            "whose ids they then are (speechtl transcribe MODEL DATA -o FILE), not its audio:"
        )
        raise DataError(list_problems(heading, extra, limit=20))
    if extra:
        heading = f"{path}: {len(extra)} utterances are not in {references.path}; score them against their references:"
        raise DataError(list_problems(heading, extra, limit=20))
    return hypotheses


def score(
    references: References, hypotheses: dict[str, str], unit: Unit = "word", lexicon: "Lexicon | None" = None
) -> ErrorRate:
    """Score hypotheses; with a lexicon, reference words are converted to phones by the best-matching variants.

    Raises:
        DataError: see ``error_rate``.
        LexiconError: lists every word of the references that is not in the lexicon.
    """
    text = references.text
    if lexicon is not None:
        from speechtl.scoring.pronunciation_match import reference_phones

        text = reference_phones(text, hypotheses, lexicon)
    return error_rate(text, hypotheses, unit)
