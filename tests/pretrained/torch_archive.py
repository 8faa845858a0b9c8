"""Files laid out as those of torch.save, made without torch: for what torch itself would not write."""

import pickle
import zipfile
from typing import NamedTuple

import numpy as np

KINDS = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage", "int8": "CharStorage"}


class Storage(NamedTuple):
    """A storage: its number in the archive and its values."""

    key: str
    array: np.ndarray


class Call(NamedTuple):
    """A call of a function, by its module, its name and its arguments."""

    module: str
    name: str
    arguments: tuple = ()


def opcodes(one):
    """Return the program that puts an object onto the stack of an unpickler."""
    if isinstance(one, Storage):
        count = one.array.size
        return (
            b"("
            + b"".join(map(opcodes, ("storage", Call("torch", KINDS[one.array.dtype.name], None))))
            + (b"".join(map(opcodes, (one.key, "cpu", count))) + b"tQ")
        )
    if isinstance(one, Call):
        name = f"c{one.module}\n{one.name}\n".encode()
        return name if one.arguments is None else name + opcodes(one.arguments) + b"R"
    if isinstance(one, tuple):
        return b"(" + b"".join(map(opcodes, one)) + b"t"
    if isinstance(one, list):
        return b"](" + b"".join(map(opcodes, one)) + b"e"
    if isinstance(one, dict):
        return b"}(" + b"".join(opcodes(key) + opcodes(value) for key, value in one.items()) + b"u"
    return pickle.dumps(one, protocol=2)[2:-1]


def pickled(content):
    """Return the pickle of an object."""
    return b"\x80\x02" + opcodes(content) + b"."


def tensor(key, array, size=None, stride=None, offset=0):
    """Return the call that makes a tensor of a storage."""
    size = array.shape if size is None else size
    stride = tuple(step // array.itemsize for step in array.strides) if stride is None else stride
    return Call("torch._utils", "_rebuild_tensor_v2", (Storage(key, array), offset, size, stride, False, {}))


def write_archive(path, content, storages=(), compression=zipfile.ZIP_STORED, byteorder="little"):
    """Write a file: ``content`` is pickled, unless it is bytes; storages are arrays, by number."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content if isinstance(content, bytes) else pickled(content))
        archive.writestr("archive/byteorder", byteorder)
        for number, array in enumerate(storages):
            archive.writestr(f"archive/data/{number}", np.ascontiguousarray(array).tobytes())
    return path
