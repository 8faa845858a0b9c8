"""Validate a data directory: all problems in one report."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from speechtl.audio.digital_silence import REMARKABLE
from speechtl.audio.header import AudioHeader, read_headers
from speechtl.audio.pipe import is_pipe
from speechtl.data.datadir import channel_of
from speechtl.data.shard_index import is_shard_set
from speechtl.data.structure import Structure, absent_entries, in_order, scan_structure
from speechtl.data.table_kinds import TABLES
from speechtl.data.tables import Problem, archive_of, odd_character, scan_table
from speechtl.data.validate_shards import validate_shards
from speechtl.data.validation_report import Report

# A segment may exceed its recording by one frame shift, since tools round.
SEGMENT_TOLERANCE = 0.01
_DURATION_TOLERANCE = 0.05
_FRAME = 0.025  # Seconds; without one, an utterance has no features.
# Written by Kaldi, ESPnet and speechtl features: not tables of utterances, and not needed in subsets.
_KNOWN_FILES = {"spk2utt", "frame_shift", "feats_type", "cmvn.ark", "stm", "glm", "phones.ctm", "README", "README.md"}


def validate(
    path: str | Path,
    *,
    require_text: bool = True,
    check_audio: bool = True,
    decode: bool = False,
    allow_pipes: bool = False,
) -> Report:
    """Validate a data directory, or a set of shards.

    Args:
        path: the directory, or the folder or address of the shards.
        require_text: whether a missing ``text`` is an error.
        check_audio: whether to open every recording and read its header and last sample.
        decode: whether to decode every recording completely, which detects damage in the middle.
        allow_pipes: whether commands in ``wav.scp`` may be run; otherwise each of them is an error.

    Returns:
        The report; its problems are not raised.

    Raises:
        DataError: ``path`` is not a directory.
    """
    if is_shard_set(path):
        return validate_shards(path, require_text=require_text, check_audio=check_audio, decode=decode)
    return validate_structure(
        scan_structure(path),
        require_text=require_text,
        check_audio=check_audio,
        decode=decode,
        allow_pipes=allow_pipes,
    )


def validate_structure(
    structure: Structure, *, require_text: bool, check_audio: bool, decode: bool, allow_pipes: bool
) -> Report:
    """Validate a data directory whose tables are read already; see `validate`."""
    problems = list(structure.problems)
    if require_text and not (structure.path / "text").exists():
        message = "missing; write 'utterance transcript' lines, or pass --no-text"
        problems.append(Problem(structure.path / "text", 0, message, "missing-table"))
    problems += _unknown_files(structure)
    if "utt2spk" in structure.tables:
        problems += _unfinished(structure)
        problems += _speakers(structure)
    problems += _transcripts(structure)
    problems += _features(structure)
    headers: dict[str, AudioHeader] = {}
    if "wav.scp" in structure.tables:
        problems += _idle_recordings(structure)
        pipes, files = _sources(structure)
        if not allow_pipes:
            problems += pipes
        if check_audio:
            headers, faults = read_headers(files, decode=decode, allow_pipes=allow_pipes)
            problems += _audio(structure, headers, faults)
        problems += _times(structure, {key: header.seconds for key, header in headers.items()})
    recordings = len(structure.keys("recording")) if structure.utterances else 0
    speakers = len(structure.keys("speaker"))
    ordered = tuple(in_order(problems))
    return Report(structure.path, ordered, len(structure.utterances), speakers, recordings, headers)


def _unknown_files(structure: Structure) -> Iterable[Problem]:
    for path in sorted(structure.path.iterdir()):
        known = path.name in TABLES or path.name in _KNOWN_FILES
        if path.is_file() and not known and not path.name.startswith("."):
            near = difflib.get_close_matches(path.name, [*TABLES, "spk2utt"], n=1, cutoff=0.7)
            hint = f" (did you mean {near[0]}?)" if near else ""
            message = f"not a known table{hint}; it is ignored, and not copied by subset or split"
            yield Problem(path, 0, message, "unknown-file", warning=True)


def _unfinished(structure: Structure) -> Iterable[Problem]:
    """Check that tables computed from the audio, which readers accept unfinished, are complete."""
    for name in structure.tables:
        if not TABLES[name].complete and name not in ("wav.scp", "reco2speed", "reco2file_and_channel"):
            yield from absent_entries(structure, name)


def _speakers(structure: Structure) -> Iterable[Problem]:
    utt2spk = structure.values["utt2spk"]
    table = structure.tables["utt2spk"]
    others: dict[str, list[str]] = {}
    for utterance, speaker in utt2spk.items():
        if not utterance.startswith(speaker):
            others.setdefault(speaker, []).append(utterance)
    for speaker, utterances in others.items():
        first = utterances[0]
        more = f" and of {len(utterances) - 1} more" if len(utterances) > 1 else ""
        message = f"speaker '{speaker}' is not the beginning of utterance id '{first}'{more}; Kaldi's tools expect that"
        yield Problem(table.path, table.lines[first], message, "prefix", warning=True, key=first)
    for speaker, gender in structure.values.get("spk2gender", {}).items():
        if gender not in ("m", "f"):
            table = structure.tables["spk2gender"]
            message = f"speaker '{speaker}': gender '{gender}' (Kaldi's tools expect m or f)"
            yield Problem(table.path, table.lines[speaker], message, "gender", warning=True, key=speaker)
    yield from _inverse(structure)


def _inverse(structure: Structure) -> Iterable[Problem]:
    """Check that ``spk2utt`` matches ``utt2spk``."""
    path = structure.path / "spk2utt"
    if not path.exists():
        yield Problem(path, 0, "missing; create it from utt2spk (fix does)", "spk2utt")
        return
    if not (structure.path / "utt2spk").exists():
        return
    table = scan_table(path, value_required=True)
    for problem in table.problems:
        yield problem._replace(kind="order" if problem.kind == "order" else "spk2utt")
    expected: dict[str, set[str]] = {}
    for utterance, speaker in structure.values["utt2spk"].items():
        expected.setdefault(speaker, set()).add(utterance)
    for speaker, value in table.entries.items():
        listed = value.split()
        if speaker not in expected:
            message = f"speaker '{speaker}' is not in utt2spk; remove the line (fix does)"
        elif set(listed) != expected[speaker]:
            wrong = [f"lacks '{utterance}'" for utterance in sorted(expected[speaker] - set(listed))]
            wrong += [f"also has '{utterance}'" for utterance in sorted(set(listed) - expected[speaker])]
            message = f"speaker '{speaker}' {', '.join(wrong)}, unlike utt2spk; rebuild spk2utt (fix does)"
        elif len(listed) != len(expected[speaker]):
            message = f"speaker '{speaker}' has an utterance twice; rebuild spk2utt (fix does)"
        else:
            continue
        yield Problem(path, table.lines[speaker], message, "spk2utt", key=speaker)
    for speaker in sorted(expected.keys() - table.lines.keys()):
        yield Problem(path, 0, f"speaker '{speaker}' of utt2spk is missing; rebuild it (fix does)", "spk2utt")


def _transcripts(structure: Structure) -> Iterable[Problem]:
    for utterance, transcript in structure.values.get("text", {}).items():
        if transcript.isprintable() and transcript.strip():
            continue
        table = structure.tables["text"]
        if not transcript.strip():
            message = (
                f"'{utterance}': no words; training and alignment leave it out, and what is found there counts as "
                "insertions"
            )
            yield Problem(table.path, table.lines[utterance], message, "no-words", warning=True, key=utterance)
        odd = odd_character(transcript)
        if odd:
            message = f"'{utterance}': transcript {odd}; replace it by a space, or remove it"
            yield Problem(table.path, table.lines[utterance], message, "odd-character", warning=True, key=utterance)


def _features(structure: Structure) -> Iterable[Problem]:
    for name in ("feats.scp", "vad.scp", "cmvn.scp"):
        exists: dict[Path, bool] = {}
        for key, value in structure.values.get(name, {}).items():
            archive = archive_of(value)
            if archive not in exists:
                exists[archive] = os.path.isfile(archive)
            if not exists[archive] and not is_pipe(value):
                table = structure.tables[name]
                message = f"'{key}': no such archive {archive}; recompute it, or remove {name}"
                yield Problem(table.path, table.lines[key], message, "no-archive", key=key)
    for utterance, frames in structure.values.get("utt2num_frames", {}).items():
        if frames == 0:
            table = structure.tables["utt2num_frames"]
            message = f"'{utterance}' has no frames; remove the utterance (fix does)"
            yield Problem(table.path, table.lines[utterance], message, "no-frames", key=utterance)


def _idle_recordings(structure: Structure) -> Iterable[Problem]:
    if structure.segmented:
        table = structure.tables["wav.scp"]
        used = {segment.recording for segment in structure.values["segments"].values()}
        for recording, line in table.lines.pairs():
            if recording not in used:
                message = f"no segment is taken from recording '{recording}'; remove it if that is intended (fix does)"
                yield Problem(table.path, line, message, "idle", warning=True, key=recording)


def _sources(structure: Structure) -> tuple[list[Problem], list[tuple[str, str]]]:
    """Return a problem for each pipe, and all recordings with their audio."""
    table = structure.tables["wav.scp"]
    pipes = []
    recordings = []
    for recording, audio in structure.values["wav.scp"].items():
        if is_pipe(audio):
            message = f"'{recording}' is a shell command; it runs only under --allow-pipes, for data that you trust"
            pipes.append(Problem(table.path, table.lines[recording], message, "pipe", key=recording))
        recordings.append((recording, audio))
    return pipes, recordings


def _audio(structure: Structure, headers: dict[str, AudioHeader], faults: dict[str, str]) -> Iterable[Problem]:
    table = structure.tables["wav.scp"]
    for recording, fault in faults.items():
        # Commands that are not permitted are already in the report.
        if not is_pipe(table.entries[recording]) or "--allow-pipes" not in fault:
            yield Problem(table.path, table.lines[recording], f"'{recording}': {fault}", "audio", key=recording)
    speeds = structure.values.get("reco2speed", {})
    sides = structure.tables.get("reco2file_and_channel")
    first: dict[tuple[str, float, int | None], str] = {}
    for recording, header in headers.items():
        side = channel_of(sides.entries.get(recording, "")) if sides and header.channels > 1 else None
        if sides and side is not None and side >= header.channels:
            message = f"'{recording}': no channel {side + 1}, its audio has {header.channels}; correct the channel"
            yield Problem(sides.path, sides.lines[recording], message, "channel", key=recording)
        if header.silence == 1.0:
            message = f"'{recording}': nothing but digital silence; check the recording"
            yield Problem(table.path, table.lines[recording], message, "silent", warning=True, key=recording)
        elif header.silence and header.silence > REMARKABLE:
            message = f"'{recording}': {header.silence:.0%} of it is digital silence; it is filled with faint noise"
            yield Problem(table.path, table.lines[recording], message, "silence", warning=True, key=recording)
        if header.seconds < _FRAME:
            message = f"'{recording}': {header.seconds:.3f} s, shorter than a frame of features ({_FRAME} s)"
            yield Problem(table.path, table.lines[recording], message, "short", warning=True, key=recording)
        for sentence, detail in header.findings.items():
            message = f"'{recording}': {sentence}{f' ({detail})' if detail else ''}"
            yield Problem(table.path, table.lines[recording], message, "repaired", warning=True, key=recording)
        other = first.setdefault((table.entries[recording], speeds.get(recording, 1.0), side), recording)
        if other != recording:
            message = f"'{recording}' has the same audio as '{other}' (line {table.lines[other]})"
            yield Problem(table.path, table.lines[recording], message, "same-audio", warning=True, key=recording)


def _times(structure: Structure, measured: dict[str, float]) -> Iterable[Problem]:
    """Compare segments and durations with the durations of the recordings."""
    stored = structure.values.get("reco2dur", {})
    lengths = {**stored, **measured}
    for recording, seconds in stored.items():
        if abs(measured.get(recording, seconds) - seconds) > _DURATION_TOLERANCE:
            yield _wrong_duration(structure, "reco2dur", recording, seconds, measured[recording])
    segments = structure.values.get("segments", {})
    speeds = structure.values.get("reco2speed", {})
    for utterance, segment in segments.items():
        length = lengths.get(segment.recording)
        if length is not None and (segment.start >= length or segment.end > length + SEGMENT_TOLERANCE):
            table = structure.tables["segments"]
            bound = f"starts at {segment.start:g}" if segment.start >= length else f"ends at {segment.end:g}"
            message = f"'{utterance}' {bound} s, beyond the end of recording '{segment.recording}' ({length:.3f} s)"
            advice = "; correct it, or remove the utterance"
            yield Problem(table.path, table.lines[utterance], message + advice, "beyond", key=utterance)
    for utterance, seconds in structure.values.get("utt2dur", {}).items():
        segment = segments.get(utterance)
        recording = segment.recording if segment else utterance
        if recording in measured and (segment or not segments):
            start, end = (segment.start, segment.end) if segment else (0.0, -1)
            expected = ((measured[recording] if end == -1 else end) - start) / speeds.get(recording, 1.0)
            if abs(expected - seconds) > _DURATION_TOLERANCE:
                yield _wrong_duration(structure, "utt2dur", utterance, seconds, expected)


def _wrong_duration(structure: Structure, name: str, key: str, got: float, expected: float) -> Problem:
    table = structure.tables[name]
    message = f"'{key}': {got:.3f} s (expected {expected:.3f} s from the audio); remove {name} and recompute it"
    return Problem(table.path, table.lines[key], message, "duration", warning=True, key=key)
