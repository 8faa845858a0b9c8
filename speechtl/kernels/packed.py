"""Arguments of kernels as tables of addresses: what compiled code reads arrays and structures of them from."""

from collections.abc import Iterator
from typing import Any

import numpy as np

# Of numbers; arrays are the string of their type, their dimensions and whether their items lie apart, structures their
# class and their fields.
INTEGER, FLOAT, TRUTH = "int", "float", "bool"


class Packed:
    """An argument of a kernel: a number, an array, or a ``NamedTuple`` of such, also nested.

    It holds what was packed, and is right for as long as that is in its place; contents of arrays may change.

    Args:
        value: what the kernel is given. Arrays are aligned, of a native byte order, and contiguous in C's order, or a
            column.

    Attributes:
        kind: what it is, without shapes and values: arguments of the same kind are read by the same code.
        address: of the table.

    Raises:
        TypeError: something else is in it.
    """

    def __init__(self, value: Any):
        self.kind = kind_of(value)
        self._value = value
        entries = np.array(list(_entries(value)), np.int64)
        self._table, self.address = entries, entries.ctypes.data


def kind_of(value: Any) -> Any:
    """Return what an argument is, without shapes and values.

    Raises:
        TypeError: it is nothing that a kernel can be given.
    """
    if isinstance(value, np.ndarray):
        apart = value.ndim == 1 and value.strides[0] != value.itemsize
        if not ((apart or value.flags.c_contiguous) and value.flags.aligned and value.dtype.isnative):
            raise TypeError(
                f"an array of a kernel is contiguous and aligned (got {value.dtype}, strides {value.strides})"
            )
        return value.dtype.str, value.ndim, apart
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value), tuple(kind_of(field) for field in value)
    if isinstance(value, (bool, np.bool_)):
        return TRUTH
    if isinstance(value, (int, np.integer)):
        return INTEGER
    if isinstance(value, (float, np.floating)):
        return FLOAT
    raise TypeError(f"a kernel is given numbers, arrays and named tuples of them (got {type(value).__name__})")


def _entries(value: Any) -> Iterator[int]:
    """Yield what stands for a value: its bits, the address and the shape of an array, those of all fields."""
    if isinstance(value, np.ndarray):
        yield value.__array_interface__["data"][0]
        yield from value.shape
        if value.ndim == 1 and value.strides[0] != value.itemsize:
            yield value.strides[0]
    elif isinstance(value, tuple):
        for field in value:
            yield from _entries(field)
    elif isinstance(value, (float, np.floating)):
        yield int(np.float64(value).view(np.int64))
    else:
        yield int(value)
