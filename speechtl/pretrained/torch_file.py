"""Tensors in a file of ``torch.save``, read without PyTorch, and without executing anything.

Such a file is a zip archive: ``data.pkl``, a pickle of a dictionary whose tensors refer to storages, and the storages
as plain numbers in ``data/0``, ``data/1`` and so on. A pickle is a program that may call any function that it names.
Here it gets inert objects for the few names that tensors need, and any other name is an error.
"""

import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.errors import ModelError
from speechtl.pretrained.pickle_program import check_pickle
from speechtl.pretrained.stored_tensor import StoredTensor, refuse_another_file

# By class of storage: the type of its numbers and the bytes of one.
_STORAGES = {
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "DoubleStorage": ("float64", 8),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
}
_ADVICE = (
    "take a checkpoint with model.safetensors, or convert it: "
    "safetensors.torch.save_file(torch.load(FILE, weights_only=True), ...)"
)


# What reading a damaged archive raises, besides.
_CUT_OFF = (zipfile.BadZipFile, OSError, UnicodeDecodeError, RuntimeError, struct.error)
# What reading a damaged pickle raises; the file's fault, since nothing of ours runs in between.
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
)


def read_torch_file(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file by name; their values are read when they are asked for.

    Raises:
        ModelError: the file is missing, truncated, of another format, or names anything but tensors.
    """
    refuse_another_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            found = _Unpickler(path, archive).load()
    except _CUT_OFF as error:
        raise ModelError(
            f"{path}: not a whole file of torch.save ({error}): cut off, or of a PyTorch before 1.6; {_ADVICE}"
        ) from error
    except _BROKEN as error:
        raise ModelError(f"{path}: its data.pkl is damaged ({error}); download it again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: holds {type(found).__name__}, not a dictionary of tensors; {_ADVICE}")
    if others := [str(name) for name, one in found.items() if not isinstance(one, _Tensor)]:
        raise ModelError(
            f"{path}: holds more than tensors ({', '.join(others[:5])}): a state of training, not a model; {_ADVICE}"
        )
    return {str(name): one.stored() for name, one in found.items()}


def _require_plain(member: zipfile.ZipInfo) -> None:
    """Refuse what torch.save never writes: a compressed member might be far larger than the file."""
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise pickle.UnpicklingError(f"{member.filename} is compressed")


class _Inert:
    """An object that a pickle may pass on, but neither change nor look into."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("an object is given a state that it cannot have")


class _Callable(_Inert):
    """Stands for a function that a pickle may call."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


class _StorageClass(_Inert):
    """Stands for a class of storages, ``torch.FloatStorage``."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name


class _Dictionary(dict[str, Any]):
    """Stands for an OrderedDict; the attributes that PyTorch gives it (versions of modules) are left out."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Storage(_Inert):
    """A row of numbers in the archive."""

    __slots__ = ("count", "file", "member", "number")

    def __init__(self, file: Path, member: str, number: str, count: int):
        self.file, self.member, self.number, self.count = file, member, number, count

    def read(self) -> np.ndarray:
        try:
            with zipfile.ZipFile(self.file) as archive:
                content = archive.read(self.member)
        except (*_CUT_OFF, *_BROKEN) as error:
            raise ModelError(f"{self.file}: {self.member} is damaged ({error}); download it again") from error
        if self.number == "bfloat16":
            # The upper half of a float32.
            return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(content, np.dtype(self.number).newbyteorder("<"))


class _Tensor(_Inert):
    """A view of a storage."""

    __slots__ = ("offset", "size", "storage", "stride")

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any):
        """Take the arguments of ``torch._utils._rebuild_tensor_v2``, which has more."""
        whole = isinstance(storage, _Storage) and isinstance(size, tuple) and isinstance(stride, tuple)
        if not whole or not all(type(number) is int and number >= 0 for number in (offset, *size, *stride)):
            raise pickle.UnpicklingError("a tensor of something else than numbers")
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if 0 not in size and (last >= storage.count or math.prod(size) > storage.count):
            raise pickle.UnpicklingError(f"a tensor of {size} reaches beyond {storage.member}")
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def stored(self) -> StoredTensor:
        return StoredTensor(self.size, self.storage.number, self.storage.file, self.read)

    def read(self) -> np.ndarray:
        flat = self.storage.read()[self.offset :]
        # Within the storage, as was checked.
        return np.lib.stride_tricks.as_strided(flat, self.size, [step * flat.itemsize for step in self.stride]).copy()


class _Unpickler(pickle.Unpickler):
    """Reads ``data.pkl`` of an archive."""

    def __init__(self, path: Path, archive: zipfile.ZipFile):
        self._path, self._archive = path, archive
        members = archive.namelist()
        names = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(names) != 1:
            raise ModelError(f"{path}: a zip archive without data.pkl, not a file of torch.save; {_ADVICE}")
        self._folder = names[0].removesuffix("data.pkl")
        order = f"{self._folder}byteorder"
        if order in members and self._read(order) != b"little":
            raise ModelError(f"{path}: of a big-endian machine; {_ADVICE}")
        program = self._read(names[0])
        check_pickle(program)
        super().__init__(io.BytesIO(program))

    def _read(self, name: str) -> bytes:
        _require_plain(self._archive.getinfo(name))
        return self._archive.read(name)

    def find_class(self, module: str, name: str) -> Any:
        """Return an inert object for a name that tensors need."""
        if (module, name) == ("collections", "OrderedDict"):
            return _Callable(lambda: _Dictionary())
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Callable(_Tensor)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _Callable(lambda tensor, *_: tensor)
        if module == "torch" and name in _STORAGES:
            return _StorageClass(name)
        raise ModelError(
            f"{self._path}: its pickle names {module}.{name}, which tensors do not need and which could do anything; "
            f"nothing was executed. {_ADVICE.capitalize()}, if you trust the file"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a tensor refers to."""
        kind, storage_class, key, _, count = pid
        plain = isinstance(key, str) and type(count) is int
        if kind != "storage" or not isinstance(storage_class, _StorageClass) or not plain:
            raise pickle.UnpicklingError("a reference to something else than a storage")
        number, size = _STORAGES[storage_class.name]
        member = self._archive.getinfo(f"{self._folder}data/{key}")
        _require_plain(member)
        if member.file_size != count * size:
            raise pickle.UnpicklingError(f"{member.filename} has {member.file_size} bytes, not {count * size}")
        return _Storage(self._path, member.filename, number, count)
