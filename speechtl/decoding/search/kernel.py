"""How the inner loops of the search are compiled."""

from numba import njit

# Without the GIL, kept on disk, and without counting references to arrays: numba counts each array that is taken out of
# a tuple, at every call, by an atomic operation; that was a third of the time of the search. So a kernel must neither
# make arrays nor return any.
kernel = njit(nogil=True, cache=True, _nrt=False)  # type: ignore[call-overload]

# A step of a kernel, compiled into it: a call would pass every array of every structure.
step = njit(nogil=True, cache=True, _nrt=False, inline="always")  # type: ignore[call-overload]
