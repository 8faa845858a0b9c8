"""The languages that have spelling rules: a file ``rules/LANGUAGE.rules`` each."""

import functools
from pathlib import Path

FOLDER = Path(__file__).parent / "rules"


@functools.cache
def rule_languages() -> tuple[str, ...]:
    """Return their ISO 639-1 codes, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.rules")))
