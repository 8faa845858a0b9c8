"""Dictionaries that come with other packages."""

import importlib.util
from pathlib import Path

from speechtl.errors import LexiconError
from speechtl.lang.lexicon import Lexicon


def english_dictionary_path() -> Path:
    """Return the path of the CMU pronouncing dictionary that the pocketsphinx package carries.

    134,860 pronunciations of American English in ARPABET without stress digits, words in lower case; BSD licence.

    Raises:
        LexiconError: pocketsphinx is not installed, or carries no dictionary.
    """
    # Looked up, not imported: the package starts a recogniser's C library.
    spec = importlib.util.find_spec("pocketsphinx")
    if spec is None or not spec.submodule_search_locations:
        raise LexiconError(
            "the English dictionary comes with pocketsphinx, which is not installed; "
            "pip install 'speechtl[dictionaries]'"
        )
    path = Path(spec.submodule_search_locations[0]) / "model" / "en-us" / "cmudict-en-us.dict"
    if not path.is_file():
        raise LexiconError(f"{path}: this pocketsphinx has no English dictionary; pip install -U 'pocketsphinx>=5'")
    return path


def build_english() -> Lexicon:
    """Return the full English lexicon in IPA, in the 39 phones of the CMU dictionary (see ``ARPABET``).

    Raises:
        LexiconError: see ``english_dictionary_path``.
    """
    return Lexicon.load(english_dictionary_path(), notation="arpabet")
