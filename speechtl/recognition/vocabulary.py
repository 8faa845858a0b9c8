"""The words that a transcription may find: a lexicon, and words that were added a second ago."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.batches.config import DataConfig
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import LexiconError, list_problems
from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
from speechtl.g2p.new_words import Pronouncer, parse_new_words
from speechtl.grammar.read import read_lm_or_grammar, words_without_pronunciation
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon, Notation
from speechtl.lang.phone_mapping import describe_replacements, map_lexicon

if TYPE_CHECKING:
    from speechtl.experiment.experiment import Experiment


def read_lexicon(
    given: str | Path | None, own: str | Path, notation: Notation, data: DataConfig, new_words: Sequence[str]
) -> Lexicon:
    """Return the lexicon to decode with: the one that was given, or the experiment's own.

    Args:
        given: a file, or None.
        own: the file in the experiment directory, which exists if it was trained with a lexicon.
        notation: of the given file.
        data: how the experiment reads lexicons (stress, tone).
        new_words: if there are some, no lexicon at all is an empty one.

    Raises:
        LexiconError: the file is wrong, or there is none and no new word either.
    """
    if given is not None:
        return Lexicon.load(given, notation=notation, stress=data.stress, tone=data.tone)
    if Path(own).is_file():
        return Lexicon.load(own, stress="keep", tone="keep")
    if new_words:
        return Lexicon()
    raise LexiconError(
        f"{own}: this model was trained without a lexicon; give one with --lexicon, or words with --add-word, or take "
        "--phones"
    )


def make_decoder(
    experiment: "Experiment",
    lexicon: Lexicon | None = None,
    *,
    language: str | None = None,
    new_words: Sequence[str] = (),
    notation: Notation = "ipa",
    g2p: str | Path | None = None,
    lm: str | Path | None = None,
    grammar: str | Path | None = None,
    config: DecodingConfig | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> LexiconDecoder:
    """Build a decoder for the words of a lexicon and some more.

    Phones that the model lacks are replaced by the nearest that it has; ``say`` is told.

    Args:
        experiment: the model, its phones, and by default its lexicon and the settings of its search.
        lexicon: the words; None for those that the language was trained with.
        language: which head; may be None if there is only one.
        new_words: ``WORD=PHONES``, or ``WORD`` to have its phones guessed.
        notation: how the new words write phones.
        g2p: the file of a grapheme-to-phoneme model that guesses; without it, one is trained on the lexicon.
        lm: the file of a language model (see ``read_language_model``); without it, any word may follow any word.
        grammar: in its place, the file of a grammar of commands (see ``read_grammar``).
        config: settings of the search; None for the experiment's ``[decoding]``.
        say: called with each line that the user should know.

    Raises:
        LexiconError: the lexicon, the language model, the grammar or a new word is wrong, or there are both a
            language model and a grammar.
        ModelError: the model lacks the language, or has several and none was named.
    """
    inventory = experiment.inventory(language)
    lexicon = experiment.lexicon(language) if lexicon is None else lexicon
    words, replaced = map_lexicon(lexicon, inventory)
    if replaced:
        say(f"lexicon: {describe_replacements(replaced)}")
    if new_words:
        guess = _pronouncer(lexicon, g2p) if any("=" not in text for text in new_words) else None
        for new in parse_new_words(new_words, guess, inventory, notation=notation):
            for note in new.notes:
                say(note)
            for option in new.pronunciations:
                words.add(new.word, option.phones, option.probability)
    rules = read_lm_or_grammar(lm, grammar)
    if isinstance(rules, WordGraph) and (lacking := words_without_pronunciation(rules, words)):
        heading = f"{grammar} has words without a pronunciation; what has them cannot be found:"
        say(list_problems(heading, lacking, limit=20))
    decoder = LexiconDecoder(words, inventory, rules, config or experiment.config.decoding)
    # A large lexicon is no mistake where commands need few of its words.
    if decoder.unreachable_words and not isinstance(rules, WordGraph):
        heading = f"{lm} lacks words and has no <unk>; they cannot be found:"
        say(list_problems(heading, decoder.unreachable_words, limit=20))
    return decoder


def _pronouncer(lexicon: Lexicon, path: str | Path | None) -> Pronouncer | None:
    """Return what guesses pronunciations, or None where there is nothing to learn from."""
    if path is not None:
        return GraphemeToPhoneme.load(path)
    return GraphemeToPhoneme.train(lexicon) if len(lexicon) else None
