"""Files inside a binary resource file of Qt (.rcc). Standard library only.

The layout is that of Qt's ``rcc``: a header with the offsets of a tree, of data and of names; a node of the tree is a
folder (number and index of its children) or a file (offset of its data); data and names begin with their length.
"""

import struct
import zlib
from pathlib import Path

from data_dirs import fail

HEADER = struct.Struct(">4sIIII")
FOLDER, DEFLATED, ZSTANDARD = 2, 1, 4


def read_resources(path: Path) -> dict[str, bytes]:
    """Return the files of a resource file by their paths, such as ``gcompris/src/words.json``."""
    content = path.read_bytes()
    if len(content) < HEADER.size or not content.startswith(b"qres"):
        fail(f"{path}: not a resource file of Qt (rcc)")
    _, version, tree, data, names = HEADER.unpack_from(content)
    size = 14 if version < 2 else 22
    files: dict[str, bytes] = {}

    def visit(node: int, folder: str) -> None:
        start = tree + size * node
        name, flags = struct.unpack_from(">IH", content, start)
        if node:
            (letters,) = struct.unpack_from(">H", content, names + name)
            # Two bytes of length, four of a hash, then UTF-16.
            here = folder + content[names + name + 6 : names + name + 6 + 2 * letters].decode("utf-16-be")
        else:
            here = ""
        if flags & FOLDER:
            count, first = struct.unpack_from(">II", content, start + 6)
            for child in range(first, first + count):
                visit(child, f"{here}/" if here else "")
        elif flags & ZSTANDARD:
            fail(f"{path}: {here} is compressed with Zstandard, which is not read; pack it with rcc --no-zstd")
        else:
            (offset,) = struct.unpack_from(">I", content, start + 10)
            (length,) = struct.unpack_from(">I", content, data + offset)
            stored = content[data + offset + 4 : data + offset + 4 + length]
            # Before deflated data there is its length.
            files[here] = zlib.decompress(stored[4:]) if flags & DEFLATED else stored

    visit(0, "")
    return files
