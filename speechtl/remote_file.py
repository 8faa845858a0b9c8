"""Files that are elsewhere: read over HTTP, from S3 and from Google Cloud Storage, whole or in part.

HTTP and S3 (`speechtl.s3_request`) take the standard library, Google Cloud Storage the file system that TensorFlow has
for it, which finds credentials where Google's own tools do.
"""

import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from speechtl.errors import DataError
from speechtl.s3_request import s3_request

# A Path makes one slash of two.
_SCHEME = re.compile(r"(https?|s3|gs):/{1,2}(?=[^/])")
# Seconds before each further attempt, and without an answer.
_PAUSES = (0.5, 2.0, 5.0)
_TIMEOUT = 60.0

Result = TypeVar("Result")


def is_remote(place: str | Path) -> bool:
    """Tell whether a place is an address and not a path."""
    return _SCHEME.match(str(place)) is not None


def address(place: str | Path) -> str:
    """Return a place as a string: an address with both of its slashes."""
    return _SCHEME.sub(r"\1://", str(place), count=1)


def read_remote(place: str, first: int = 0, size: int | None = None) -> bytes:
    """Read a file, or a part of it.

    Args:
        place: ``http://``, ``https://``, ``s3://`` or ``gs://``.
        first: offset in bytes.
        size: bytes; None for all from there on.

    Raises:
        DataError: it cannot be read, or ends before; names it.
    """
    read = _read_google if place.startswith("gs:") else _read_http
    content = _tried(place, lambda: read(place, first, size))
    if size is not None and len(content) < size:
        raise DataError(f"{place}: truncated (got {len(content)} of {size} bytes at {first}); copy the file again")
    return content


def fetch(place: str, path: Path) -> None:
    """Copy a file to ``path``, which is replaced.

    Raises:
        DataError: it cannot be read; names it.
    """
    copy = _copy_google if place.startswith("gs:") else _copy_http
    _tried(place, lambda: copy(place, path))


def _tried(place: str, act: Callable[[], Result]) -> Result:
    """Do something that a network may spoil, a few times."""
    for pause in (*_PAUSES, None):
        try:
            return act()
        except _Passing as error:
            if pause is None:
                raise DataError(f"{place}: cannot read: {error}; try again when the server answers") from error
            time.sleep(pause)
    raise AssertionError  # The loop returns or raises.


class _Passing(Exception):
    """What may go well the next time."""


def _open_http(place: str, headers: dict[str, str]) -> Any:
    in_s3 = place.startswith("s3:")
    request = s3_request(place, headers) if in_s3 else urllib.request.Request(place, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 429 or error.code >= 500:
            raise _Passing(f"{error.code} {error.reason}") from error
        advice = "check the address, AWS_REGION, AWS_ENDPOINT_URL and your keys" if in_s3 else "check the address"
        raise DataError(f"{place}: cannot read: {error.code} {error.reason}; {advice}") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise _Passing(str(getattr(error, "reason", error))) from error


def _read_http(place: str, first: int, size: int | None) -> bytes:
    last = "" if size is None else first + size - 1
    with _open_http(place, {"Range": f"bytes={first}-{last}"} if first or size is not None else {}) as answer:
        try:
            # A server that knows no ranges begins at the beginning.
            skip = first if answer.status == 200 else 0
            while skip:
                skipped = len(answer.read(min(skip, 1 << 20)))
                if not skipped:
                    return b""
                skip -= skipped
            return answer.read() if size is None else answer.read(size)
        except (http.client.HTTPException, OSError) as error:
            raise _Passing(str(error) or type(error).__name__) from error


def _copy_http(place: str, path: Path) -> None:
    with _open_http(place, {}) as answer, open(path, "wb") as file:
        try:
            shutil.copyfileobj(answer, file, 1 << 20)
        except http.client.HTTPException as error:
            raise _Passing(str(error) or type(error).__name__) from error
        expected = answer.headers.get("Content-Length")
        if expected and file.tell() != int(expected):
            raise _Passing(f"the connection broke off after {file.tell()} of {expected} bytes")


def _read_google(place: str, first: int, size: int | None) -> bytes:
    gfile, errors = _tensorflow()
    try:
        with gfile.GFile(place, "rb") as file:
            if first:
                file.seek(first)
            return file.read() if size is None else file.read(size)
    except errors.OutOfRangeError:
        return b""
    except errors.OpError as error:
        raise _explained(place, errors, error) from error


def _copy_google(place: str, path: Path) -> None:
    gfile, errors = _tensorflow()
    try:
        gfile.copy(place, os.fspath(path), overwrite=True)
    except errors.OpError as error:
        raise _explained(place, errors, error) from error


def _explained(place: str, errors: Any, error: Any) -> Exception:
    message = str(error.message).strip().partition("\n")[0]
    if isinstance(error, errors.NotFoundError | errors.PermissionDeniedError | errors.UnimplementedError):
        return DataError(f"{place}: cannot read: {message}; check the address and your credentials")
    return _Passing(message)


def _tensorflow() -> tuple[Any, Any]:
    import tensorflow as tf

    return tf.io.gfile, tf.errors
