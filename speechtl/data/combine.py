"""Combine several data directories into one."""

from collections.abc import Sequence
from typing import Any

from speechtl.data.datadir import DataDir, Segment, attribute_of
from speechtl.data.table_kinds import TABLES
from speechtl.errors import DataError, list_problems

# Tables in which a missing entry has a defined meaning.
_MAY_LACK = {"reco2speed", "reco2file_and_channel", "spk2gender"}


def combine(sources: Sequence[DataDir]) -> tuple[DataDir, list[str]]:
    """Combine data directories.

    If only some of them have segments, the whole recordings of the others become segments. If only some have
    ``utt2uniq``, the utterances of the others are originals. Any other table that some of them lack is omitted, since
    it could not be complete.

    Args:
        sources: the directories; not modified.

    Returns:
        The combined directory, and one note for each table that was omitted.

    Raises:
        DataError: an utterance is in two of them, or the entries of a recording or speaker conflict; all are listed.
    """
    if not sources:
        raise DataError("nothing to combine; give at least one data directory")
    sources = [_aligned(source, sources) for source in sources]
    problems: list[str] = []
    notes: list[str] = []
    tables: dict[str, dict[str, Any]] = {}
    for name, kind in TABLES.items():
        attribute = attribute_of(name)
        lacking = [source for source in sources if not getattr(source, attribute)]
        if len(lacking) == len(sources):
            continue
        if lacking and name not in _MAY_LACK:
            notes.append(f"{name} omitted: {', '.join(str(source.path) for source in lacking)} has none")
            continue
        joined, conflicts = _union([getattr(source, attribute) for source in sources], sources)
        if name == "utt2spk":
            problems += _shared_utterances(sources)
        if conflicts and name == "cmvn.scp":
            speaker = conflicts[0][0]
            notes.append(
                f"{name} omitted: the statistics of speaker '{speaker}' differ between the parts; recompute them"
            )
            continue
        if name == "wav.scp" and any(source.reco2speed for source in sources):
            # A recording without an entry has speed 1, which may conflict with another part's entry.
            speeds = [{key: part.reco2speed.get(key, 1.0) for key in part.wav_scp} for part in sources]
            problems += [
                f"recording '{key}' has different speeds in {one.path} and {other.path}; rename it in one"
                for key, one, other in _union(speeds, sources)[1]
            ]
        if kind.owner != "utterance" and name != "reco2speed":
            problems += [
                f"{kind.owner} '{key}' has different entries in {name} of {one.path} and {other.path}; rename it in one"
                for key, one, other in conflicts
            ]
        tables[attribute] = joined
    if problems:
        raise DataError(list_problems(f"cannot combine: {len(problems)} conflicts", problems))
    return DataDir(sources[0].path, **tables), notes


def _aligned(source: DataDir, sources: Sequence[DataDir]) -> DataDir:
    """Add the trivial tables that a directory lacks and another one has."""
    ids = source.utterance_ids
    tables = {attribute_of(name): entries for name, _, entries in source.tables()}
    if not source.segments and any(other.segments for other in sources):
        tables["segments"] = {utterance: Segment(utterance, 0.0, -1) for utterance in ids}
    if not source.utt2uniq and any(other.utt2uniq for other in sources):
        tables["utt2uniq"] = {utterance: utterance for utterance in ids}
    return DataDir(source.path, **tables)


def _union(
    parts: list[dict[str, Any]], sources: Sequence[DataDir]
) -> tuple[dict[str, Any], list[tuple[str, DataDir, DataDir]]]:
    joined: dict[str, Any] = {}
    conflicts = []
    for part, source in zip(parts, sources):
        if joined.keys().isdisjoint(part):
            joined.update(part)
            continue
        for key, value in part.items():
            if joined.setdefault(key, value) != value:
                origin = next(earlier for other, earlier in zip(parts, sources) if key in other)
                conflicts.append((key, origin, source))
    return joined, conflicts


def _shared_utterances(sources: Sequence[DataDir]) -> list[str]:
    seen: set[str] = set()
    problems = []
    for number, source in enumerate(sources):
        for utterance in sorted(seen.intersection(source.utt2spk)):
            other = next(earlier for earlier in sources[:number] if utterance in earlier.utt2spk)
            problems.append(f"utterance '{utterance}' is in {other.path} and {source.path}; remove it from one")
        seen.update(source.utt2spk)
    return problems
