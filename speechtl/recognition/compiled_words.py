"""Vocabularies that were compiled before: a large one is read, checked and compiled once for each content.

What is kept is a file of arrays in the user's cache (`user_cache`), found by a digest of everything that it depends on.
It may be deleted at any time; a damaged one is made again.
"""

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import SEARCH_ONLY, LexiconDecoder
from speechtl.errors import DataError, LexiconError
from speechtl.files import read_bytes, user_cache
from speechtl.kept_files import remove_least_recent
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.stored_lexicon import StoredLexicon
from speechtl.recognition.mapped_arrays import load_mapped, save_mapped

logger = logging.getLogger(__name__)

# Of what is kept; to be raised with every change of what makes a decoder of a lexicon.
_VERSION = 1
# Bytes of a lexicon and its language model: smaller ones are compiled in no time.
WORTH_KEEPING = 1 << 18
# Bytes of all that is kept; what was not used for longest goes first.
_LIMIT = 2_000_000_000
Message = tuple[str, int, str]


def is_worth_keeping(lexicon: Lexicon, rules: Path | None) -> TypeGuard[StoredLexicon]:
    """Whether words are so many that they are kept; they must come from files.

    Args:
        lexicon: the words.
        rules: the file of the language model or the grammar, or None.
    """
    return isinstance(lexicon, StoredLexicon) and (lexicon.size >= WORTH_KEEPING or _size(rules) >= WORTH_KEEPING)


def compiled(
    lexicon: StoredLexicon,
    rules: Path | None,
    how: Sequence[object],
    inventory: PhoneInventory,
    config: DecodingConfig,
    compile_: Callable[[], LexiconDecoder],
) -> LexiconDecoder:
    """Return a decoder: as it was kept, or else compiled, and kept for the next time.

    What was logged when it was compiled is logged each time.

    Args:
        lexicon: the words.
        rules: the file of the language model or the grammar, or None.
        how: whatever else counts, in what JSON can hold.
        inventory: the model's phones.
        config: of the search.
        compile_: makes the decoder.
    """
    folder = user_cache() / f"words-{_VERSION}"
    key = _key(lexicon, rules, how, inventory, config)
    file = folder / f"{key}.words"
    try:
        arrays, messages = load_mapped(file)
        decoder = LexiconDecoder.unpack(arrays, inventory, config)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError, KeyError) as error:
        logger.warning(f"{file}: damaged ({error}); the words are compiled again")
    else:
        with contextlib.suppress(OSError):
            os.utime(file)
        for name, level, message in messages:
            logging.getLogger(name).log(level, message)
        return decoder
    with _heard() as messages:
        decoder = compile_()
    # Unless a file was replaced while it was read.
    again = StoredLexicon(lexicon.path, *lexicon.how)
    if key == _key(again, rules, how, inventory, config):
        try:
            save_mapped(file, decoder.pack(), messages)
            remove_least_recent(folder, "*.words", file, size=_LIMIT)
        except DataError as error:
            logger.info(f"{error}; without it, the words are compiled at every start (SPEECHTL_CACHE)")
    return decoder


def _size(rules: Path | None) -> int:
    with contextlib.suppress(OSError):
        return 0 if rules is None else rules.stat().st_size
    return 0


def _content(rules: Path | None) -> bytes:
    """Return the content of a file; nothing where there is none.

    Nothing also where it cannot be read: who compiles it says so.
    """
    with contextlib.suppress(LexiconError):
        return b"" if rules is None else read_bytes(rules, error=LexiconError)
    return b""


def _key(
    lexicon: StoredLexicon, rules: Path | None, how: Sequence[object], inventory: PhoneInventory, config: DecodingConfig
) -> str:
    about = {
        "lexicon": lexicon.key,
        "rules": hashlib.blake2b(_content(rules)).hexdigest(),
        # Messages name files.
        "places": [str(lexicon.path), str(rules)],
        "how": how,
        "phones": inventory.phones,
        "config": config.model_dump(mode="json", exclude=SEARCH_ONLY),
        "told": logger.isEnabledFor(logging.INFO),
    }
    return hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16).hexdigest()


class _Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append((record.name, record.levelno, record.getMessage()))


@contextlib.contextmanager
def _heard() -> Iterator[Sequence[Message]]:
    """Yield the list of what is logged in the block."""
    root, listening = logging.getLogger("speechtl"), _Listening()
    root.addHandler(listening)
    try:
        yield listening.messages
    finally:
        root.removeHandler(listening)
