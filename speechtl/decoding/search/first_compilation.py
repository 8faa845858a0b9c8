"""A note on why the first search on a machine takes so long: it is compiled, and kept for later."""

import logging

from numba.core import event

logger = logging.getLogger(__name__)


class _Note(event.Listener):
    def __init__(self, module: str) -> None:
        self._module, self._said = module, False

    def on_start(self, event: event.Event) -> None:
        """Say it, when the first function of the search is compiled; nothing is said of those that were kept."""
        if not self._said and event.data["dispatcher"].py_func.__module__ == self._module:
            self._said = True
            logger.info("compiling the search for this processor, once; this takes about a minute")

    def on_end(self, event: event.Event) -> None:
        """Nothing to do."""


def note_first_compilation(module: str) -> None:
    """From now on, say so when a function of a module, through which the search is called, has to be compiled."""
    event.register("numba:compile", _Note(module))
