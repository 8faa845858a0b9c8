"""How the inner loops of the search are compiled."""

import sys
from types import ModuleType

from numba import njit

_BLAS = "scipy.linalg.cython_blas"


def _skip_linear_algebra() -> None:
    """Let numba come up without ``scipy.linalg``, a tenth of the time that four seconds of speech take.

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


_skip_linear_algebra()

# Without the GIL, kept on disk, and without counting references to arrays: numba counts each array that is taken out of
# a tuple, at every call, by an atomic operation; that was a third of the time of the search. So a kernel must neither
# make arrays nor return any.
kernel = njit(nogil=True, cache=True, _nrt=False)  # type: ignore[call-overload]

# A step of a kernel, compiled into it: a call would pass every array of every structure.
step = njit(nogil=True, cache=True, _nrt=False, inline="always")  # type: ignore[call-overload]
