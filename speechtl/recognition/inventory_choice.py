"""Which phones may be recognised: those of a trained head, or others where the model scores phones by attributes."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, cast, get_args

from speechtl.errors import ConfigError
from speechtl.experiment.language_choice import is_new
from speechtl.experiment.speech_model import SpeechModel
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

logger = logging.getLogger(__name__)

Word = Literal["auto", "model", "lexicon", "all"]
InventoryChoice = Word | Path


def parse_inventory(text: str | Path) -> InventoryChoice:
    """Return what ``--inventory`` says: one of its words, or a file.

    Raises:
        ConfigError: it is neither.
    """
    for word in get_args(Word):
        if text == word:
            return cast(Word, word)
    if not Path(text).is_file():
        raise ConfigError(
            f"--inventory {text}: no such file; give a file of phones in IPA, or one of the words auto, model (the "
            "phones of a trained head), all (those of all languages of the model) and lexicon (those of --lexicon)"
        )
    return Path(text)


def settle_inventory(
    choice: InventoryChoice, model: Callable[[], SpeechModel], language: str | None, *, lexicon: bool, words: bool
) -> InventoryChoice:
    """Return which phones, where that is left open: those of a trained head, unless the language is new to the model.

    Args:
        choice: what was asked for; ``"auto"`` leaves it open.
        model: returns the model.
        language: that is named, or None.
        lexicon: whether a lexicon of one language was given.
        words: whether words are looked for, not phones alone.
    """
    if choice != "auto":
        return choice
    if lexicon:
        return "lexicon" if is_new(model(), language, lexicon=True) else "model"
    if not words and is_new(model(), language, lexicon=True):
        logger.info(
            f"phones of all languages of the model ({', '.join(model().languages)}); --language takes those of one"
        )
        return "all"
    return "model"


def choose_phones(
    choice: InventoryChoice, lexicon: Lexicon | None, inventories: Iterable[PhoneInventory]
) -> PhoneInventory:
    """Return the phones to recognise where they are not those of one head.

    Args:
        choice: not ``"model"``.
        lexicon: for ``"lexicon"``, the words.
        inventories: for ``"all"``, the phones of each head.

    Raises:
        LexiconError: the file is wrong.
    """
    if isinstance(choice, Path):
        return PhoneInventory.read(choice)
    if choice == "lexicon":
        return PhoneInventory(sorted((lexicon or Lexicon()).phones()))
    return PhoneInventory(dict.fromkeys(phone for inventory in inventories for phone in inventory))
