"""Phone inventories: the ordered phones of a model; and the conversions to IPA."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from speechtl.errors import LexiconError, list_problems
from speechtl.files import atomic_write, decode_lines, read_bytes
from speechtl.lang.ipa import normalise_ipa, split_ipa
from speechtl.lang.notations import arpabet_to_ipa, xsampa_to_ipa

__all__ = ["BLANK", "PhoneInventory", "arpabet_to_ipa", "normalise_ipa", "split_ipa", "xsampa_to_ipa"]

_LISTED = 20

# The name of unit 0, the CTC blank, in a symbol table.
BLANK = "<blk>"


class PhoneInventory:
    """An ordered set of phones; phone ``i`` is output unit ``i`` of a model, counted from 1.

    Unit 0 is the CTC blank and is not a phone.

    Args:
        phones: distinct phones, in the order of the units.

    Raises:
        LexiconError: a phone is empty, has white space in it, is the blank, or appears twice (all listed).
    """

    def __init__(self, phones: Iterable[str]):
        self.phones: tuple[str, ...] = tuple(phones)
        self._index = {phone: number for number, phone in enumerate(self.phones, start=1)}
        problems = [
            f"'{phone}' cannot be a phone; phones are not empty, have no white space, and {BLANK} is unit 0"
            for phone in self.phones
            if phone == BLANK or phone.split() != [phone]
        ]
        problems += [f"'{phone}' appears twice" for phone in self.phones if self.phones.count(phone) > 1]
        if problems:
            raise LexiconError(list_problems("phone inventory:", dict.fromkeys(problems)))

    @classmethod
    def load(cls, path: str | Path) -> "PhoneInventory":
        """Read a Kaldi symbol table: ``<blk> 0``, then ``phone number`` with the numbers 1, 2, ... in any order.

        Raises:
            LexiconError: the file cannot be read, or lists every bad line.
        """
        content = read_bytes(path, error=LexiconError, advice="give the path of a phone table")
        numbers: dict[int, str] = {}
        seen: dict[str, int] = {}
        problems = []
        for line, text, fault in decode_lines(content):
            if fault:
                problems.append(f"{path}:{line}: {fault}")
            fields = text.split()
            if not fields:
                continue
            if len(fields) != 2 or not fields[1].isdecimal():
                problems.append(f"{path}:{line}: expected 'phone number' (got '{' '.join(fields)}')")
                continue
            phone, number = fields[0], int(fields[1])
            if number in numbers:
                problems.append(f"{path}:{line}: number {number} already belongs to '{numbers[number]}'")
            elif phone in seen:
                problems.append(f"{path}:{line}: '{phone}' already has number {seen[phone]}")
            elif (phone == BLANK) != (number == 0):
                problems.append(
                    f"{path}:{line}: number 0 belongs to {BLANK} and to nothing else (got '{phone} {number}')"
                )
            numbers.setdefault(number, phone)
            seen.setdefault(phone, number)
        if not problems:
            if 0 not in numbers:
                problems.append(f"{path}: no line '{BLANK} 0'; a phone table starts with it")
            # A number may be so high that listing all below it would fill the memory.
            missing = (number for number in itertools.count(1) if number not in numbers)
            absent = max(numbers, default=0) + 1 - len({0, *numbers})
            problems += [f"{path}: no phone has number {next(missing)}" for _ in range(min(absent, _LISTED))]
            if absent > _LISTED:
                problems.append(f"{path}: {absent - _LISTED} more numbers have no phone")
        if problems:
            raise LexiconError(list_problems(f"{path}: not a phone table", problems))
        return cls(numbers[number] for number in range(1, len(numbers)))

    @classmethod
    def read(cls, path: str | Path) -> "PhoneInventory":
        """Read phones as people list them: in IPA with white space between them, lines that start with ``#`` left out.

        A Kaldi symbol table (see `load`) is read as one.

        Raises:
            LexiconError: the file cannot be read or has no phones; lists every phone that is not IPA or is there twice.
        """
        content = read_bytes(Path(path), error=LexiconError, advice="give a file of phones in IPA")
        phones: dict[str, int] = {}
        problems: list[str] = []
        for line, text, fault in decode_lines(content):
            fields = [] if text.startswith("#") else text.split()
            if fields == [BLANK, "0"] and not phones and not problems:
                return cls.load(path)
            if fault:
                problems.append(f"{path}:{line}: {fault}")
            for field in fields:
                try:
                    phone = normalise_ipa(field)
                except LexiconError as error:
                    problems.append(f"{path}:{line}: {error}")
                    continue
                if phone in phones:
                    problems.append(f"{path}:{line}: '{field}' is in line {phones[phone]} already")
                phones.setdefault(phone, line)
        if not phones and not problems:
            problems.append(f"{path}: no phones in it")
        if problems:
            raise LexiconError(list_problems(f"{path}: not a list of phones in IPA:", problems))
        return cls(phones)

    def save(self, path: str | Path) -> None:
        """Write the Kaldi symbol table, atomically.

        Raises:
            DataError: the file cannot be written.
        """
        with atomic_write(path) as file:
            file.write(f"{BLANK} 0\n")
            file.writelines(f"{phone} {number}\n" for number, phone in enumerate(self.phones, start=1))

    def index(self, phone: str) -> int:
        """Return the unit of a phone, from 1.

        Raises:
            LexiconError: the phone is not in the inventory; names the nearest ones.
        """
        try:
            return self._index[phone]
        except KeyError:
            raise LexiconError(self._unknown([phone])) from None

    def phone(self, index: int) -> str:
        """Return the phone of a unit from 1.

        Raises:
            LexiconError: there is no such unit, or it is the blank.
        """
        if not 1 <= index <= len(self.phones):
            raise LexiconError(f"no phone has unit {index}; units are 1 to {len(self.phones)}, and 0 is the blank")
        return self.phones[index - 1]

    def encode(self, phones: Iterable[str]) -> list[int]:
        """Return the units of phones.

        Raises:
            LexiconError: lists every phone that is not in the inventory, with the nearest ones.
        """
        phones = list(phones)
        try:
            return [self._index[phone] for phone in phones]
        except KeyError:
            raise LexiconError(self._unknown(phones)) from None

    def decode(self, indices: Sequence[int]) -> list[str]:
        """Return the phones of units from 1; a blank among them is an error."""
        return [self.phone(index) for index in indices]

    def nearest(self, phone: str, k: int = 3) -> list[str]:
        """Return the ``k`` phones of the inventory that are articulated most like ``phone``, nearest first.

        The distance is ``speechtl.lang.articulation.phone_distance``; a phone that is not IPA has no neighbours.
        """
        from speechtl.lang.articulation import phone_distance

        try:
            distances = {other: phone_distance(phone, other) for other in self.phones}
        except LexiconError:
            return []
        return sorted(self.phones, key=distances.__getitem__)[:k]

    def __len__(self) -> int:
        return len(self.phones)

    def __contains__(self, phone: object) -> bool:
        return phone in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self.phones)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PhoneInventory) and self.phones == other.phones

    def __hash__(self) -> int:
        return hash(self.phones)

    def __repr__(self) -> str:
        return f"PhoneInventory({' '.join(self.phones)})"

    def _unknown(self, phones: Iterable[str]) -> str:
        unknown = dict.fromkeys(phone for phone in phones if phone not in self._index)
        lines = []
        for phone in unknown:
            near = self.nearest(phone)
            lines.append(f"'{phone}' is not in the phone inventory" + (f"; nearest: {' '.join(near)}" if near else ""))
        return lines[0] if len(lines) == 1 else list_problems(f"{len(lines)} phones are not in the inventory:", lines)
