"""Words in the transcripts that the lexicon does not have."""

from collections.abc import Sequence
from pathlib import Path

from speechtl.adaptation.recordings import read_tables
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
from speechtl.g2p.new_words import parse_new_words
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.lexicon_file import Notation


def new_words(
    source: Path,
    language: str,
    lexicon: Lexicon | None,
    data: Path,
    words: Sequence[str],
    g2p: Path | None,
    notation: Notation,
) -> Lexicon | None:
    """Return pronunciations of new words, in the model's phones.

    Args:
        source: the experiment.
        language: whose phones and lexicon.
        lexicon: of the words; None for the experiment's own.
        data: recordings; with ``g2p``, the words of their transcripts that the lexicon lacks are guessed.
        words: ``WORD=PHONES``, or ``WORD`` to be guessed.
        g2p: a model of spelling, or None.
        notation: how ``words`` write phones.

    Raises:
        LexiconError: words that cannot be read or guessed, all listed.
    """
    wanted = list(words)
    model = GraphemeToPhoneme.load(g2p) if g2p is not None else None
    if model is not None:
        kept = ExperimentDirectory(source)
        own = lexicon or (kept.own_lexicon(language) if kept.lexicon(language).is_file() else Lexicon())
        named = {word.partition("=")[0].strip() for word in words}
        spoken = {word for text in read_tables(data).text.values() for word in text.split()}
        wanted += sorted(spoken - set(own.words) - named)
    if not wanted:
        return None
    inventory = ExperimentDirectory(source).inventory(language)
    added = Lexicon()
    for new in parse_new_words(wanted, model, inventory, notation=notation):
        for said in new.pronunciations:
            added.add(new.word, said.phones)
    return added
