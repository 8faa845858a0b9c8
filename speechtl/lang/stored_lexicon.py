"""A lexicon file whose content is known before its words are read."""

import hashlib
from functools import cached_property
from pathlib import Path

from speechtl.errors import LexiconError
from speechtl.files import read_bytes
from speechtl.lang.ipa import Stress, Tone
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.lexicon_file import Entries, Notation, read_lexicon


class StoredLexicon(Lexicon):
    """A lexicon whose file is read when its words are asked for first; see `Lexicon.load` for the arguments.

    Attributes:
        path: the file.
        size: its bytes.
        how: it is read: notation, stress, tone.
        key: of its content and of how it is read.

    Raises:
        LexiconError: the file cannot be read; and, when words are asked for, what `Lexicon.load` raises.
    """

    def __init__(self, path: Path, notation: Notation = "ipa", stress: Stress = "drop", tone: Tone = "keep"):
        self.path = path
        self.how = notation, stress, tone
        content = read_bytes(path, error=LexiconError, advice="give the path of a lexicon")
        # The name counts, too: it may say that there are probabilities.
        self.size, key = len(content), hashlib.blake2b(repr((*self.how, path.name)).encode(), digest_size=16)
        key.update(content)
        self.key = key.hexdigest()

    @cached_property
    def entries(self) -> Entries:  # type: ignore[override]
        """Word to its pronunciations."""
        return read_lexicon(self.path, *self.how)
