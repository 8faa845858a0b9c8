"""Choose some of the utterances of a data directory."""

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
    seconds_per_speaker: float | None = None,
    utterances_per_speaker: int | None = None,
    utterances: int | None = None,
    order: Order = "random",
    seed: int = 1,
    allow_pipes: bool = False,
) -> DataDir:
    """Choose utterances; several conditions are applied one after the other, in the order of the arguments.

    A random choice depends on the seed and the ids alone, and grows with the number: 20 utterances hold the 10 of the
    same seed, and 60 seconds the 30. So a learning curve over growing subsets compares like with like.

    Args:
        data: where to choose from; left as it is.
        speakers: keep these speakers.
        utterance_ids: keep these utterances.
        seconds_per_speaker: take utterances of each speaker until they last at least this long: the last one taken
            is the one that reaches it. A speaker with less speech than that is kept whole.
        utterances_per_speaker: take so many of each speaker, or all that there are.
        utterances: take so many in all.
        order: which come first where a number is asked for: by the seed, by id from either end, or by duration.
        seed: of the random order.
        allow_pipes: whether commands in ``wav.scp`` may be run to measure durations.

    Returns:
        The chosen utterances in tables that agree with each other.

    Raises:
        DataError: speakers or utterances that are not there (all listed), a number that is not positive or larger than
            what there is, or nothing left.
    """
    _check(data, speakers, seconds_per_speaker, utterances_per_speaker, utterances)
    chosen = data if utterance_ids is None else data.select(utterance_ids)
    ids: list[str] = chosen.utterance_ids
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
            raise DataError(f"{data.path}: {utterances} utterances asked for, {len(ids)} meet the conditions; {advice}")
        ids = _arrange(ids, order, seed, seconds)[:utterances]
    if not ids:
        raise DataError(f"{data.path}: no utterance meets all conditions; loosen one")
    return data.select(ids)


def seeded(ids: Iterable[str], seed: int) -> list[str]:
    """Put ids into an order that looks random and depends on the seed and each id alone, on every machine."""
    return sorted(ids, key=lambda id_: (hashlib.blake2b(f"{seed} {id_}".encode(), digest_size=16).digest(), id_))


def _arrange(ids: Iterable[str], order: Order, seed: int, seconds: dict[str, float]) -> list[str]:
    if order == "random":
        return seeded(ids, seed)
    if order == "shortest":
        return sorted(ids, key=lambda id_: (seconds[id_], id_))
    return sorted(ids, reverse=order == "last")


def _of_one(ids: list[str], seconds: dict[str, float], wanted: float | None) -> list[str]:
    """Cut the list after the utterance that makes it ``wanted`` seconds long."""
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
