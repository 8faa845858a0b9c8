"""What the config of a checkpoint says, read with all its problems at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speechtl.errors import ModelError, list_problems


class Settings:
    """A JSON object whose values are asked for by name; transformers leaves out what has its default.

    Attributes:
        problems: what was wrong with the values that were asked for.
    """

    def __init__(self, table: Mapping[str, Any], origin: Path):
        """Take a table.

        Args:
            table: the object.
            origin: its file, for errors.
        """
        self._table, self._origin = table, origin
        self.problems: list[str] = []

    def number(self, name: str, default: int) -> int:
        """Return a positive integer."""
        found = self._table.get(name, default)
        if type(found) is int and found > 0:
            return found
        return self._wrong(name, found, "a positive integer", default)

    def numbers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return a row of positive integers."""
        found = self._table.get(name, default)
        if isinstance(found, list | tuple) and all(type(one) is int and one > 0 for one in found):
            return tuple(found)
        return self._wrong(name, found, "a list of positive integers", default)

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value."""
        found = self._table.get(name, default)
        return found if isinstance(found, bool) else self._wrong(name, found, "true or false", default)

    def word(self, name: str, default: str, known: tuple[str, ...]) -> str:
        """Return one of several words."""
        found = self._table.get(name, default)
        return found if found in known else self._wrong(name, found, " or ".join(known), default)

    def require(self, name: str, value: Any, why: str) -> None:
        """Note a problem if a value that is there is another one.

        Args:
            name: of the value.
            value: what it must be; None also stands for one that is not there.
            why: the reason.
        """
        found = self._table.get(name, value)
        if found != value:
            self._wrong(name, found, f"{value!r}: {why}", None)

    def check(self) -> None:
        """Raise an error if there were problems.

        Raises:
            ModelError: lists them.
        """
        if self.problems:
            raise ModelError(
                list_problems(f"{self._origin}: cannot be imported; choose another checkpoint", self.problems)
            )

    def _wrong(self, name: str, found: Any, expected: str, default: Any) -> Any:
        self.problems.append(f"{name}: {found!r}, expected {expected}")
        return default
