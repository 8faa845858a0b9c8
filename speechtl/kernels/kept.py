"""Kernels as machine code that is kept: numba compiles once, and from then on LLVM alone loads them.

Numba takes half a second and fifty megabytes to come up, even where nothing is left to compile; that was half the time,
and a quarter of the memory, from a command to the words of four seconds of speech.
"""

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import importlib.metadata
import inspect
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llvmlite import binding

from speechtl.errors import DataError
from speechtl.files import atomic_write, user_cache
from speechtl.kept_files import remove_least_recent
from speechtl.kernels.kernel import Kernel
from speechtl.kernels.packed import Packed

logger = logging.getLogger(__name__)

_DIGEST = 32
# Of one kernel: for several kinds of arguments, processors and versions of the source.
_MOST = 12
# Numbers go as numba's functions pass them: where the result is written, where an exception would be, the argument.
_FUNCTION = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(ctypes.c_void_p), ctypes.c_int64
)
_lock = threading.RLock()
_said: set[str] = set()


class KeptKernel:
    """A kernel to be called from Python with arguments that are packed.

    Its machine code is kept beside its source (as numba and Python keep theirs), or else in the user's cache, by the
    content of all of its package's files, the processor and the versions of what compiles it.

    Args:
        kernel: the kernel; it returns a number or nothing.
        said: what is said, once, when something has to be compiled because it was not kept; nothing if empty.
    """

    def __init__(self, kernel: Kernel, said: str = ""):
        self._kernel, self._said = kernel, said
        self._functions: dict[tuple[int, ...], Any] = {}

    def __call__(self, *arguments: Packed) -> int:
        """Call it; return the number, 0 for nothing."""
        kinds = [argument.kind for argument in arguments]
        # Kinds are the same object where they are the same.
        function = self._functions.get(tuple(map(id, kinds))) or self._load(tuple(kinds))
        tables = (ctypes.c_int64 * len(arguments))(*[argument.address for argument in arguments])
        result, exception = ctypes.c_int64(0), ctypes.c_void_p()
        if function(ctypes.byref(result), ctypes.byref(exception), ctypes.addressof(tables)):
            raise RuntimeError(f"{self._kernel.py_func.__qualname__} failed")
        return result.value

    def _load(self, kinds: tuple[Any, ...]) -> Any:
        """Load the function for arguments of these kinds, as it was kept or compiled now."""
        with _lock:
            known = tuple(map(id, kinds))
            if known in self._functions:
                return self._functions[known]
            name = f"{self._kernel.__module__}.{self._kernel.py_func.__qualname__}"
            folder = Path(inspect.getfile(self._kernel.py_func)).parent
            key = "\n".join([_environment(), _sources(folder), *map(_described, kinds)])
            digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
            file = f"{name.removeprefix('speechtl.')}-{digest}.kernel"
            beside = folder / "__pycache__" / file
            places = (beside, user_cache() / "kernels" / file)
            found = _found(places)
            if found is None:
                with _alone(places):
                    found = _found(places) or self._compile(kinds, places)
            symbol, code = found
            function = self._functions[known] = _FUNCTION(_linked(symbol, code))
            return function

    def _compile(self, kinds: tuple[Any, ...], places: Sequence[Path]) -> tuple[str, bytes]:
        if self._said and self._said not in _said:
            _said.add(self._said)
            logger.info(self._said)
        from speechtl.kernels.compile import machine_code

        symbol, code = machine_code(self._kernel, kinds, _machine())
        content = symbol.encode() + b"\0" + code
        content = hashlib.blake2b(content, digest_size=_DIGEST).digest() + content
        for path in places:
            # Where nothing can be kept, it is compiled again at every start.
            with contextlib.suppress(DataError, OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(path, "wb") as stream:
                    stream.write(content)
                name, _, _ = path.name.rpartition("-")
                remove_least_recent(path.parent, f"{name}-*.kernel", path, files=_MOST)
                break
        return symbol, code


def _found(places: Sequence[Path]) -> tuple[str, bytes] | None:
    """Return what was kept in the first place that has it."""
    return next((found for path in places if (found := _read(path))), None)


@contextlib.contextmanager
def _alone(places: Sequence[Path]) -> Iterator[None]:
    """Wait while another process compiles the same: many workers begin at once. Where no lock can be, do not."""
    with contextlib.ExitStack() as stack:
        for path in places:
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o666)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                stack.callback(path.with_suffix(".lock").unlink, missing_ok=True)
                break
        yield


def _read(path: Path) -> tuple[str, bytes] | None:
    """Return what was kept; None if it was not, or is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.blake2b(content[_DIGEST:], digest_size=_DIGEST).digest() != content[:_DIGEST]:
        return None
    symbol, _, code = content[_DIGEST:].partition(b"\0")
    return symbol.decode(), code


def _described(kind: Any) -> str:
    """Return all that the code for an argument depends on, the names of fields included."""
    first, rest = (kind[0], kind[1:]) if isinstance(kind, tuple) else (kind, ())
    if not isinstance(first, type):
        return f"{first} {rest}"
    fields = zip(first._fields, rest[0], strict=True)  # type: ignore[attr-defined]
    return f"{first.__name__}({', '.join(f'{name}: {_described(field)}' for name, field in fields)})"


@functools.cache
def _environment() -> str:
    """Return what machine code depends on, apart from the source."""
    versions = [importlib.metadata.version(name) for name in ("numba", "llvmlite", "numpy")]
    features = binding.get_host_cpu_features().flatten()
    return "\n".join([sys.version, sys.platform, *versions, binding.get_host_cpu_name(), features])


@functools.cache
def _sources(folder: Path) -> str:
    """Return a digest of all files of the package that a kernel is in, and of what compiles it."""
    digest = hashlib.blake2b(digest_size=16)
    for path in (*sorted(folder.glob("*.py")), *sorted(Path(__file__).parent.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _machine() -> Any:
    """Return llvmlite's TargetMachine for this processor."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    x86 = binding.get_process_triple().startswith(("x86", "i686"))
    return binding.Target.from_triple(binding.get_process_triple()).create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=features,
        opt=3,
        reloc="static" if x86 else "default",
        codemodel="jitdefault",
        jit=True,
    )


# What holds loaded code, for as long as the process lives.
_engines: list[Any] = []


def _linked(symbol: str, code: bytes) -> int:
    """Return the address of the function, which stays where it is.

    Each has an engine of its own: numba's names count what a process has compiled, so those of two processes may be the
    same for different functions.
    """
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    address: int = engine.get_function_address(symbol)
    return address
