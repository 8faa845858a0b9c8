"""Select utterances of a data directory."""

import hashlib
from collections.abc import Collection, Iterable
from typing import Literal

from speechtl.data.datadir import DataDir
from speechtl.data.durations import durations
from speechtl.errors import DataError, list_problems

Order = Literal["random", "first", "last", "shortest"]


def subset(
    data: DataDir,
    *,
    speakers: Collection[str] | None = None,
    utterance_ids: Collection[str] | None = None,
    excluded: Collection[str] = (),
    seconds_per_speaker: float | None = None,
    utterances_per_speaker: int | None = None,
    utterances: int | None = None,
    order: Order = "random",
    seed: int = 1,
    allow_pipes: bool = False,
) -> DataDir:
    """Select utterances; several conditions are applied one after the other, in the order of the arguments.

    A random selection depends on the seed and the ids only, and selections of different sizes are nested: 20 utterances
    include the 10 of the same seed, and 60 seconds the 30. A learning curve over such subsets is therefore consistent.

    Args:
        data: the directory to select from; not modified.
        speakers: keep these speakers.
        utterance_ids: keep these utterances.
        excluded: leave these utterances out.
        seconds_per_speaker: select utterances of each speaker until their total duration reaches this value. Speakers
            with less speech are kept completely.
        utterances_per_speaker: number of utterances of each speaker; all if there are fewer.
        utterances: total number of utterances.
        order: which utterances are preferred: random, first or last by id, or shortest.
        seed: of the random order.
        allow_pipes: whether commands in ``wav.scp`` may be run to measure durations.

    Returns:
        A directory of the selected utterances.

    Raises:
        DataError: unknown speakers or utterances (all are listed), a number that is not positive or exceeds
            the number available, or an empty selection.
    """
    _check(data, speakers, seconds_per_speaker, utterances_per_speaker, utterances)
    chosen = data if utterance_ids is None else data.select(utterance_ids)
    # An id that nobody has is a mistake here as it is among those to keep.
    out = set(data.select(excluded).utterance_ids) if excluded else set()
    ids: list[str] = [utterance for utterance in chosen.utterance_ids if utterance not in out]
    if speakers is not None:
        wanted = set(speakers)
        ids = [utterance for utterance in ids if data.utt2spk[utterance] in wanted]
    measured = order == "shortest" or seconds_per_speaker is not None
    seconds = durations(data, ids, allow_pipes=allow_pipes) if measured else {}
    if seconds_per_speaker is not None or utterances_per_speaker is not None:
        ids = [
            utterance
            for own in data.select(ids).spk2utt.values()
            for utterance in _of_one(_arrange(own, order, seed, seconds), seconds, seconds_per_speaker)[
                :utterances_per_speaker
            ]
        ]
    if utterances is not None:
        if utterances > len(ids):
            advice = "ask for fewer"
            raise DataError(f"{data.path}: {utterances} utterances requested, {len(ids)} meet the conditions; {advice}")
        ids = _arrange(ids, order, seed, seconds)[:utterances]
    if not ids:
        raise DataError(f"{data.path}: no utterance meets all conditions; loosen one")
    return data.select(ids)


def seeded(ids: Iterable[str], seed: int) -> list[str]:
    """Shuffle ids reproducibly: the order depends only on the seed and the ids, on every machine."""
    return sorted(ids, key=lambda id_: (hashlib.blake2b(f"{seed} {id_}".encode(), digest_size=16).digest(), id_))


def _arrange(ids: Iterable[str], order: Order, seed: int, seconds: dict[str, float]) -> list[str]:
    if order == "random":
        return seeded(ids, seed)
    if order == "shortest":
        return sorted(ids, key=lambda id_: (seconds[id_], id_))
    return sorted(ids, reverse=order == "last")


def _of_one(ids: list[str], seconds: dict[str, float], wanted: float | None) -> list[str]:
    """Truncate the list after the utterance with which it reaches ``wanted`` seconds."""
    if wanted is None:
        return ids
    total = 0.0
    for number, utterance in enumerate(ids):
        if total >= wanted:
            return ids[:number]
        total += seconds[utterance]
    return ids


def _check(
    data: DataDir,
    speakers: Collection[str] | None,
    seconds_per_speaker: float | None,
    utterances_per_speaker: int | None,
    utterances: int | None,
) -> None:
    for name, number in (
        ("seconds per speaker", seconds_per_speaker),
        ("utterances per speaker", utterances_per_speaker),
        ("utterances", utterances),
    ):
        if number is not None and not number > 0:
            raise DataError(f"{data.path}: {name} must be more than 0 (got {number})")
    unknown = sorted(set(speakers or ()) - set(data.utt2spk.values()))
    if unknown:
        problems = [f"no speaker '{speaker}'" for speaker in unknown]
        raise DataError(list_problems(f"{data.path}: {len(unknown)} unknown speakers; see its spk2utt", problems))
