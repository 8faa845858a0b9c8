"""The lexicon of spliced speech: its own words, and words that are single phones."""

from collections.abc import Iterable
from pathlib import Path

from speechtl.errors import LexiconError
from speechtl.files import read_lines
from speechtl.lang.lexicon import Lexicon

_LABEL = "_{}"


class SplicingLexicon:
    """A lexicon to which single phones can be added as words.

    One training can then use real utterances, whose transcripts are words, and spliced ones, whose transcripts are
    phones.
    """

    def __init__(self, path: Path):
        """Read the lexicon, in IPA; stress marks are kept, as they may be part of a model's phones.

        Raises:
            LexiconError: the file cannot be read or is wrong.
        """
        self._path, self._lexicon = path, Lexicon.load(path, stress="keep")

    def pronunciations(self, path: Path) -> dict[str, list[tuple[str, ...]]]:
        """Return the pronunciations of the words in a list, one per line; ``#`` starts a comment.

        Raises:
            DataError: the file cannot be read.
            LexiconError: a word is not in the lexicon.
        """
        words = [line.partition("#")[0].strip() for line in read_lines(path)]
        return {word: [option.phones for option in self._lexicon.pronounce(word)] for word in words if word}

    def add_phones(self, phones: Iterable[str]) -> str:
        """Add every phone ``p`` as a word ``_p``.

        Returns:
            The format of these words, for the ``label`` of the splicing functions.

        Raises:
            LexiconError: the lexicon already has such a word.
        """
        for phone in sorted(set(phones)):
            word = _LABEL.format(phone)
            if word in self._lexicon:
                raise LexiconError(f"{self._path}: has a word '{word}', the name of a spliced phone; rename the word")
            self._lexicon.add(word, [phone])
        return _LABEL

    def save(self, folder: Path) -> None:
        """Write the lexicon under its own name into a folder.

        Raises:
            DataError: it cannot be written.
        """
        self._lexicon.save(folder / self._path.name, any_name=True)
