"""Many lines of a table at once, where nothing is wrong with them."""

import operator
import sys
from collections.abc import Iterator
from itertools import islice

from speechtl.data.line_numbers import LineNumbers

_BLOCK = 1 << 20  # Bytes that are read together: all of a table as lines would take as much memory again.


class Order:
    """Which keys come before the one of the line above them.

    Attributes:
        previous: the key of the last line.
        count: of such lines.
        first: of them: its number, its key and the one above.
    """

    def __init__(self) -> None:
        self.previous, self.count, self.first = "", 0, (0, "", "")

    def add(self, number: int, key: str) -> None:
        """Compare the key of the next line."""
        if key < self.previous:
            self.count += 1
            if self.count == 1:
                self.first = number, key, self.previous
        self.previous = key


def blocks(content: bytes) -> Iterator[bytes]:
    """Cut the content of a file into blocks of whole lines."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start + _BLOCK) + 1 or len(content)
        yield content[start:end]
        start = end


def plain_entries(block: bytes, value_required: bool) -> tuple[list[str], list[str]] | None:
    """Return the keys and values of lines that have nothing remarkable, None for others.

    It is what reading them one by one does, without a step of Python for each check of each line.
    """
    if b"\t" in block or b"\r" in block:
        return None
    try:
        lines = block.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None
    if not lines[-1]:
        del lines[-1]
    # A line that begins with a space has no key here.
    pairs = [line.partition(" ") for line in lines]
    keys, values = [key for key, _, _ in pairs], [value.strip(" ") for _, _, value in pairs]
    if not all(keys) or not "".join(keys).isprintable() or (value_required and not all(values)):
        return None
    return keys, values


def add_all(
    entries: dict[str, str], lines: LineNumbers, order: Order, first: int, keys: list[str], values: list[str]
) -> bool:
    """Add the entries of successive lines, unless a key is repeated; tell whether it was done."""
    # Sorted as all before them, they are new, and need not be looked up.
    rising = not order.count and order.previous < keys[0] and all(map(operator.lt, keys, islice(keys, 1, None)))
    if not rising and (len(set(keys)) < len(keys) or not entries.keys().isdisjoint(keys)):
        return False
    # The same names are in all tables: kept once, they take a fraction of the memory.
    keys = list(map(sys.intern, keys))
    entries.update(zip(keys, values, strict=True))
    lines.extend(keys, first)
    if rising:
        order.previous = keys[-1]
    else:
        for number, key in enumerate(keys, start=first):
            order.add(number, key)
    return True
