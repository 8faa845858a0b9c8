"""Write files so that a reader never sees half of one."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from speechtl.errors import DataError


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    r"""Open a temporary neighbour of ``path`` for writing and rename it to ``path`` if the block succeeds.

    Text is UTF-8 with ``\n`` line ends. Missing parent folders are made. On any failure the temporary file is removed
    and whatever ``path`` held before is left as it was.

    Args:
        path: the file to write.
        mode: ``"w"`` for text or ``"wb"`` for bytes.

    Raises:
        DataError: the file cannot be written (full disk, no permission); names the file.
    """
    path = Path(path)
    text = {"encoding": "utf-8", "newline": "\n"} if "b" not in mode else {}
    with replacing(path) as temporary, open(temporary, mode, **text) as file:  # type: ignore[call-overload]
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` (same suffix); rename it to ``path`` if the block succeeds.

    For writers that want a path instead of an open file (HDF5, images).

    Raises:
        DataError: the file cannot be written; names the file.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(3)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        # A reader's error inside the block (a missing input) is not ours to rename.
        if error.filename is not None and Path(os.fsdecode(error.filename)) not in (temporary, path, path.parent):
            raise
        reason = error.strerror or str(error)
        raise DataError(f"{path}: cannot write: {reason}; free some space or choose another folder") from error
    finally:
        # Where a parent folder is a file, unlinking what was never made would hide the error above.
        if os.path.lexists(temporary):
            temporary.unlink()


def remove_half_written(folder: Path) -> None:
    """Remove what processes that were killed in `replacing` left in a folder in which nobody else writes now."""
    for path in folder.glob(".*.*-*"):
        path.unlink(missing_ok=True)
