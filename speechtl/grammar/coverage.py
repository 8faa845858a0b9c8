"""Whether a language model or a grammar and a lexicon have words in common; what has not is said, with counts."""

import logging
import unicodedata
from collections.abc import Container, Iterable
from pathlib import Path

import numpy as np

from speechtl.errors import LexiconError, list_problems
from speechtl.grammar.automaton import reachable
from speechtl.grammar.kneser_ney import END, START, UNKNOWN
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon

logger = logging.getLogger(__name__)

_EXAMPLES = 3


def tell_coverage(
    rules: NgramModel | WordGraph | None, lexicon: Lexicon, origin: str | Path, where: str | Path = "the lexicon"
) -> None:
    """Log which words of a lexicon a language model lacks, or which words of a grammar the lexicon lacks.

    A warning where words are lost: the language model has none of them, has them in another case, or has no ``<unk>``.

    Args:
        rules: the language model or the grammar; None for neither.
        lexicon: the words.
        origin: the file of ``rules``.
        where: the file of the lexicon.

    Raises:
        LexiconError: every sentence of a grammar has a word that the lexicon lacks.
    """
    if isinstance(rules, WordGraph):
        lacking = words_without_pronunciation(rules, lexicon)
        if lacking:
            heading = f"{origin} has words that {where} lacks; what has them cannot be found{_hint(lacking, lexicon)}:"
            logger.warning(list_problems(heading, lacking, limit=20))
    elif rules is not None:
        known = rules.vocabulary
        lacking = [word for word in lexicon.entries if word not in known]
        if lacking:
            _tell(lacking, known, len(lexicon), f"{origin}", f"{where}")


def words_without_pronunciation(words: NgramModel | WordGraph, lexicon: Lexicon) -> list[str]:
    """Return the words of a language model or a grammar that a lexicon lacks, sorted; they cannot be recognised.

    Raises:
        LexiconError: every sentence of a grammar has such a word.
    """
    if isinstance(words, NgramModel):
        return sorted(words.vocabulary - {START, END, UNKNOWN} - lexicon.entries.keys())
    if words.wildcard is not None:
        return []
    missing = sorted(words.vocabulary.keys() - lexicon.entries.keys())
    if missing and not _has_sentence_without(words, missing):
        some = ", ".join(missing[:10])
        problem = f"every sentence of the grammar has words that the lexicon lacks ({some})"
        raise LexiconError(f"{problem}{_hint(missing, lexicon) or '; give their pronunciations'}")
    return missing


def in_other_spelling(word: str, known: Container[str]) -> str | None:
    """Return how something that has words spells one: in another case or Unicode normal form; None if not at all."""
    variants = (word.lower(), word.upper(), word.capitalize(), word.casefold())
    forms = (unicodedata.normalize(form, one) for form in ("NFC", "NFD") for one in (word, *variants))
    return next((one for one in (*variants, *forms) if one != word and one in known), None)


def _tell(lacking: list[str], known: set[str], count: int, origin: str, where: str) -> None:
    fate = "count as <unk>" if UNKNOWN in known else "cannot be found, for it has no <unk>"
    some = f"{', '.join(lacking[:_EXAMPLES])}{', ...' if len(lacking) > _EXAMPLES else ''}"
    if len(lacking) == count:
        message = f"{origin} has none of the {count} words of {where} ({some}); all of them {fate}"
    else:
        message = f"{origin} lacks {len(lacking)} of the {count} words of {where} ({some}); they {fate}"
    hint = _hint(lacking, known)
    lost = hint or len(lacking) == count or UNKNOWN not in known
    logger.log(logging.WARNING if lost else logging.INFO, message + hint)


def _hint(lacking: Iterable[str], known: Container[str]) -> str:
    spelled = [(word, other) for word in lacking if (other := in_other_spelling(word, known)) is not None]
    if not spelled:
        return ""
    word, other = spelled[0]
    return (
        f"; {len(spelled)} of them are in it in another spelling ('{other}' for '{word}'): write both in one case "
        "(speechtl lexicon convert --case lower or upper)"
    )


def _has_sentence_without(graph: WordGraph, words: list[str]) -> bool:
    """Whether a grammar allows a sentence, of at least one word, with none of some words."""
    arrays = graph.arrays(1.0)
    known = np.ones(len(graph.vocabulary), bool)
    known[[graph.vocabulary[word] for word in words]] = False
    bounds = arrays.first_arc
    following = [
        [int(arrays.target[arc]) for arc in range(bounds[state], bounds[state + 1]) if known[arrays.word[arc]]]
        for state in range(len(bounds) - 1)
    ]
    after_a_word = {target for state in reachable([graph.start], following.__getitem__) for target in following[state]}
    return bool(np.isfinite(arrays.final[sorted(reachable(after_a_word, following.__getitem__))]).any())
