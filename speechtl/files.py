"""Read text with errors that name the line; write files so that a reader never sees half of one."""

import codecs
import contextlib
import fcntl
import io
import json
import os
import re
import shutil
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from speechtl.errors import DataError, SpeechtlError, list_problems
from speechtl.staging import is_staged, staged_file, staged_folder

# Of files that replace others together: the folder that says so, within it the new files, and what is to go.
_REPLACING, _NEW, _REMOVED = ".replacing", "new", "removed.json"

_NOT_IN_FILE_NAMES = re.compile(r"[/%\x00-\x1f\x7f]|^\.")
_NOT_IN_FIELDS = re.compile(r"[%\s\x00-\x1f\x7f]")


def read_bytes(path: str | Path, *, error: type[SpeechtlError] = DataError, advice: str = "check the path") -> bytes:
    """Read a whole file.

    Args:
        path: the file.
        error: class of the error.
        advice: what the user should do if the file cannot be read; the end of the message.

    Raises:
        SpeechtlError: an ``error``: the file cannot be read; names the file.
    """
    try:
        return (Path(path) if isinstance(path, str) else path).read_bytes()
    except OSError as failure:
        raise error(f"{path}: cannot read: {failure.strerror or failure}; {advice}") from failure


def read_text(path: str | Path, *, error: type[SpeechtlError] = DataError, advice: str = "check the path") -> str:
    """Read a whole UTF-8 file, without its byte order mark. Line ends stay as they are.

    Args:
        path: the file.
        error: class of the error.
        advice: what the user should do if the file cannot be read.

    Raises:
        SpeechtlError: an ``error``: the file cannot be read, or is not UTF-8; names the file and the line.
    """
    return decode_text(read_bytes(path, error=error, advice=advice), path, error=error)


def read_lines(
    path: str | Path, *, error: type[SpeechtlError] = DataError, advice: str = "check the path"
) -> list[str]:
    """Read the lines of a UTF-8 file, without line ends (Unix or Windows) and byte order mark.

    Args:
        path: the file.
        error: class of the error.
        advice: what the user should do if the file cannot be read.

    Raises:
        SpeechtlError: an ``error``: the file cannot be read, or lists every line that is not UTF-8.
    """
    lines, problems = [], []
    for number, line, fault in decode_lines(read_bytes(path, error=error, advice=advice)):
        lines.append(line.removesuffix("\r"))
        if fault:
            problems.append(f"{path}:{number}: {fault}")
    if problems:
        raise error(problems[0] if len(problems) == 1 else list_problems(f"{path}: {len(problems)} problems", problems))
    return lines


def decode_text(content: bytes, origin: str | Path, *, error: type[SpeechtlError] = DataError) -> str:
    """Decode the content of a UTF-8 file, without its byte order mark.

    Args:
        content: all of the file.
        origin: the file that the message names.
        error: class of the error.

    Raises:
        SpeechtlError: an ``error``: not UTF-8; names the file and the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        number, fault = next((number, fault) for number, _, fault in decode_lines(content) if fault)
        raise error(f"{origin}:{number}: {fault}") from None


def decode_lines(content: bytes, first: int = 1) -> Iterator[tuple[int, str, str]]:
    r"""Split the content of a UTF-8 file into lines; a byte order mark before the first is left out.

    Only ``\n`` ends a line: ``str.splitlines`` would also cut at U+2028 and its like. One by one, for want of memory.

    Yields:
        Its number, from ``first``, the text of a line (``""`` if it is not UTF-8), and what is wrong (``""`` if it is).
    """
    content = content.removeprefix(codecs.BOM_UTF8 if first == 1 else b"")
    faults: dict[bytes, str] = {}  # The same line may be there a million times.
    for number, line in enumerate(io.BytesIO(content), start=first):
        raw = line.removesuffix(b"\n")
        if raw not in faults:
            try:
                yield number, raw.decode("utf-8"), ""
                continue
            except UnicodeDecodeError as error:
                byte = f"byte 0x{raw[error.start]:02X} at column {error.start + 1}"
                faults[raw] = f"not UTF-8 ({byte}); save the file as UTF-8"
        yield number, "", faults[raw]


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    r"""Open a temporary file next to ``path`` for writing and rename it to ``path`` if the block succeeds.

    Text is UTF-8 with ``\n`` line ends; missing parent folders are created. On any failure ``path`` is left unchanged.

    Args:
        path: the file to write.
        mode: ``"w"`` for text or ``"wb"`` for bytes.

    Raises:
        DataError: the file cannot be written (full disk, no permission); names the file.
    """
    text = {"encoding": "utf-8", "newline": "\n"} if "b" not in mode else {}
    with replacing(path) as temporary, open(temporary, mode, **text) as file:  # type: ignore[call-overload]
        yield file


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path`` (same suffix); rename it to ``path`` if the block succeeds.

    For writers that take a path (images). An empty file is there already.

    Raises:
        DataError: the file cannot be written; names the file.
    """
    with _explained(path := Path(path)) as places, staged_file(path) as temporary:
        places.append(temporary)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new, empty folder next to ``path``; rename it to ``path`` if the block succeeds, else remove it.

    Raises:
        DataError: the folder cannot be written, or ``path`` exists and is not an empty folder; names it.
    """
    with _explained(path := Path(path)) as places, staged_folder(path) as temporary:
        places.append(temporary)
        yield temporary
        os.rename(temporary, path)


@contextlib.contextmanager
def replacing_together(folder: str | Path, removed: Iterable[str] = ()) -> Iterator[Path]:
    """Yield an empty folder; its files then replace those of the same relative names in ``folder``, all or none.

    If the process is killed amid the replacing, the rest waits in a hidden folder; who reads several files of
    ``folder`` calls `finish_replacing` first.

    Args:
        folder: made if it is missing.
        removed: relative names of files that are not there afterwards.

    Raises:
        DataError: something cannot be written; then nothing has changed.
    """
    folder = Path(folder)
    finish_replacing(folder)
    with _explained(folder) as places, staged_folder(folder, inside=folder) as temporary:
        files = temporary / _NEW
        places += [files, temporary]
        files.mkdir()
        yield files
        with atomic_write(temporary / _REMOVED) as file:
            # When it is finished later, what is new may be in place already.
            json.dump(sorted(name for name in removed if not (files / name).exists()), file)
        os.rename(temporary, folder / _REPLACING)
        _put_in_place(folder)


def finish_replacing(folder: str | Path) -> None:
    """Finish what `replacing_together` had begun in a folder when its process was killed.

    Raises:
        DataError: the folder cannot be written to.
    """
    folder = Path(folder)
    pending = folder / _REPLACING
    try:
        descriptor = os.open(pending, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        # Whoever is at it holds this lock; where there are no locks, both move what they find.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(pending)):
                _put_in_place(folder)
    finally:
        os.close(descriptor)


def _put_in_place(folder: Path) -> None:
    pending = folder / _REPLACING
    try:
        with contextlib.suppress(FileNotFoundError):
            try:
                removed = [folder / name for name in json.loads((pending / _REMOVED).read_bytes())]
            except (ValueError, TypeError, RecursionError) as error:
                raise DataError(f"{folder}: {_REPLACING}/{_REMOVED} there is damaged ({error}); delete it") from error
            for place in removed:
                _require_inside(folder, place).unlink(missing_ok=True)
        for path in sorted(path for path in (pending / _NEW).rglob("*") if not path.is_dir()):
            place = _require_inside(folder, folder / path.relative_to(pending / _NEW))
            place.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, place)
    except OSError as error:
        advice = "mend that, or read it where it may be written to"
        raise DataError(f"{folder}: half replaced: cannot write: {error.strerror or error}; {advice}") from error
    shutil.rmtree(pending, ignore_errors=True)


def _require_inside(folder: Path, place: Path) -> Path:  # The hidden folder may be of a stranger's making.
    if not place.parent.resolve().is_relative_to(folder.resolve()) or place.name == "..":
        raise DataError(f"{folder}: '{place}' leads out of it; delete the hidden folder {_REPLACING} there")
    return place


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[list[Path]]:
    """Turn an error of writing ``path`` into one that names it; the block adds by way of which places it is written."""
    places: list[Path] = []
    try:
        yield places
    except DataError as error:
        for place in places:
            if str(place) in str(error):
                raise DataError(str(error).replace(str(place), str(path))) from error
        raise
    except OSError as error:
        # An error of reading inside the block (a missing input) is not an error of writing.
        # Of two names, as copying and renaming have them, the second is where it went to.
        failed = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if name is not None]
        if failed and not any(path.is_relative_to(one) or is_staged(one) for one in failed):
            raise
        advice = "free some space or choose another folder"
        raise DataError(f"{path}: cannot write: {error.strerror or error}; {advice}") from error


def user_cache() -> Path:
    """Return the folder of what can be downloaded or computed again: ``$SPEECHTL_CACHE``, or the user's cache folder.

    The latter is ``$XDG_CACHE_HOME/speechtl``, or ``~/.cache/speechtl`` (XDG Base Directory Specification). It need not
    exist.
    """
    if own := os.environ.get("SPEECHTL_CACHE"):
        return Path(own).expanduser().absolute()
    folder = os.environ.get("XDG_CACHE_HOME", "")  # The specification: one that is not absolute counts as none.
    return (Path(folder) if os.path.isabs(folder) else Path.home() / ".cache") / "speechtl"


def file_name(name: str) -> str:
    """Return the name of a file or folder for an id: other ids have other names, and ``original_name`` gives it back.

    ``/``, ``%``, control characters and a full stop in front are written as in URLs (``%2F``); ids without them stay as
    they are.
    """
    return _escaped(name, _NOT_IN_FILE_NAMES)


def field_name(name: str) -> str:
    """Return an id as one field of a table that has white space between its fields, as ``file_name`` does for files."""
    return _escaped(name, _NOT_IN_FIELDS)


def original_name(escaped: str) -> str:
    """Return the id that ``file_name`` or ``field_name`` was given."""
    return "" if escaped == "%" else urllib.parse.unquote(escaped)


def _escaped(name: str, unsafe: re.Pattern[str]) -> str:
    # No other id becomes a lone "%".
    return unsafe.sub(lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), name) or "%"
