"""Local copies of remote files, made ahead of their use and removed after it."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from speechtl.files import user_cache
from speechtl.remote_file import fetch
from speechtl.staging import staged_folder

# Files that are copied at a time, and ahead of those in use.
_THREADS, _AHEAD = 4, 4


@contextlib.contextmanager
def shard_copies(needed: Sequence[Collection[str]]) -> Iterator[Callable[[int], Mapping[str, str]]]:
    """Keep local copies of the remote files that a sequence of steps needs.

    Copies are in the user's cache. Each is there from shortly before its first use to its last one, so there are no
    more of them than are in use together, and a few ahead.

    Args:
        needed: addresses of the files of every step.

    Yields:
        A function that is called with the number of each step, in order: it waits for the copies of the files that the
        step needs, and returns address -> path. It raises a DataError if a file cannot be read.
    """
    first = {file: step for step, files in reversed(list(enumerate(needed))) for file in files}
    last = {file: step for step, files in enumerate(needed) for file in files}
    if not first:
        yield lambda step: {}
        return
    order = sorted(first, key=lambda file: (first[file], file))
    with staged_folder(user_cache() / "shards") as folder, ThreadPoolExecutor(_THREADS) as pool:
        copies: dict[str, Future[str]] = {}
        begun = 0

        def copy(number: int) -> str:
            path = folder / f"{number}.tar"
            fetch(order[number], path)
            return str(path)

        def ready(step: int) -> Mapping[str, str]:
            nonlocal begun
            for file in [file for file in copies if last[file] < step]:
                Path(copies.pop(file).result()).unlink(missing_ok=True)
            ahead = sum(first[file] > step for file in copies)
            while begun < len(order) and (ahead < _AHEAD or first[order[begun]] <= step):
                copies[order[begun]] = pool.submit(copy, begun)
                ahead += first[order[begun]] > step
                begun += 1
            return {file: copies[file].result() for file in needed[step]}

        try:
            yield ready
        finally:
            pool.shutdown(cancel_futures=True)
