"""The JSON Schema of results, as tests hold outputs against it."""

import json
from importlib.resources import files

import jsonschema

SCHEMA = json.loads((files("speechtl.recognition") / "result.schema.json").read_text(encoding="utf-8"))
_validator = jsonschema.Draft202012Validator(SCHEMA)


def valid(line):
    """Return what a line says; it must be as the schema says, with no other keys, and without infinities."""
    found = json.loads(line, parse_constant=_refuse)
    _validator.validate(found)
    assert found.keys() <= SCHEMA["properties"].keys()
    return found


def _refuse(name):
    raise AssertionError(f"{name} is not JSON")
