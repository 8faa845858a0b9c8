"""Arguments of kernels as tables of addresses: what compiled code reads arrays and structures of them from."""

from typing import Any

import numpy as np

# Of numbers; arrays are the string of their type, their dimensions and whether their items lie apart, structures their
# class and their fields.
INTEGER, FLOAT, TRUTH = "int", "float", "bool"
# Every kind that there is, once: then it takes no time to see that two are the same.
_kinds: dict[Any, Any] = {}


class Packed:
    """An argument of a kernel: a number, an array, or a ``NamedTuple`` of such, also nested.

    It is right for as long as what was packed is in its place; contents of arrays may change. Packing takes a few
    microseconds an array, so what is used again is packed once.

    Args:
        value: what the kernel is given. Arrays are aligned, of a native byte order, and contiguous in C's order, or a
            column.

    Attributes:
        value: what was packed.
        kind: what it is, without shapes and values: arguments of the same kind are read by the same code.
        address: of the table.

    Raises:
        TypeError: something else is in it.
    """

    __slots__ = ("_table", "address", "kind", "value")

    def __init__(self, value: Any):
        entries: list[int] = []
        kind = _pack(value, entries)
        self.value, self.kind = value, _kinds.setdefault(kind, kind)
        self._table = np.array(entries, np.int64)
        self.address: int = self._table.__array_interface__["data"][0]


def _pack(value: Any, entries: list[int]) -> Any:
    """Append what stands for a value: its bits, the address and the shape of an array, those of all fields.

    Returns:
        What it is, without shapes and values.
    """
    if isinstance(value, np.ndarray):
        interface = value.__array_interface__
        shape, dtype, strides = value.shape, interface["typestr"], interface["strides"]
        entries.append(interface["data"][0])
        entries.extend(shape)
        apart = strides is not None and len(shape) == 1
        if apart:
            entries.append(strides[0])
        if dtype[0] == ">" or (strides is not None and not apart) or not value.flags.aligned:
            raise TypeError(f"an array of a kernel is contiguous and aligned (got {value.dtype}, {value.strides})")
        return dtype, len(shape), apart
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value), tuple([_pack(field, entries) for field in value])
    if isinstance(value, (bool, np.bool_)):
        entries.append(int(value))
        return TRUTH
    if isinstance(value, (int, np.integer)):
        entries.append(int(value))
        return INTEGER
    if isinstance(value, (float, np.floating)):
        entries.append(int(np.float64(value).view(np.int64)))
        return FLOAT
    raise TypeError(f"a kernel is given numbers, arrays and named tuples of them (got {type(value).__name__})")
