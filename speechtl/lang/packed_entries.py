"""The words of a lexicon in flat arrays, which are read from a file at once and looked up without being unpacked."""

import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property

import numpy as np

from speechtl.lang.lexicon_file import Pronunciation

_FIELDS = ("words", "phones", "first", "length", "units", "probability")


def pack_texts(texts: Iterable[str]) -> np.ndarray:
    """Return texts as bytes ``(bytes,)`` uint8, for `unpack_texts`."""
    return np.frombuffer(json.dumps(list(texts)).encode(), np.uint8)


def unpack_texts(packed: np.ndarray) -> list[str]:
    """Return the texts that were packed."""
    return json.loads(packed.tobytes())


def below(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return the arrays under ``name/``, by the rest of their names."""
    return {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}


class PackedEntries(MutableMapping[str, list[Pronunciation]]):
    """Words and their pronunciations as `Lexicon.entries` has them; a pronunciation is made when it is asked for.

    Args:
        arrays: what `pack_entries` returned.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self.words = unpack_texts(arrays["words"])
        self._phones = unpack_texts(arrays["phones"])
        self._first, self._length, self._units, self._probability = (arrays[name] for name in _FIELDS[2:])
        self._changed: dict[str, list[Pronunciation]] = {}

    def __copy__(self) -> "PackedEntries":
        other = PackedEntries.__new__(PackedEntries)
        other.__dict__.update(self.__dict__, _changed=dict(self._changed))
        return other

    @cached_property
    def _number(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def _start(self) -> np.ndarray:
        """Where the phones of each pronunciation begin."""
        return np.append(0, np.cumsum(self._length, dtype=np.int64))

    def __getitem__(self, word: str) -> list[Pronunciation]:
        if word in self._changed:
            return self._changed[word]
        number = self._number[word]
        return [self._pronunciation(option) for option in range(self._first[number], self._first[number + 1])]

    def __setitem__(self, word: str, options: list[Pronunciation]) -> None:
        self._changed[word] = options

    def __delitem__(self, word: str) -> None:
        raise TypeError(f"'{word}': words can be added, and not taken away")

    def __iter__(self) -> Iterator[str]:
        yield from self.words
        yield from (word for word in self._changed if word not in self._number)

    def __len__(self) -> int:
        return len(self.words) + sum(word not in self._number for word in self._changed)

    def __contains__(self, word: object) -> bool:
        return word in self._changed or word in self._number

    def _pronunciation(self, option: int) -> Pronunciation:
        units = self._units[self._start[option] : self._start[option + 1]]
        return Pronunciation(tuple([self._phones[unit] for unit in units]), float(self._probability[option]))


def pack_entries(entries: Mapping[str, Sequence[Pronunciation]]) -> dict[str, np.ndarray]:
    """Return words and pronunciations as arrays, for `PackedEntries`."""
    options = [option for some in entries.values() for option in some]
    phones = {phone: unit for unit, phone in enumerate(dict.fromkeys(p for one in options for p in one.phones))}
    counts = np.fromiter((len(some) for some in entries.values()), np.int64, len(entries))
    length = np.fromiter((len(option.phones) for option in options), np.int64, len(options))
    units = (phones[phone] for option in options for phone in option.phones)
    return {
        "words": pack_texts(entries),
        "phones": pack_texts(phones),
        "first": np.append(0, np.cumsum(counts)),
        "length": length.astype(np.uint32),
        "units": np.fromiter(units, np.uint16, int(length.sum())),
        "probability": np.fromiter((option.probability for option in options), np.float64, len(options)),
    }
