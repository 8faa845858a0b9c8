"""Make a data directory of what a table, a manifest or a folder says."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from speechtl.data.datadir import DataDir, Segment
from speechtl.data.tables import key_fault
from speechtl.errors import DataError, counted, list_problems
from speechtl.exchange.entry import Entry, Source

_NOT_IN_KEYS = re.compile(r"[\s/\\\x00-\x1f\x7f-\x9f\ufeff]+")


def make_data_dir(path: Path, source: Source, speaker: str, *, segmented: bool = False) -> DataDir:
    """Make the tables of utterances.

    An id that the source gives is kept; what cannot be in an id becomes ``-``. Where it gives none, the id is the name
    of the recording, with the speaker in front unless it begins with it (Kaldi's tools sort by both), and the
    milliseconds of a segment behind. What changed is noted in ``source.notes``.

    Args:
        path: where it comes from.
        source: the utterances; gets notes.
        speaker: of those whose source does not say.
        segmented: write ``segments`` even if every utterance is a whole recording.

    Raises:
        DataError: problems of the source, or ids that are not unique; all are listed.
    """
    data, problems, changed = DataDir(path), source.problems[:], dict[str, str]()
    segmented = segmented or any(entry.start is not None for entry in source.entries)
    several = _recordings_with_several_channels(source.entries)
    places: dict[str, str] = {}
    recordings: dict[str, tuple[str, int | None]] = {}
    for entry in source.entries:
        who = _key(entry.speaker or speaker)
        utterance, said = _utterance(entry, who)
        if utterance in data.utt2spk:
            what = f"utterance is '{utterance}'" if entry.id else f"recording is called {entry.name}"
            problems.append(f"{entry.place}: another {what}, too ({places[utterance]}); rename one of them")
            continue
        places[utterance] = entry.place
        if utterance != said:
            changed[said] = f"now {utterance}"
        data.utt2spk[utterance] = who
        recording = utterance
        if segmented:
            recording = _key(entry.recording or (entry.name if entry.start is not None else utterance))
            if (entry.audio, recording) in several and entry.channel is not None:
                recording = f"{recording}-{_channel_name(entry.channel)}"
            end = -1.0 if entry.end is None else entry.end
            data.segments[utterance] = Segment(recording, entry.start or 0.0, end)
        if recordings.setdefault(recording, (entry.audio, entry.channel)) != (entry.audio, entry.channel):
            problems.append(
                f"{entry.place}: recording '{recording}' is of another file or channel elsewhere; rename it"
            )
        data.wav_scp[recording] = entry.audio
        if entry.channel is not None:
            data.reco2file_and_channel[recording] = f"{recording} {_channel_name(entry.channel)}"
        for table, value in ((data.utt2lang, entry.language), (data.utt2dom, entry.domain)):
            if value:
                table[utterance] = _key(value)
        if entry.text is not None:
            data.text[utterance] = entry.text
        if entry.gender:
            data.spk2gender.setdefault(who, entry.gender)
    if problems:
        raise DataError(list_problems(f"{path}: {len(problems)} problem{'s' * (len(problems) > 1)}", problems))
    if changed:
        source.notes.append(counted("the id is a new one, which begins with the speaker", changed, "utterance"))
    _leave_out_incomplete(data, source)
    return data


def _utterance(entry: Entry, speaker: str) -> tuple[str, str]:
    """Return the id of an utterance, and what its source calls it."""
    if entry.id:
        return entry.id if not key_fault(entry.id) else _key(entry.id), entry.id
    name = _key(entry.name)
    if entry.start is not None:
        end = "end" if entry.end is None else f"{round(1000 * entry.end):07d}"
        name = f"{name}-{round(1000 * entry.start):07d}-{end}"
    begins = name.startswith(speaker) and not name[len(speaker) : len(speaker) + 1].isalnum()
    return name if begins else f"{speaker}-{name}", name


def _leave_out_incomplete(data: DataDir, source: Source) -> None:
    """A table of languages or domains is for all utterances or for none."""
    for name, table in (("language", data.utt2lang), ("domain", data.utt2dom)):
        if table and len(table) < len(data):
            lacking = {utterance: "" for utterance in data.utterance_ids if utterance not in table}
            source.notes.append(counted(f"no {name}, so none is written", lacking, "utterance"))
            table.clear()


def _recordings_with_several_channels(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    channels: dict[tuple[str, str], set[int]] = defaultdict(set)
    for entry in entries:
        if entry.channel is not None:
            channels[entry.audio, _key(entry.recording or entry.name)].add(entry.channel)
    return {place for place, found in channels.items() if len(found) > 1}


def _channel_name(channel: int) -> str:
    """Return a channel as ``reco2file_and_channel`` names it: A, B, or from 27 on a number."""
    return chr(ord("A") + channel) if channel < 26 else str(channel + 1)


def _key(text: str) -> str:
    return _NOT_IN_KEYS.sub("-", text.strip()) or "speaker"
