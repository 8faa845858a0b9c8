"""Import: data of another tool to a data directory."""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from speechtl.audio.pipe import is_pipe
from speechtl.data.datadir import DataDir
from speechtl.data.fix import fix
from speechtl.data.table_kinds import TABLES
from speechtl.data.tables import read_table, write_table
from speechtl.errors import DataError, counted, grouped, list_problems, printable
from speechtl.exchange.read_source import NO_AUDIO, Kind, kind_of_source, read_source
from speechtl.staging import staged_folder


@dataclasses.dataclass(frozen=True)
class Imported:
    """What `import_data` wrote.

    Attributes:
        data: the data directory.
        notes: what a user should know: ids that changed, utterances that were left out, entries that were repaired.
    """

    data: DataDir
    notes: tuple[str, ...]


def import_data(
    source: Path,
    out: Path,
    *,
    kind: Kind | None = None,
    speaker: str | None = None,
    language: str | None = None,
) -> Imported:
    """Make a data directory of what another tool wrote; see `read_source`.

    Audio is neither opened nor copied. Where some utterances have a transcript, those without are left out. A data
    directory of Kaldi or ESPnet is copied and repaired (see `fix`); the paths of its audio, which are relative to where
    Kaldi runs, become absolute.

    Args:
        source: file or folder.
        out: the data directory to write.
        kind: what the source is; None to tell it from the content.
        speaker: of all recordings whose source does not say.
        language: of all utterances, unless the source says it.

    Raises:
        DataError: the source is wrong (every problem with file and line), or the directory cannot be written.
    """
    if (kind or kind_of_source(source)) == "kaldi":
        data, notes = _repaired(source, out)
    else:
        data, notes = read_source(source, kind, speaker)
        if not data.utt2spk:
            raise DataError(list_problems(f"{source}: {NO_AUDIO}", notes))
        foreign = [audio for audio in data.wav_scp.values() if printable(audio) != audio]
        if foreign:
            shown = [f"{printable(audio)}: the file name is not UTF-8; rename it" for audio in foreign]
            raise DataError(list_problems(f"{source}: {len(shown)} problems", shown))
        silent = {utterance: "" for utterance in data.utterance_ids if utterance not in data.text}
        if data.text and silent:
            notes.append(counted("no transcript, left out", silent, "utterance"))
            data = data.select(data.text)
    if language is not None and not data.utt2lang:
        data.utt2lang = dict.fromkeys(data.utt2spk, language)
    data.save(out)
    return Imported(data, tuple(notes))


def _repaired(source: Path, out: Path) -> tuple[DataDir, list[str]]:
    """Copy the tables of a data directory, repair them and return them with what was done."""
    with contextlib.ExitStack() as stack:
        # Beside it: until they are repaired, they are no data directory.
        try:
            folder = stack.enter_context(staged_folder(out))
            for name in (*TABLES, "spk2utt"):
                if (source / name).is_file():
                    shutil.copyfile(source / name, folder / name)
        except OSError as error:
            raise DataError(f"{out}: cannot copy {source}: {error.strerror or error}; choose another folder") from error
        try:
            if (source / "wav.scp").is_file():
                write_table(folder / "wav.scp", _absolute(source))
            repair = fix(folder, check_audio=False, allow_pipes=True)
            data = DataDir.load(folder)
        except DataError as error:
            raise DataError(str(error).replace(str(folder), str(out))) from error
    data.path = out
    notes = [*repair.actions, *(f"not repaired: {problem}" for problem in repair.remaining)]
    return data, grouped([note.replace(str(folder), str(out)) for note in notes])


def _absolute(source: Path) -> dict[str, str]:
    """Return ``wav.scp`` with absolute paths; relative ones are meant from a folder above the data directory."""
    entries = read_table(source / "wav.scp")
    relative = [audio for audio in entries.values() if not is_pipe(audio) and not Path(audio).is_absolute()]
    if not relative:
        return entries
    bases = [Path.cwd(), *source.absolute().parents]
    base = next((base for base in bases if (base / relative[0]).is_file()), None)
    if base is None:
        raise DataError(f"{source}/wav.scp: no file {relative[0]} from here or above {source}; run this where it is")
    absolute: Callable[[str], str] = lambda audio: audio if is_pipe(audio) else str(base / audio)  # noqa: E731
    return {recording: absolute(audio) for recording, audio in entries.items()}
