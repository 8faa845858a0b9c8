"""Chatter of other libraries, kept off the screen."""

import contextlib
import os
import threading
from collections.abc import Iterator

_muting = threading.Lock()


@contextlib.contextmanager
def muted(wanted: bool = True) -> Iterator[None]:
    """Send what C code writes to file descriptor 2 nowhere: the MP3 decoder of libsndfile cannot be told to be quiet.

    Args:
        wanted: False to do nothing.
    """
    if not wanted:
        yield
        return
    with _muting:
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(nowhere)
            os.close(kept)
