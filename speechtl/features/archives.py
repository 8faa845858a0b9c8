"""Kaldi archives: matrices in ``.ark`` files, indexed by ``.scp`` tables."""

import contextlib
import math
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from speechtl.errors import DataError
from speechtl.files import atomic_write, read_bytes, replacing_together

_TYPES: dict[bytes, np.dtype] = {b"FM ": np.dtype("<f4"), b"DM ": np.dtype("<f8")}
_HEADER = struct.Struct("<2s3sbibi")  # Binary marker, type of matrix, then rows and columns, each preceded by its size.
# Of a compressed matrix: marker, type, smallest value, range, rows and columns.
_COMPRESSED = struct.Struct("<2s4sffii")
_NO_MATRIX = "no Kaldi matrix there; check the path and offset, or run speechtl features again"


@contextlib.contextmanager
def write_ark_scp(
    ark_path: str | Path, scp_path: str | Path, folder: Path | None = None
) -> Iterator[Callable[[str, np.ndarray], str]]:
    """Write matrices to an archive and its table; both are created when the block succeeds, neither if it fails.

    If they are there already, in one folder, they are replaced together (`replacing_together`): an old table would
    lead to wrong places in a new archive.

    Args:
        ark_path: the archive. It is written to the table as given here: it should be absolute if readers may have
            another working directory.
        scp_path: the table, ``key ark_path:offset``.
        folder: where the archive will be, if it is moved there later.

    Yields:
        ``write(key, matrix)``: store a float32 or float64 matrix ``(rows, columns)``; returns ``ark_path:offset``.

    Raises:
        DataError: a file cannot be written (full disk).
    """
    ark_path, scp_path = Path(ark_path), Path(scp_path)
    told = ark_path if folder is None else folder / ark_path.name
    with contextlib.ExitStack() as stack:
        new_ark, new_scp = ark_path, scp_path
        if scp_path.exists() and ark_path.parent == scp_path.parent:
            new = stack.enter_context(replacing_together(scp_path.parent))
            new_ark, new_scp = new / ark_path.name, new / scp_path.name
        scp = stack.enter_context(atomic_write(new_scp))
        ark = stack.enter_context(atomic_write(new_ark, "wb"))

        def write(key: str, matrix: np.ndarray) -> str:
            place = f"{told}:{append_matrix(ark, key, matrix)}"
            scp.write(f"{key} {place}\n")
            return place

        yield write


def free_archive(ark_path: str | Path, scp_path: str | Path) -> tuple[Path, Path]:
    """Return the path for a new archive, to which a table does not lead yet, and the one for the next time."""
    one = Path(ark_path)
    two = one.with_name(f"{one.stem}-2{one.suffix}")
    lines = read_bytes(scp_path).splitlines() if Path(scp_path).is_file() else []
    used = {os.fsdecode(line.partition(b" ")[2].strip().rpartition(b":")[0]) for line in lines}
    return (two, one) if str(one) in used else (one, two)


def append_matrix(ark: IO[bytes], key: str, matrix: np.ndarray) -> int:
    """Append a float32 or float64 matrix ``(rows, columns)`` to an open archive; return its offset in bytes.

    Without a key, the result is a matrix file instead of an archive.
    """
    name = key.encode() + b" " if key else b""
    offset = ark.tell() + len(name)
    kind, dtype = (b"DM ", "<f8") if matrix.dtype == np.float64 else (b"FM ", "<f4")
    rows, columns = matrix.shape
    ark.write(name + _HEADER.pack(b"\0B", kind, 4, rows, 4, columns))
    ark.write(np.ascontiguousarray(matrix, dtype).data if matrix.size else b"")
    return offset


def read_matrix(rxfilename: str) -> np.ndarray:
    """Read one matrix from an archive; thread-safe.

    Args:
        rxfilename: entry of an scp table: ``file.ark:offset`` or ``file``, optionally with rows ``[first:last]``.

    Returns:
        float32 ``(frames, bins)``, writable. Compressed, float64 and text matrices are converted.

    Raises:
        DataError: there is no such file, or no matrix at that offset.
    """
    matrix = _read_plain(rxfilename)
    return _read_any(rxfilename, "FloatMatrix") if matrix is None else matrix.astype(np.float32, copy=False)


def map_matrix(rxfilename: str, rows: int, columns: int) -> np.ndarray:
    """Return a float32 matrix that `append_matrix` wrote, read-only, whose values are read when they are looked at.

    Args:
        rxfilename: ``file.ark:offset``.
        rows: of the matrix, as the writer knows.
        columns: likewise.

    Raises:
        DataError: the file cannot be read, or is too short.
    """
    if not rows * columns:
        return np.zeros((rows, columns), np.float32)
    path, _, offset = rxfilename.rpartition(":")
    try:
        return np.memmap(path, "<f4", "r", int(offset) + _HEADER.size, (rows, columns))
    except (OSError, ValueError) as error:
        raise DataError(f"{rxfilename}: cannot read: {error}; it will be computed again if you delete it") from error


def read_double_matrix(rxfilename: str) -> np.ndarray:
    """Read one matrix as float64 ``(rows, columns)``, for statistics; otherwise as `read_matrix`."""
    matrix = _read_plain(rxfilename)
    return _read_any(rxfilename, "DoubleMatrix") if matrix is None else matrix.astype(np.float64, copy=False)


def _place(rxfilename: str) -> tuple[str, int]:
    """Return the file and the offset of an entry of an scp table."""
    path, colon, digits = rxfilename.rpartition(":")
    return (path, int(digits)) if colon and digits.isdecimal() else (rxfilename, 0)


def _read_plain(rxfilename: str) -> np.ndarray | None:
    """Read an uncompressed binary matrix; None if it is stored in another format."""
    path, offset = _place(rxfilename)
    if path.endswith("]"):
        return None
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return None
            mark, kind, row_size, rows, column_size, columns = _HEADER.unpack(header)
            if mark != b"\0B" or kind not in _TYPES or (row_size, column_size) != (4, 4) or min(rows, columns) < 0:
                return None
            # No more than there is: the header of a damaged file may claim anything.
            left = max(os.fstat(file.fileno()).st_size - file.tell(), 0) // np.dtype(_TYPES[kind]).itemsize
            matrix = np.fromfile(file, _TYPES[kind], min(rows * columns, left))
    except OSError as error:
        raise DataError(f"{rxfilename}: cannot read: {error.strerror}; run speechtl features again") from error
    if matrix.size != rows * columns:
        raise DataError(
            f"{rxfilename}: truncated (got {matrix.size} of {rows * columns} numbers); run speechtl features again"
        )
    return matrix.reshape(rows, columns)


def _read_any(rxfilename: str, kind: str) -> np.ndarray:
    """Read a matrix in any of Kaldi's storage formats by Kaldi's own code."""
    import kaldi_native_io  # Rarely needed, and slower than the plain reader.

    # Kaldi takes what ends in "|", before a range of rows, for a command and runs it, and "-" for standard input.
    path = rxfilename.rpartition("[")[0] if rxfilename.endswith("]") else rxfilename
    if path.strip() in ("", "-") or path.strip().endswith("|") or path.strip().startswith("|"):
        raise DataError(f"{rxfilename}: not the place of a matrix in an archive; run speechtl features again")
    _require_size(path)
    try:
        # A copy, because the matrix is freed together with its owner.
        return np.array(getattr(kaldi_native_io, kind).read(rxfilename).numpy())
    except (RuntimeError, UnicodeDecodeError) as error:  # The latter because messages may quote bytes of the file.
        raise DataError(f"{rxfilename}: {_NO_MATRIX}") from error


def _require_size(rxfilename: str) -> None:
    """Refuse a binary matrix that claims more numbers than its file has bytes, for which Kaldi's code takes the memory.

    Raises:
        DataError: it does, or is of no type that a matrix has.
    """
    path, offset = _place(rxfilename)
    with contextlib.suppress(OSError), open(path, "rb") as file:  # Kaldi's own code says what is wrong.
        file.seek(offset)
        head = file.read(_COMPRESSED.size)
        if not head.startswith(b"\0B"):
            return
        kind = head[2:5] if head[2:5] in _TYPES else head[2:6].partition(b" ")[0]
        layout, places = (_HEADER, (3, 5)) if kind in _TYPES else (_COMPRESSED, (4, 5))
        if kind == b"CM":
            head = head[:4] + b" " + head[4:-1]  # As long as the names of the others.
        if kind not in _TYPES and kind not in (b"CM", b"CM2", b"CM3"):
            raise DataError(f"{rxfilename}: {_NO_MATRIX}")
        claimed = math.prod(layout.unpack_from(head)[place] for place in places) if len(head) >= layout.size else 0
        if not 0 <= claimed <= os.fstat(file.fileno()).st_size:
            raise DataError(f"{rxfilename}: damaged, it claims more than there is; run speechtl features again")
