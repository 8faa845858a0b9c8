"""A lexicon without pronunciations, one word a line: they are guessed."""

from pathlib import Path

from speechtl.errors import LexiconError, list_problems
from speechtl.files import read_lines
from speechtl.g2p.new_words import Pronouncer, choose_pronouncer, guess_pronunciations
from speechtl.lang.lexicon import Lexicon


def guessed_lexicon(path: Path, model: str | Path | None, rules: str | None) -> Lexicon | None:
    """Return the words of a list with guessed pronunciations; None for a lexicon, or if nothing is to guess.

    Args:
        path: a lexicon, a folder of such, or a list of words.
        model: the file of a ``GraphemeToPhoneme``, or None.
        rules: the code of a language that has spelling rules, or None.

    Raises:
        LexiconError: the file cannot be read, or lists every word that cannot be pronounced.
    """
    pronouncer = choose_pronouncer(model=model, rules=rules) if path.is_file() else None
    if pronouncer is None or not is_word_list(path):
        return None
    return pronounce_word_list(path, pronouncer)


def is_word_list(path: Path) -> bool:
    """Whether every line of a file that is not empty is one word, so that it is no lexicon.

    Raises:
        LexiconError: the file cannot be read.
    """
    lines = [line.split() for line in read_lines(path, error=LexiconError, advice="give a lexicon or a list of words")]
    return any(lines) and all(len(fields) < 2 for fields in lines)


def pronounce_word_list(path: Path, pronouncer: Pronouncer) -> Lexicon:
    """Return the words of a list with their most probable pronunciation.

    Raises:
        LexiconError: lists every word that cannot be pronounced.
    """
    lines = read_lines(path, error=LexiconError, advice="give a list of words")
    words = dict.fromkeys(word for line in lines for word in line.split())
    guesses = guess_pronunciations(words, pronouncer, candidates=1)
    if guesses.problems:
        heading = f"{path}: {len(guesses.problems)} of {len(words)} words cannot be pronounced by guess"
        raise LexiconError(list_problems(heading, guesses.problems.values()))
    lexicon = Lexicon()
    for word, (best, *_) in guesses.lexicon.entries.items():
        lexicon.add(word, best.phones)
    return lexicon
