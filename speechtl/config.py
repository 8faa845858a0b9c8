"""Configuration: TOML files into frozen, checked sections, with ``section.key=value`` overrides."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import pydantic

from speechtl.errors import ConfigError, list_problems
from speechtl.files import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Section(pydantic.BaseModel):
    """Base of every configuration section: frozen, and an unknown key is an error."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


AnySection = TypeVar("AnySection", bound=Section)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: the file is missing, not UTF-8, or not TOML; names file and line.
    """
    text = read_text(path, error=ConfigError, advice="give the path of a TOML file")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not the TOML of a config: {error}") from error


def override(table: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return a copy of ``table`` with ``section.key=value`` settings applied.

    A value is parsed as TOML (``3``, ``true``, ``[1, 2]``); anything that is not TOML is a string. A number in the key
    indexes a list of tables (``transfer.0.weight=0.5``).

    Raises:
        ConfigError: a setting without ``=``, or a key that does not lead through tables.
    """
    result = _copy(table)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {setting}: expected section.key=value")
        *parents, last = key.strip().split(".")
        place: Any = result
        try:
            for parent in parents:
                place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
            place[int(last) if isinstance(place, list) else last] = _parse_value(text.strip())
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            raise ConfigError(f"--set {setting}: '{key}' does not name a setting of this config") from error
    return result


def parse(section: type[AnySection], table: Mapping[str, Any], origin: str | Path) -> AnySection:
    """Validate a table as a section.

    Args:
        section: the section class.
        table: the keys and values read from TOML.
        origin: the file (and section) named in errors.

    Raises:
        ConfigError: lists every unknown key, missing key and bad value at once.
    """
    try:
        return section.model_validate(table)
    except pydantic.ValidationError as error:
        problems = []
        for item in error.errors():
            where = ".".join(str(part) for part in item["loc"])
            if item["type"] == "extra_forbidden":
                known = ", ".join(sorted(_fields_at(section, item["loc"][:-1])))
                problems.append(f"{where}: unknown key" + (f"; known keys: {known}" if known else ""))
            elif item["type"] == "missing":
                problems.append(f"{where}: missing; set it in the config or with --set")
            elif item["type"] in ("union_tag_invalid", "union_tag_not_found"):
                key = f"{where}.{item['ctx']['discriminator']}".replace("'", "")
                known = item["ctx"].get("expected_tags", "").replace("'", "")
                wrong = (
                    f"unknown '{item['ctx']['tag']}'; known: {known}" if known else "missing; it says which kind it is"
                )
                problems.append(f"{key}: {wrong}")
            else:
                problems.append(f"{where}: {item['msg']} (got {item['input']!r})")
        count = len(problems)
        raise ConfigError(list_problems(f"{origin}: {count} problem{'s' * (count > 1)}", problems)) from error


def _fields_at(section: type[Section], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section at ``location``, or nothing if it is not a plain section."""
    current: Any = section
    for part in location:
        if isinstance(part, int):
            current = next(iter(get_args(current)), None)  # tuple[Section, ...]
            continue
        # In a discriminated union, the location contains the value of the discriminator.
        tagged = [one for one in _members(current) if part in _tags(one)]
        field = getattr(current, "model_fields", {}).get(part)
        current = tagged[0] if tagged else field.annotation if field is not None else None
        if isinstance(current, UnionType) and len(members := _members(current)) == 1:
            current = members[0]  # Section | None
    return list(getattr(current, "model_fields", {}))


def _members(annotation: Any) -> list[Any]:
    """Return the sections of ``Annotated[A | B, ...]`` or ``A | B``."""
    inner = get_args(annotation)
    if getattr(annotation, "__metadata__", None):
        inner = get_args(inner[0])
    return [one for one in inner if isinstance(one, type) and issubclass(one, pydantic.BaseModel)]


def _tags(section: type[pydantic.BaseModel]) -> set[Any]:
    return {tag for field in section.model_fields.values() for tag in get_args(field.annotation)}


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
