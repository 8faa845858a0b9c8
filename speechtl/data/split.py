"""Split a data directory into a training and a held-out part."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from speechtl.data.datadir import DataDir, require_vacant
from speechtl.data.subset import seeded
from speechtl.errors import DataError


def split(
    data: DataDir,
    *,
    by: Literal["speaker", "utterance"] = "speaker",
    fraction: float | None = None,
    speakers: int | None = None,
    seed: int = 1,
) -> tuple[DataDir, DataDir]:
    """Hold out some speakers, or some utterances of every speaker.

    Perturbed copies (``utt2uniq``) stay in the same part as their originals: the copies of a speaker count as that
    speaker, the copies of an utterance as that utterance.

    Args:
        data: the directory to split; not modified.
        by: ``"speaker"``: no speaker is in both parts. ``"utterance"``: a fraction of the utterances of every speaker
            with at least two is held out, at least one and not all of them.
        fraction: fraction of the speakers, or of each speaker's utterances, to hold out (rounded); above 0 and below 1.
        speakers: number of speakers to hold out, instead of a fraction.
        seed: of the random choice.

    Returns:
        The remaining and the held-out part; together they contain all utterances, and neither is empty.

    Raises:
        DataError: the conditions are inconsistent or leave one part empty.
    """
    if (fraction is None) == (speakers is None):
        raise DataError("give either the fraction or the number of speakers to hold out")
    if speakers is not None and by == "utterance":
        raise DataError("a number of speakers is held out by speaker; give a fraction to hold out by utterance")
    if fraction is not None and not 0 < fraction < 1:
        raise DataError(f"the fraction to hold out must lie between 0 and 1 (got {fraction:g})")
    people = _people(data)
    if by == "speaker":
        number = speakers if speakers is not None else max(1, _rounded(fraction, len(people)))
        if not 0 < number < len(people):
            raise DataError(f"{data.path}: cannot hold out {number} of {len(people)} speakers; both parts need one")
        held_out = {utterance for person in seeded(people, seed)[:number] for utterance in people[person]}
    else:
        held_out = set()
        for utterances in people.values():
            copies: dict[str, list[str]] = {}
            for utterance in utterances:
                copies.setdefault(data.utt2uniq.get(utterance, utterance), []).append(utterance)
            number = min(max(1, _rounded(fraction, len(copies))), len(copies) - 1)
            held_out.update(utterance for unique in seeded(copies, seed)[:number] for utterance in copies[unique])
        if not held_out:
            raise DataError(f"{data.path}: no speaker has two utterances; hold out by speaker")
    return data.select(data.utt2spk.keys() - held_out), data.select(held_out)


def save_parts(source: Path, parts: Sequence[DataDir], places: Sequence[Path], *, overwrite: bool = False) -> None:
    """Save what `split` returned.

    Args:
        source: what was split; never overwritten.
        parts: the directories.
        places: where to, as many.
        overwrite: whether tables of existing directories may be replaced.

    Raises:
        DataError: another directory is there, or something cannot be written.
    """
    # One of the two is there already if the command was killed between them.
    missing = [place for part, place in zip(parts, places) if not part.is_at(place)]
    require_vacant(
        *missing, overwrite=overwrite, sources=[source, *(place for place in places if place not in missing)]
    )
    for part, place in zip(parts, places):
        if place in missing:
            part.save(place)


def _rounded(fraction: float | None, whole: int) -> int:
    return math.floor((fraction or 0.0) * whole + 0.5)


def _people(data: DataDir) -> dict[str, list[str]]:
    """Merge speakers who share an original utterance; first of their names -> all their utterances, sorted."""
    leader = {speaker: speaker for speaker in data.spk2utt}

    def find(speaker: str) -> str:
        while leader[speaker] != speaker:
            leader[speaker] = speaker = leader[leader[speaker]]
        return speaker

    owner: dict[str, str] = {}
    for utterance in data.utterance_ids:
        unique = data.utt2uniq.get(utterance, utterance)
        one, other = find(data.utt2spk[utterance]), find(owner.setdefault(unique, data.utt2spk[utterance]))
        leader[max(one, other)] = min(one, other)
    people: dict[str, list[str]] = {}
    for utterance in data.utterance_ids:
        people.setdefault(find(data.utt2spk[utterance]), []).append(utterance)
    return people
