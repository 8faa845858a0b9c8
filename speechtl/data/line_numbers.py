"""Which line of a file each key stands in."""

import array
from collections.abc import Iterator, Mapping, Sequence


class LineNumbers(Mapping[str, int]):
    """Key -> number of its line, in file order; a few bytes each, since most are never asked for."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._numbers = array.array("L")
        self._found: dict[str, int] | None = None

    def add(self, key: str, number: int) -> None:
        """Enter a key that is not there yet."""
        self._keys.append(key)
        self._numbers.append(number)
        if self._found is not None:
            self._found[key] = number

    def extend(self, keys: Sequence[str], first: int) -> None:
        """Enter keys that are not there yet, of successive lines from ``first``."""
        self._keys += keys
        self._numbers.extend(range(first, first + len(keys)))
        self._found = None

    def same_keys(self, other: "LineNumbers") -> bool:
        """Tell whether both have the same keys in the same order, without looking any of them up."""
        return self._keys == other._keys

    def __getitem__(self, key: str) -> int:
        """Return the line of a key."""
        if self._found is None:
            self._found = dict(zip(self._keys, self._numbers, strict=True))
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._keys)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._keys)

    def pairs(self) -> Iterator[tuple[str, int]]:
        """Iterate over keys and numbers, without building a dictionary as ``items`` does."""
        return zip(self._keys, self._numbers, strict=True)
