"""The one door for speech of any origin: tell what a file or folder is, and read it."""

import os
from pathlib import Path
from typing import Literal, get_args

from speechtl.audio.stream import AUDIO_SUFFIXES
from speechtl.data.datadir import DataDir
from speechtl.data.shard_index import is_shard_set
from speechtl.errors import DataError
from speechtl.exchange.audio_folder import read_audio_folder
from speechtl.exchange.entry import Source
from speechtl.exchange.lhotse_manifests import kind_of, read_lhotse
from speechtl.exchange.make_data_dir import make_data_dir
from speechtl.exchange.recording_table import read_recording_table
from speechtl.files import read_text

Kind = Literal["kaldi", "table", "nemo", "lhotse", "commonvoice", "ljspeech", "audiofolder", "mfa"]
_WANTED = "a data directory, a folder of audio or a CSV, TSV or manifest of audio files and texts"
_METADATA = ("metadata.csv", "metadata.tsv", "metadata.jsonl")
# The part of Common Voice that is all that was found to be right.
_COMMON_VOICE = "validated.tsv"


def read_source(path: Path, kind: Kind | None = None, speaker: str | None = None) -> tuple[DataDir, list[str]]:
    """Read speech of any origin; audio is not opened and features are not computed.

    Args:
        path: a data directory or a set of shards; a folder or file as other tools have them (`Kind`); a folder of audio
            with texts beside, or a single file of audio.
        kind: what it is; None to tell it from the content.
        speaker: of all recordings that no table names one for, and of all in a folder of audio.

    Returns:
        Its tables, with absolute paths, and notes for the user. Transcripts may be there for some utterances only.

    Raises:
        DataError: there is no such thing, or its lines are wrong (all are listed).
    """
    kind = kind or kind_of_source(path)
    if kind == "kaldi" and is_shard_set(path):
        return DataDir.load(path), []
    if not path.exists():
        raise DataError(f"{path}: missing; give {_WANTED}")
    if kind == "kaldi":
        return DataDir.load(path), []
    source = _read(path, kind, speaker)
    name = path.absolute().name if path.is_dir() else _stem(path)
    return make_data_dir(path, source, speaker or name), source.notes


def read_tables(path: Path) -> DataDir:
    """Read the recordings of one speaker, unless a table or a data directory says who speaks; see `read_source`."""
    return read_source(path, speaker=path.absolute().name if path.is_dir() else _stem(path))[0]


def kind_of_source(path: Path) -> Kind:
    """Tell what a file or folder is from its content.

    Raises:
        DataError: it is missing, or several things at once.
    """
    if is_shard_set(path):
        return "kaldi"
    if path.is_file():
        return "mfa" if path.suffix.lower() in AUDIO_SUFFIXES else "lhotse" if kind_of(path) else "table"
    if not path.is_dir():
        raise DataError(f"{path}: missing; give {_WANTED}")
    if (path / "utt2spk").exists() or (path / "wav.scp").exists():
        return "kaldi"
    if any(kind_of(file) for file in sorted(path.glob("[!.]*.jsonl*"))):
        return "lhotse"
    if (path / "clips").is_dir() and any(path.glob("[!.]*.tsv")):
        return "commonvoice"
    if any((path / name).is_file() for name in _METADATA):
        return "audiofolder" if not _is_ljspeech(path) else "ljspeech"
    # Hugging Face: a folder for each split, with a table in it.
    inside = [file for folder in path.glob("[!.]*") if folder.is_dir() for file in _tables_in(folder)]
    return "audiofolder" if inside else "mfa"


def _read(path: Path, kind: Kind, speaker: str | None) -> Source:
    if kind == "lhotse":
        return read_lhotse(path)
    if kind == "mfa":
        return read_audio_folder(path, speaker)
    if path.is_file():
        return _table(path)
    if kind == "commonvoice":
        source = _table(path / _COMMON_VOICE)
        others = sorted(file.name for file in path.glob("[!.]*.tsv") if file.name != _COMMON_VOICE)
        if others:
            source.notes.append(
                f"{path}: read {_COMMON_VOICE}; the other tables can be given as files: {others[0]} ..."
            )
        return source
    folders = (Path(folder) for folder, _, _ in os.walk(path))
    shown = (one for one in folders if not any(part.startswith(".") for part in one.relative_to(path).parts))
    tables = sorted(file for folder in shown for file in _tables_in(folder))
    if not tables:
        parquet = next(path.rglob("*.parquet"), None)
        advice = f"; {parquet.name} holds its audio inside, save that as files" if parquet else ""
        raise DataError(f"{path}: no {' or '.join(_METADATA)} in this folder or below{advice}")
    source = Source()
    for table in tables:
        source.add(_table(table, table.parent.relative_to(path)))
    return source


def _tables_in(folder: Path) -> list[Path]:
    return [folder / name for name in _METADATA if (folder / name).is_file()]


def _is_ljspeech(path: Path) -> bool:
    table = path / "metadata.csv"
    first = read_text(table).partition("\n")[0] if table.is_file() else ""
    return "|" in first and "," not in first.partition("|")[0]


def _table(path: Path, below: Path = Path()) -> Source:
    try:
        content = read_text(path)
    except DataError as error:
        raise DataError(f"{error}, or give {_WANTED}") from error
    return read_recording_table(path, content, below)


def _stem(path: Path) -> str:
    """Return the name of a table without suffixes; ``metadata`` says nothing, its folder does."""
    stem = path.name.partition(".")[0] or path.name
    return path.absolute().parent.name if path.name in _METADATA else stem


KINDS: tuple[Kind, ...] = get_args(Kind)
NO_AUDIO = f"no recordings; give {', '.join(sorted(AUDIO_SUFFIXES))} files, a CSV of them or a data directory"
