"""Which head a language has."""

from collections.abc import Collection, Mapping

from speechtl.errors import ModelError


def head_name(language: str, head_of: Mapping[str, str], heads: Collection[str]) -> str:
    """Return the name of a language's head; the name of a head stands for itself.

    Args:
        language: a language, or a head.
        head_of: by language, the name of its head.
        heads: names of those that the model has.

    Raises:
        ModelError: the model has no head for ``language``.
    """
    name = head_of.get(language, language)
    if name not in heads:
        known = ", ".join(dict.fromkeys([*head_of, *heads])) or "none"
        raise ModelError(f"this model has no head for language '{language}'; it has: {known}")
    return name
