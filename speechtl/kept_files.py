"""Files that can be made again: how many of them a folder of the cache keeps."""

import contextlib
import math
from pathlib import Path


def remove_least_recent(
    folder: Path, pattern: str, own: Path, *, files: float = math.inf, size: float = math.inf
) -> None:
    """Remove what was not used for longest until no more than some files and bytes are kept in a folder.

    When a file was used is when it was changed: who reads it again says so with `os.utime`. Whoever is reading one that
    is removed still can. Other processes may add and remove files meanwhile.

    Args:
        folder: of the cache; it need not exist.
        pattern: the names that count.
        own: what has just been made, which stays, however large it is.
        files: at most.
        size: of all of them in bytes, at most.
    """
    kept = []
    # What another process is writing has a hidden name.
    for path in (path for path in folder.glob(pattern) if not path.name.startswith(".")):
        with contextlib.suppress(OSError):
            about = path.stat()
            kept.append((about.st_mtime_ns, path, about.st_size))
    number, total = len(kept), sum(bytes_ for _, _, bytes_ in kept)
    for _, path, bytes_ in sorted(kept):
        if number <= files and total <= size:
            break
        if path != own:
            with contextlib.suppress(OSError):  # What may not be removed stays; others go instead.
                path.unlink(missing_ok=True)
                number, total = number - 1, total - bytes_
