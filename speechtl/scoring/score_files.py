"""Write scores as text, in the layout of Kaldi's ``wer_details``, with columns aligned in any script."""

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from speechtl.files import atomic_write
from speechtl.scoring.error_rate import ErrorCounts, ErrorRate, group_by_speaker, per_speaker
from speechtl.scoring.feature_error_rate import FeatureErrorRate, FeatureErrors

# Placeholder for the missing side of an insertion or deletion.
NOTHING = "***"
_OPERATION_NAMES = {"C": "correct", "S": "substitution", "D": "deletion", "I": "insertion"}


def write_scores(
    folder: str | Path,
    score: ErrorRate,
    summary: Iterable[str],
    utt2spk: Mapping[str, str],
    features: FeatureErrorRate | None = None,
) -> None:
    """Write a score into a folder.

    ``wer`` has the summary, ``per_utt`` the alignments, ``ops`` the counts of each operation on each word pair,
    ``per_spk`` a row for each speaker (if speakers are known). Each file is written atomically.

    Args:
        folder: created if missing.
        score: the score.
        summary: the lines of ``wer``.
        utt2spk: utterance -> speaker, or empty.
        features: phone feature errors, for a column of the speakers.

    Raises:
        DataError: a file cannot be written.
    """
    folder = Path(folder)
    _write(folder / "wer", summary)
    _write(folder / "per_utt", alignment_lines(score))
    _write(folder / "ops", operation_lines(score))
    if utt2spk:
        _write(folder / "per_spk", speaker_table(score, utt2spk, features))


def summary_lines(score: ErrorRate) -> list[str]:
    """Return the three summary lines of Kaldi's ``compute-wer``."""
    scored = f"Scored {score.total.sentences} sentences, {len(score.missing)} not present in hyp."
    return [score.kaldi_line(), score.kaldi_sentence_line(), scored]


def alignment_lines(score: ErrorRate) -> Iterable[str]:
    """Yield four rows for each utterance: ``ref``, ``hyp``, ``op`` and ``#csid``, as in Kaldi's ``per_utt``."""
    for utterance, pairs in score.alignments.items():
        columns = [(_visible(pair.reference), _visible(pair.hypothesis), pair.operation) for pair in pairs]
        widths = [max(map(_width, column)) for column in columns]
        for row, name in enumerate(("ref", "hyp", "op")):
            cells = [_center(column[row], width) for column, width in zip(columns, widths)]
            yield f"{utterance} {name:<4} {'  '.join(cells)}".rstrip()
        counts = score.per_utterance[utterance]
        correct = counts.reference_length - counts.substitutions - counts.deletions
        yield f"{utterance} #csid {correct} {counts.substitutions} {counts.insertions} {counts.deletions}"


def operation_lines(score: ErrorRate) -> list[str]:
    """Return the counts of aligned pairs, ``operation reference hypothesis count``, most frequent first."""
    pairs = Counter(itertools.chain.from_iterable(score.alignments.values()))
    order = sorted(pairs.items(), key=lambda item: (item[0].operation == "C", -item[1], str(item[0])))
    rows = [
        (_OPERATION_NAMES[pair.operation], _visible(pair.reference), _visible(pair.hypothesis), str(count))
        for pair, count in order
    ]
    return _table(rows, right_from=3)


def confusion_lines(score: ErrorRate, limit: int) -> list[str]:
    """Return the most frequent errors."""
    frequent = operation_lines(score)[:limit]
    return [line for line in frequent if not line.startswith("correct ")]


def speaker_table(score: ErrorRate, utt2spk: Mapping[str, str], features: FeatureErrorRate | None = None) -> list[str]:
    """Return a row for each speaker, and their sum; with phone feature errors, their rate is the last column.

    Raises:
        DataError: ``utt2spk`` lacks scored utterances.
    """
    heading = ("speaker", "sentences", f"{score.unit}s", "sub", "del", "ins", "errors", "rate %", "wrong sentences %")
    rows = [_speaker_row(speaker, counts) for speaker, counts in per_speaker(score, utt2spk).items()]
    rows = [heading, *rows, _speaker_row("SUM", score.total)]
    if features is not None:
        groups = group_by_speaker(features, utt2spk).values()
        by_speaker = [sum((features.per_utterance[name] for name in group), FeatureErrors()) for group in groups]
        rates = [f"{100 * errors.rate:.2f}" for errors in (*by_speaker, features.total)]
        rows = [(*row, cell) for row, cell in zip(rows, ["PFER %", *rates], strict=True)]
    return _table(rows, right_from=1)


def _speaker_row(name: str, counts: ErrorCounts) -> tuple[str, ...]:
    numbers = (
        counts.sentences,
        counts.reference_length,
        counts.substitutions,
        counts.deletions,
        counts.insertions,
        counts.errors,
    )
    return (name, *map(str, numbers), f"{100 * counts.rate:.2f}", f"{100 * counts.sentence_rate:.2f}")


def _table(rows: Sequence[Sequence[str]], right_from: int) -> list[str]:
    """Align columns, those from ``right_from`` on to the right."""
    widths = [max(map(_width, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        blanks = [" " * (width - _width(cell)) for cell, width in zip(row, widths)]
        cells = [cell + pad if place < right_from else pad + cell for place, (cell, pad) in enumerate(zip(row, blanks))]
        lines.append("  ".join(cells).rstrip())
    return lines


def _visible(word: str | None) -> str:
    if word is None:
        return NOTHING
    # Spaces between words are scored as characters; a bare space could not be read back.
    return "<space>" if word == " " else word


def _center(text: str, width: int) -> str:
    spare = width - _width(text)
    return " " * (spare // 2) + text + " " * (spare - spare // 2)


def _width(text: str) -> int:
    """Return the width of a text on a terminal: two columns for wide characters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _write(path: Path, lines: Iterable[str]) -> None:
    with atomic_write(path) as file:
        file.writelines(f"{line}\n" for line in lines)
