"""The options of verbs that look for words, all in one place: a verb has them by one parameter."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from speechtl.cli import options


@dataclasses.dataclass(frozen=True)
class PronunciationOptions:
    """Which words there are and how they are said; names and meanings are those of `speechtl.load`."""

    lexicon: options.Lexicon = None
    add_word: options.AddWord = None
    notation: options.Notation = "ipa"
    missing_phones: options.MissingPhones = "nearest"
    g2p: options.G2p = None
    rules: options.Rules = None
    language: options.Language = None

    def arguments(self) -> dict[str, Any]:
        """Return them as arguments of `speechtl.load`, `speechtl.decode` and `speechtl.align`."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"add_words": tuple(given.pop("add_word") or ()), **given}


@dataclasses.dataclass(frozen=True)
class SearchOptions(PronunciationOptions):
    """The same with what may follow what, and how it is searched."""

    lm: options.Lm = None
    grammar: options.Grammar = None
    config: options.Config = None
    settings: options.Settings = None
    beam: options.Beam = None

    def arguments(self) -> dict[str, Any]:
        """Return them as arguments of `speechtl.load` and `speechtl.decode`."""
        given = super().arguments()
        short = options.decoding_settings(given.pop("settings"), given.pop("beam"), given.pop("oov", None))
        return {**given, "settings": short}


@dataclasses.dataclass(frozen=True)
class DecodingOptions(SearchOptions):
    """The same for speech that is there as a whole, by any phones and by any number of threads."""

    oov: options.Oov = None
    inventory: options.Inventory = "auto"
    speaker: options.Speaker = None
    nbest: options.Nbest = 1
    jobs: options.SearchThreads = None


def with_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the fields of its parameter ``words``, a dataclass, as options of its own, in its place."""
    signature = inspect.signature(verb, eval_str=True)
    kind = signature.parameters["words"].annotation
    hints = get_type_hints(kind, include_extras=True)
    fields = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(kind)
    ]
    parameters = []
    for parameter in signature.parameters.values():
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
        parameters += fields if parameter.name == "words" else own

    @functools.wraps(verb)
    def run(**given: Any) -> None:
        words = kind(**{field.name: given.pop(field.name) for field in fields})
        verb(**given, words=words)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
