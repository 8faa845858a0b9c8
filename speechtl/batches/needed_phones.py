"""The phone inventory of the training data."""

from collections.abc import Sequence

from speechtl.batches.config import DataConfig
from speechtl.data.datadir import DataDir
from speechtl.errors import LexiconError
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.missing_words import known_spelling
from speechtl.lang.phone_inventory import PhoneInventory


def needed_phones(tables: Sequence[tuple[DataConfig, Lexicon | None]]) -> PhoneInventory:
    """Return the phones of the training transcripts (or, with ``phones``, lexicons) of one or several languages.

    Args:
        tables: ``[[data]]`` tables with their lexicons, None if ``text`` contains phones.

    Raises:
        LexiconError: a lexicon contains no word of its transcripts.
    """
    phones: set[str] = set()
    for data, lexicon in tables:
        words = {word for path in data.train for text in DataDir.load(path).text.values() for word in text.split()}
        if lexicon is None:
            phones |= words
            continue
        known = words & set(lexicon.words)
        if not known and data.train:
            raise LexiconError(
                f"{data.lexicon}: contains no word of the training transcripts; {_advice(words, lexicon)}"
            )
        wanted = known if data.phones == "transcripts" else lexicon.words
        phones.update(phone for word in wanted for option in lexicon.pronounce(word) for phone in option.phones)
    return PhoneInventory(sorted(phones))


def _advice(words: set[str], lexicon: Lexicon) -> str:
    """Say what to do where no word is in the lexicon: many are, if they are only written in another case."""
    spelled = {word: known_spelling(word, lexicon) for word in sorted(words)}
    word = next((word for word, known in spelled.items() if known), None)
    if word is not None:
        return f"it has '{spelled[word]}' for '{word}': write both alike (speechtl lexicon convert --case)"
    some = ", ".join(f"'{word}'" for word in sorted(words)[:3])
    return f"they have {some}; is it a lexicon of their language?"
