"""Export: a data directory to what another tool reads."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from speechtl.audio.header import read_headers
from speechtl.audio.pipe import is_pipe
from speechtl.data.datadir import DataDir, Utterance, require_vacant
from speechtl.data.durations import durations
from speechtl.errors import DataError, list_problems
from speechtl.exchange.export_audio import FOLDERS
from speechtl.exchange.lhotse_manifests import recording_line, write_lhotse
from speechtl.files import atomic_write, new_folder

ExportKind = Literal["csv", "tsv", "nemo", "lhotse", "commonvoice", "ljspeech", "mfa", "mfa-textgrid", "audiofolder"]
EXPORT_KINDS: tuple[ExportKind, ...] = get_args(ExportKind)


def export_data(data: DataDir, out: Path, kind: ExportKind, *, allow_pipes: bool = False) -> list[str]:
    """Write a data directory as another tool reads it.

    Tables and manifests (``csv``, ``tsv``, ``nemo``: one file; ``lhotse``: a folder) name the audio where it is. The
    other kinds are folders with a copy of the audio: files as they are where an utterance is all of one that the tool
    reads, else 16-bit WAV of one channel at the rate of the recording.

    Args:
        data: the data directory.
        out: file or folder; must not exist, or be an empty folder.
        kind: what is written.
        allow_pipes: whether commands in ``wav.scp`` may be run.

    Returns:
        What the format cannot hold, a line each.

    Raises:
        DataError: something cannot be read, cannot be said in this format, or cannot be written; all is listed.
    """
    if kind in _FILES:
        if out.exists():
            raise DataError(f"{out}: exists; choose another file")
        text = _FILES[kind](data, allow_pipes)
        with atomic_write(out) as file:
            file.write(text)
        return []
    require_vacant(out, sources=[data.path])
    with new_folder(out) as folder:
        return _lhotse(data, folder, allow_pipes) if kind == "lhotse" else FOLDERS[kind](data, folder, allow_pipes)


def _where(data: DataDir) -> dict[str, str]:
    """Return recording -> absolute path of its audio, or a command.

    Raises:
        DataError: recordings whose audio is not what the tables of others can name.
    """
    problems = [
        f"recording '{recording}' is played at {speed:g} times its speed; export a directory without that, or a kind "
        "with audio (audiofolder, mfa)"
        for recording, speed in sorted(data.reco2speed.items())
        if speed != 1
    ]
    problems += [
        f"utterance '{utterance}' has no audio; add its recording to wav.scp"
        for utterance in data.utterance_ids
        if data.recording_of(utterance) not in data.wav_scp
    ]
    if problems:
        raise DataError(list_problems(f"{data.path}: cannot be exported", problems))
    return {name: audio if is_pipe(audio) else str(Path(audio).absolute()) for name, audio in data.wav_scp.items()}


def _files_alone(data: DataDir, what: str) -> dict[str, str]:
    found = _where(data)
    commands = [f"recording '{name}' is a command" for name, audio in sorted(found.items()) if is_pipe(audio)]
    if commands:
        raise DataError(list_problems(f"{data.path}: {what} names files; store the audio of these first", commands))
    return found


def _fields(data: DataDir, utterance: Utterance, audio: str) -> dict[str, Any]:
    """Return what a table says of an utterance, by the names that `recording_table.COLUMNS` has for it."""
    return {
        "file": audio,
        "text": utterance.text,
        "speaker": utterance.speaker,
        "id": utterance.id,
        "language": utterance.language,
        "domain": utterance.domain,
        "gender": data.spk2gender.get(utterance.speaker),
        "recording": utterance.recording if data.segments else None,
        "start": utterance.start,
        "end": utterance.end,
        "channel": utterance.channel,
    }


def _table(delimiter: str) -> Callable[[DataDir, bool], str]:
    def table(data: DataDir, allow_pipes: bool) -> str:
        where = _files_alone(data, "a table")
        rows = [_fields(data, one, where[one.recording]) for one in data.utterances()]
        columns = [
            name for name in _fields(data, data.utterances()[0], "") if any(row[name] is not None for row in rows)
        ]
        written = io.StringIO(newline="")
        if delimiter == "\t":
            # No quotes: a quote mark is a quote mark, and every other white space is one space.
            lines = [
                "\t".join(" ".join(str("" if row[c] is None else row[c]).split()) for c in columns) for row in rows
            ]
            return "\n".join(["\t".join(columns), *lines]) + "\n"
        writer = csv.writer(written, delimiter=delimiter, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in rows)
        return written.getvalue()

    return table


def _nemo(data: DataDir, allow_pipes: bool) -> str:
    where, seconds = _files_alone(data, "a manifest of NeMo"), durations(data, allow_pipes=allow_pipes)
    lines = []
    for one in data.utterances():
        fields = _fields(data, one, where[one.recording])
        line = {"audio_filepath": fields.pop("file"), "duration": round(seconds[one.id], 9)}
        if one.start is not None:
            line["offset"] = one.start
            if one.end is not None:
                # utt2dur is of the frames of features, perhaps.
                line["duration"] = round(one.end - one.start, 9)
        fields["lang"] = fields.pop("language")
        del fields["start"], fields["end"]
        line |= {name: value for name, value in fields.items() if value is not None}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines)


def _lhotse(data: DataDir, folder: Path, allow_pipes: bool) -> list[str]:
    where = _where(data)
    headers, faults = read_headers(sorted(where.items()), allow_pipes=allow_pipes)
    if faults:
        raise DataError(list_problems(f"{data.path}: recordings cannot be measured", faults.values()))
    recordings = []
    for name, header in headers.items():
        recordings.append(recording_line(name, where[name], header.sample_rate, header.frames, range(header.channels)))
    supervisions = []
    for one in data.utterances():
        header = headers[one.recording]
        start, end = one.start or 0.0, header.seconds if one.end is None else one.end
        channel: Any = one.channel
        if channel is None:
            channel = 0 if header.channels == 1 else list(range(header.channels))
        line: Mapping[str, Any] = {
            "id": one.id,
            "recording_id": one.recording,
            "start": start,
            "duration": round(end - start, 9),
            "channel": channel,
            "text": one.text,
            "language": one.language,
            "speaker": one.speaker,
            "gender": data.spk2gender.get(one.speaker),
            "custom": {"domain": one.domain} if one.domain else None,
        }
        supervisions.append({name: value for name, value in line.items() if value is not None})
    write_lhotse(folder, recordings, supervisions)
    return []


_FILES: dict[str, Callable[[DataDir, bool], str]] = {"csv": _table(","), "tsv": _table("\t"), "nemo": _nemo}
