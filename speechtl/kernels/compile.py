"""From a kernel to machine code, by numba: for arguments of one kind, in a file that stands alone."""

from collections.abc import Iterator
from typing import Any

from llvmlite import binding
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from speechtl.kernels.kernel import Kernel
from speechtl.kernels.packed import FLOAT, INTEGER, TRUTH

# What the code may call that it does not contain: the C library alone, so that it can be loaded without numba.
_C_LIBRARY = {"memcpy", "memmove", "memset", "exp", "expf", "log", "logf", "log1p", "log1pf"}


def machine_code(kernel: Kernel, kinds: tuple[Any, ...], machine: Any) -> tuple[str, bytes]:
    """Compile a kernel.

    Args:
        kernel: the kernel.
        kinds: of its arguments, see ``packed``.
        machine: llvmlite's TargetMachine.

    Returns:
        The name of the function and an object file. The function takes the address of a table with the addresses of the
        arguments' tables, and writes what the kernel returns, a number or nothing.

    Raises:
        NotImplementedError: the code needs more than the C library, as one that makes arrays does.
    """
    options: dict[str, Any] = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    entry = njit(**options)(_entry(kernel, kinds))
    signature = types.int64(types.int64)
    entry.compile(signature)
    compiled = entry.overloads[signature.args]
    module = binding.parse_assembly(compiled.library.get_llvm_str())
    needed = {
        function.name
        for function in module.functions
        if function.is_declaration and not function.name.startswith("llvm.")
    }
    if missing := needed - _C_LIBRARY:
        raise NotImplementedError(f"{kernel.py_func.__qualname__} calls {', '.join(sorted(missing))}")
    return compiled.fndesc.llvm_func_name, machine.emit_object(module)


@intrinsic
def _array(typing: Any, address: Any, shape: Any, stride: Any, dtype: Any) -> Any:
    """Make an array of what is at an address: contiguous in the order of C, or of items that lie ``stride`` apart."""
    array = types.Array(dtype.dtype, len(shape), "C" if stride == types.none else "A")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = arrayobj.make_array(array)(context, builder)
        item = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
        lengths = cgutils.unpack_tuple(builder, arguments[1], len(shape))
        strides = [item if stride == types.none else arguments[2]]
        for length in reversed(lengths[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        data = builder.inttoptr(arguments[0], made.data.type)
        arrayobj.populate_array(made, data=data, shape=lengths, strides=strides, itemsize=item, meminfo=None)
        return made._getvalue()

    return array(address, shape, stride, dtype), generate


@intrinsic
def _number(typing: Any, value: Any) -> Any:
    """Turn what a kernel returns into a whole number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if value == types.none:
            return context.get_constant(types.int64, 0)
        return context.cast(builder, arguments[0], value, types.int64)

    return types.int64(value), generate


def _entry(kernel: Kernel, kinds: tuple[Any, ...]) -> Any:
    """Return a function that reads the tables and calls the kernel."""
    names: dict[str, Any] = {"kernel": kernel.dispatcher, "array": _array, "number": _number}
    lines = ["def entry(arguments):", f" tables = array(arguments, ({len(kinds)},), None, int64)"]
    names["int64"], names["float64"] = types.int64, types.float64
    read = []
    for number, kind in enumerate(kinds):
        size = _size(kind)
        # Twice: the same bits are whole numbers or not.
        lines.append(f" i{number} = array(tables[{number}], ({size},), None, int64)")
        lines.append(f" f{number} = array(tables[{number}], ({size},), None, float64)")
        read.append(_read(kind, str(number), iter(range(size)), names))
    lines.append(f" return number(kernel({', '.join(read)}))")
    exec("\n".join(lines), names)
    return names["entry"]


def _read(kind: Any, table: str, places: Iterator[int], names: dict[str, Any]) -> str:
    """Return the expression that reads an argument, or a field of one."""
    if kind == INTEGER:
        return f"i{table}[{next(places)}]"
    if kind == TRUTH:
        return f"(i{table}[{next(places)}] != 0)"
    if kind == FLOAT:
        return f"f{table}[{next(places)}]"
    first, rest, *apart = kind
    if apart:
        names[name := f"type_{first[1:]}"] = getattr(types, _NAMES[first[1:]])
        address, shape = next(places), [next(places) for _ in range(rest)]
        lengths = "".join(f"i{table}[{place}], " for place in shape)
        stride = f"i{table}[{next(places)}]" if apart[0] else "None"
        return f"array(i{table}[{address}], ({lengths}), {stride}, {name})"
    names[first.__name__] = first
    return f"{first.__name__}({', '.join(_read(field, table, places, names) for field in rest)})"


_NAMES = {"b1": "boolean", "u1": "uint8", "i2": "int16", "i4": "int32", "i8": "int64", "f4": "float32", "f8": "float64"}


def _size(kind: Any) -> int:
    """Return how many entries of a table an argument takes."""
    if isinstance(kind, str):
        return 1
    _, rest, *apart = kind
    return 1 + rest + apart[0] if apart else sum(_size(field) for field in rest)
