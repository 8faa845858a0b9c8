"""How inner loops are written: functions that numba compiles, and that only those who compile them import it for."""

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_BLAS = "scipy.linalg.cython_blas"


class Kernel:
    """A function that numba can compile, alone or into other kernels.

    It releases the GIL and runs without counting references to arrays: numba counts each array that is taken out of a
    tuple, at every call, by an atomic operation; that was a third of the time of the search. So a kernel must neither
    make arrays nor return any: who calls it gives it all room that it needs.

    Numba takes half a second and fifty megabytes to come up, so a `Kernel` does not import it; numba takes a `Kernel`
    for what it makes of it. Called from Python, it is compiled for the types of its arguments; that is meant for those
    who develop kernels, and `speechtl.kernels.kept` for all others.

    Args:
        function: the loop, in the Python that numba knows.
        inline: it is compiled into its callers: a call would pass every array of every structure.
    """

    def __init__(self, function: Callable[..., Any], *, inline: bool = False):
        self.py_func = function
        self._inline = inline
        functools.update_wrapper(self, function)

    @functools.cached_property
    def dispatcher(self) -> Any:
        """What numba makes of the function."""
        _skip_linear_algebra()
        from numba import njit

        options: dict[str, Any] = {"nogil": True, "_nrt": False} | ({"inline": "always"} if self._inline else {})
        return njit(**options)(self.py_func)

    def __call__(self, *arguments: Any) -> Any:
        """Call what numba makes of the function."""
        return self.dispatcher(*arguments)

    @property
    def _numba_type_(self) -> Any:
        """By this numba calls a kernel from a kernel."""
        return self.dispatcher._numba_type_

    @property
    def targetoptions(self) -> dict[str, Any]:
        """By this numba knows what is compiled into its callers."""
        options: dict[str, Any] = self.dispatcher.targetoptions
        return options


def kernel(function: Callable[..., Any]) -> Kernel:
    """Mark a function as a `Kernel`."""
    return Kernel(function)


def step(function: Callable[..., Any]) -> Kernel:
    """Mark a function as a `Kernel` that is compiled into its callers."""
    return Kernel(function, inline=True)


def _skip_linear_algebra() -> None:
    """Let numba come up without ``scipy.linalg``.

    Numba imports that module, with all around it, only to find out whether products of matrices could be compiled. It
    looks for it again when some are, and then finds the module itself, not what stands for it here.
    """
    if _BLAS in sys.modules:
        return
    sys.modules[_BLAS] = ModuleType(_BLAS)
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules[_BLAS]
