"""Which words may be recognised, as callers give them."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath, optional_path

if TYPE_CHECKING:
    from speechtl.lang.lexicon import Notation
    from speechtl.lang.phone_mapping import MissingPhones
    from speechtl.recognition.vocabulary import Vocabulary


def read_vocabulary(
    lexicon: StrPath | None = None,
    add_words: Sequence[str] = (),
    notation: "Notation" = "ipa",
    missing_phones: "MissingPhones" = "nearest",
    g2p: StrPath | None = None,
    rules: str | None = None,
    lm: StrPath | None = None,
    grammar: StrPath | None = None,
    inventory: StrPath = "auto",
) -> "Vocabulary":
    """Return the vocabulary that arguments of `speechtl.load`, `speechtl.decode` or `speechtl.align` mean.

    Raises:
        ConfigError: arguments that do not go together.
    """
    from speechtl.recognition.inventory_choice import parse_inventory
    from speechtl.recognition.vocabulary import Vocabulary

    return Vocabulary(
        lexicon=optional_path(lexicon),
        add_words=tuple(add_words),
        notation=notation,
        missing_phones=missing_phones,
        g2p=optional_path(g2p),
        rules=rules,
        lm=optional_path(lm),
        grammar=optional_path(grammar),
        inventory=parse_inventory(os.fspath(inventory)),
    )
