"""The decoding vocabulary: a lexicon plus words added at run time, and a language model or a grammar over them."""

import dataclasses
import logging
from pathlib import Path

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import ConfigError, LexiconError
from speechtl.experiment.directory import ExperimentDirectory, no_lexicon
from speechtl.g2p.new_words import NewWord, Pronouncer, choose_pronouncer, parse_new_words
from speechtl.g2p.word_list import guessed_lexicon
from speechtl.grammar.coverage import tell_coverage
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.read import read_lm_or_grammar
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon, Notation
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.phone_mapping import MissingPhones, fit_lexicon
from speechtl.recognition.compiled_words import compiled, is_worth_keeping
from speechtl.recognition.inventory_choice import InventoryChoice

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Which words may be recognised, and in which order; files are read when a decoder is made.

    Attributes:
        lexicon: pronunciations, or a folder with ``LANGUAGE.txt``; with ``rules`` or ``g2p`` also words alone, one a
            line, to be guessed; None for those that the model was trained with.
        add_words: more words, ``WORD=PHONES``, or ``WORD`` to have its phones guessed.
        notation: how ``lexicon`` and ``add_words`` write phones.
        g2p: a grapheme-to-phoneme model to guess with; None trains one on the lexicon when it is needed.
        rules: in its place, the code of a language whose spelling rules are used.
        lm: a language model; None lets any word follow any word.
        grammar: in its place, a grammar of commands.
        own_lm: ``lm`` is the model's own, which says what words there are.
        inventory: ``"auto"``, what the language and the lexicon suggest; ``"model"``, the phones of a trained head;
            with a model that has the method ``attributes`` also ``"lexicon"``, all phones of the lexicon, in training
            or not; ``"all"``, those of all languages of the model; or a file of phones.
        missing_phones: phones that the model lacks are replaced by the ``"nearest"``, or ``"refuse"``d.
    """

    lexicon: Path | None = None
    add_words: tuple[str, ...] = ()
    notation: Notation = "ipa"
    g2p: Path | None = None
    rules: str | None = None
    lm: Path | None = None
    grammar: Path | None = None
    own_lm: bool = False
    inventory: InventoryChoice = "auto"
    missing_phones: MissingPhones = "nearest"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ConfigError: says which options.
        """
        if self.lm and self.grammar:
            raise ConfigError("--lm and --grammar both define the word sequences; give one of them")
        if self.inventory == "lexicon" and self.lexicon is None:
            raise ConfigError("--inventory lexicon takes the phones of a lexicon; give it with --lexicon")

    @property
    def of_one_language(self) -> bool:
        """Whether anything here is of a single language."""
        several = self.lexicon is None or self.lexicon.is_dir()
        return bool(self.add_words or self.lm or self.grammar or not several)

    def words(self, directory: ExperimentDirectory, language: str | None) -> Lexicon | None:
        """Return the lexicon to decode with: the one that was given, or the model's own; None where there is none.

        Raises:
            LexiconError: the file is wrong.
        """
        if self.lexicon is not None:
            guessed = guessed_lexicon(self.lexicon, self.g2p, self.rules)
            return guessed or directory.read_lexicon(self.lexicon, language, self.notation)
        if language is not None and directory.lexicon(language).is_file():
            return directory.own_lexicon(language)
        return Lexicon() if self.add_words else None

    def with_own_lm(self, directory: ExperimentDirectory, language: str) -> "Vocabulary":
        """Return this with the language model that the model has for its own words, unless others are looked for."""
        own = directory.language_model(language)
        if self.lexicon or self.lm or self.grammar or not own.is_file():
            return self
        return dataclasses.replace(self, lm=own, own_lm=True)

    def pronouncer(self, lexicon: Lexicon) -> Pronouncer | None:
        """Return what guesses pronunciations, None where there is nothing to learn from."""
        return choose_pronouncer(lexicon, model=self.g2p, rules=self.rules)

    def new_words(self, lexicon: Lexicon, inventory: PhoneInventory) -> list[NewWord]:
        """Return the added words with their pronunciations in the model's phones, and log what was guessed.

        Raises:
            LexiconError: lists everything that is wrong with any of them.
        """
        texts = [self.with_known_phones(text, lexicon) for text in self.add_words]
        guess = self.pronouncer(lexicon) if any("=" not in text for text in texts) else None
        words = parse_new_words(texts, guess, inventory, notation=self.notation)
        for word in words:
            for note in word.notes:
                logger.info(note)
        return words

    def with_known_phones(self, text: str, lexicon: Lexicon) -> str:
        """Return ``WORD=PHONES`` for a word that a dictionary has and the model's own language model lacks."""
        word = text.strip()
        # What says its phones does not need the lexicon to be read.
        if "=" in word or not self.own_lm or self.notation != "ipa" or word not in lexicon:
            return text
        return f"{word}={' '.join(lexicon.phones_of([word]))}"

    def extend(self, lexicon: Lexicon, inventory: PhoneInventory, *, guess_from: Lexicon | None = None) -> None:
        """Add the new words to a lexicon.

        Args:
            lexicon: that is changed.
            inventory: the model's phones.
            guess_from: the lexicon that guesses are learned from; None for ``lexicon``.

        Raises:
            LexiconError: lists everything that is wrong with any of them.
        """
        lexicon.merge(self.added(lexicon if guess_from is None else guess_from, inventory))

    def added(self, guess_from: Lexicon, inventory: PhoneInventory) -> Lexicon:
        """Return the added words alone; see `new_words`."""
        words = Lexicon()
        for new in self.new_words(guess_from, inventory):
            for option in new.pronunciations:
                words.add(new.word, option.phones, option.probability)
        return words

    def fit(self, lexicon: Lexicon, inventory: PhoneInventory) -> Lexicon:
        """Return the words of a lexicon and those that are added, in the model's phones; see `fit_lexicon`.

        Raises:
            LexiconError: phones that cannot be replaced or are refused, or what is wrong with an added word.
        """
        words = fit_lexicon(lexicon, inventory, self.missing_phones)
        self.extend(words, inventory, guess_from=lexicon)
        return words

    def compile(self, lexicon: Lexicon, inventory: PhoneInventory) -> tuple[Lexicon, NgramModel | WordGraph | None]:
        """Return the words to look for, in the model's phones, and the language model or grammar over them.

        Of a model's own dictionary these are the words that its own language model has; others can be added.

        Raises:
            LexiconError: see `fit` and `read_rules`.
        """
        if not self.own_lm:
            words = self.fit(lexicon, inventory)
            return words, self.read_rules(words)
        rules = read_lm_or_grammar(self.lm, None)
        known = rules.vocabulary if rules is not None else ()
        words = fit_lexicon(lexicon.only(known), inventory, self.missing_phones)
        self.extend(words, inventory, guess_from=lexicon)
        return words, rules

    def read_rules(self, lexicon: Lexicon) -> NgramModel | WordGraph | None:
        """Read the language model or the grammar, and log which words it and the lexicon do not share.

        Raises:
            LexiconError: the file is wrong, or no sentence of the grammar is left.
        """
        rules = read_lm_or_grammar(self.lm, self.grammar)
        tell_coverage(rules, lexicon, str(self.lm or self.grammar), str(self.lexicon or "the lexicon"))
        return rules


def missing_lexicon(directory: ExperimentDirectory, language: str) -> LexiconError:
    """Return what to raise where words are wanted and a model has no lexicon."""
    return no_lexicon(directory.lexicon(language), language, ", or words with --add-word, or take --phones")


def make_decoder(
    lexicon: Lexicon,
    inventory: PhoneInventory,
    config: DecodingConfig,
    vocabulary: Vocabulary | None = None,
) -> LexiconDecoder:
    """Build a decoder for the words of a lexicon and those that the vocabulary adds, or take what was kept of it.

    Phones that the model lacks are replaced by the nearest that it has, and this is logged.

    Args:
        lexicon: the words.
        inventory: the model's phones.
        config: of the search.
        vocabulary: added words, and the language model or grammar.

    Raises:
        LexiconError: the lexicon, the language model, the grammar or a new word is wrong.
    """
    vocabulary = vocabulary or Vocabulary()

    def compile_with(some: Vocabulary) -> LexiconDecoder:
        words, rules = some.compile(lexicon, inventory)
        return LexiconDecoder(words, inventory, rules, config)

    rules = vocabulary.lm or vocabulary.grammar
    if not is_worth_keeping(lexicon, rules):
        return compile_with(vocabulary)
    # Without the added words, which differ from one time to the next.
    plain = dataclasses.replace(vocabulary, add_words=())
    try:
        how = (str(plain.lexicon), plain.grammar is not None, plain.own_lm, plain.missing_phones)
        decoder = compiled(lexicon, rules, how, inventory, config, lambda: compile_with(plain))
    except LexiconError:
        if not vocabulary.add_words:
            raise
        # They may be the only ones that the language model has.
        return compile_with(vocabulary)
    added = vocabulary.added(lexicon, inventory).entries if vocabulary.add_words else {}
    if not all(decoder.takes(word, option.phones) for word, options in added.items() for option in options):
        return compile_with(vocabulary)
    for word, options in added.items():
        for option in options:
            decoder.add_word(word, option.phones, option.probability)
    return decoder
