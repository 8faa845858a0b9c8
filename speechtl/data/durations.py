"""Durations of utterances."""

from collections.abc import Iterable

from speechtl.audio.header import read_headers
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems


def durations(
    data: DataDir, utterance_ids: Iterable[str] | None = None, *, allow_pipes: bool = False
) -> dict[str, float]:
    """Return the durations of utterances, after any change of speed.

    Uses ``utt2dur``, ``segments`` and ``reco2dur`` in this order, and opens the recordings of the remaining utterances.

    Args:
        data: the directory.
        utterance_ids: those to measure; all by default.
        allow_pipes: whether commands in ``wav.scp`` may be run.

    Returns:
        utterance -> seconds.

    Raises:
        DataError: recordings that cannot be read; all are listed.
    """
    seconds, faults = measure(data, utterance_ids, allow_pipes=allow_pipes)
    if faults:
        # Several utterances may be of one recording.
        problems = {f"recording '{data.recording_of(id_)}': {fault}": None for id_, fault in faults.items()}
        raise DataError(list_problems(f"{data.path}: {len(problems)} recordings cannot be measured", problems))
    return seconds


def measure(
    data: DataDir, utterance_ids: Iterable[str] | None = None, *, allow_pipes: bool = False
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the durations of utterances, and of those whose recordings cannot be read, the reason; see `durations`."""
    ids = data.utterance_ids if utterance_ids is None else list(utterance_ids)
    unmeasured = sorted({data.recording_of(id_) for id_ in ids if not _known(data, id_)} - data.reco2dur.keys())
    headers, faults = read_headers([(key, data.wav_scp.get(key, "")) for key in unmeasured], allow_pipes=allow_pipes)
    lengths = {**{key: header.seconds for key, header in headers.items()}, **data.reco2dur}
    broken = {id_: faults[data.recording_of(id_)] for id_ in ids if data.recording_of(id_) in faults}
    return {id_: _seconds(data, id_, lengths) for id_ in ids if id_ not in broken}, broken


def _known(data: DataDir, utterance: str) -> bool:
    return utterance in data.utt2dur or (bool(data.segments) and data.segments[utterance].end != -1)


def _seconds(data: DataDir, utterance: str, lengths: dict[str, float]) -> float:
    if utterance in data.utt2dur:
        return data.utt2dur[utterance]
    recording = data.recording_of(utterance)
    segment = data.segments.get(utterance)
    start = segment.start if segment else 0.0
    end = segment.end if segment and segment.end != -1 else lengths[recording]
    return (end - start) / data.reco2speed.get(recording, 1.0)


def short_speakers(data: DataDir, seconds: float, *, allow_pipes: bool = False) -> dict[str, float]:
    """Return the speakers with less speech than ``seconds``, and how much they have."""
    lengths = durations(data, allow_pipes=allow_pipes)
    totals = {speaker: sum(lengths[id_] for id_ in ids) for speaker, ids in data.spk2utt.items()}
    return {speaker: total for speaker, total in totals.items() if total < seconds}
