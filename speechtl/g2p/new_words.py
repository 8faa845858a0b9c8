"""New words of a lexicon: ``Kubernetes=k u b ə n ɛ t i z``, or ``Kubernetes`` alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from speechtl.errors import LexiconError, list_problems
from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
from speechtl.g2p.kept_model import learned_from
from speechtl.g2p.spelling_rules import SpellingRules
from speechtl.lang.ipa import normalise_ipa, split_ipa
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.lexicon_file import Notation, Pronunciation
from speechtl.lang.notations import arpabet_to_ipa, xsampa_to_ipa
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.phone_mapping import describe_replacements, map_to_inventory

# Candidates less likely than this, relative to the best, cause more confusions than they are worth.
MINIMUM_PROBABILITY = 0.1


class Pronouncer(Protocol):
    """A source of guessed pronunciations: ``GraphemeToPhoneme`` or ``SpellingRules``."""

    @property
    def caution(self) -> str:
        """Why the guesses should be checked, in one line; empty if they are reliable."""

    def pronounce(self, word: str, n: int = 3) -> list[Pronunciation]:
        """Return up to ``n`` pronunciations, best first."""


class NewWord(NamedTuple):
    """A word to add to a lexicon.

    Attributes:
        word: its spelling.
        pronunciations: best first, the best with probability 1.0.
        notes: for the user: that the pronunciation is a guess, which phones were replaced; one line each.
    """

    word: str
    pronunciations: list[Pronunciation]
    notes: list[str]


class AddedWord(NamedTuple):
    """What became of a new word.

    Attributes:
        new: the word.
        known: the pronunciations that the lexicon had already.
        added: those that were added.
    """

    new: NewWord
    known: list[tuple[str, ...]]
    added: list[tuple[str, ...]]


class Guesses(NamedTuple):
    """Guessed pronunciations.

    Attributes:
        lexicon: the words, their pronunciations with probabilities, best first.
        problems: word -> why it has no guess, in one line.
    """

    lexicon: Lexicon
    problems: dict[str, str]


def choose_pronouncer(
    lexicon: Lexicon | None = None, *, model: str | Path | None = None, rules: str | None = None
) -> Pronouncer | None:
    """Return what guesses pronunciations: spelling rules, a stored model, or one that is trained on a lexicon now.

    Args:
        lexicon: to train on if neither of the others is given; of a large file the model is kept, see `learned_from`.
        model: the file of a ``GraphemeToPhoneme``.
        rules: the code of a language that has spelling rules, see ``SpellingRules``.

    Returns:
        None if none of the three is given, or the lexicon is empty.

    Raises:
        LexiconError: both a model and rules are given, there are no such rules, or the model cannot be read.
    """
    if model is not None and rules is not None:
        raise LexiconError(f"a model ({model}) and spelling rules ({rules}) to guess with; give one of them")
    if rules is not None:
        return SpellingRules.load(rules)
    if model is not None:
        return GraphemeToPhoneme.load(model)
    return learned_from(lexicon) if lexicon is not None and len(lexicon) else None


def guess_pronunciations(words: Iterable[str], pronouncer: Pronouncer, candidates: int = 3) -> Guesses:
    """Guess the pronunciations of words.

    Args:
        words: distinct spellings.
        pronouncer: what guesses.
        candidates: maximum number of pronunciations per word.
    """
    guesses = Guesses(Lexicon(), {})
    for word in words:
        try:
            options = pronouncer.pronounce(word, candidates)
        except LexiconError as error:
            guesses.problems[word] = str(error)
            continue
        for option in options:
            # A lexicon has no room for a probability of zero.
            guesses.lexicon.add(word, option.phones, max(round(option.probability, 4), 1e-4))
    return guesses


def add_new_words(lexicon: Lexicon, words: Iterable[NewWord], *, with_probabilities: bool) -> list[AddedWord]:
    """Add words to a lexicon; pronunciations that a word has already stay as they are.

    Args:
        lexicon: is changed.
        words: from ``parse_new_words``.
        with_probabilities: keep the probabilities of pronunciations; otherwise all get 1.0.
    """
    result = []
    for new in words:
        known = [option.phones for option in lexicon.entries.get(new.word, [])]
        options = [option for option in new.pronunciations if option.phones not in known]
        for option in options:
            lexicon.add(new.word, option.phones, option.probability if with_probabilities else 1.0)
        result.append(AddedWord(new, known, [option.phones for option in options]))
    return result


def parse_new_word(
    text: str,
    g2p: Pronouncer | None = None,
    inventory: PhoneInventory | None = None,
    *,
    candidates: int = 3,
    notation: Notation = "ipa",
) -> NewWord:
    """Read ``WORD=PHONES`` or ``WORD``.

    Args:
        text: the word and, after ``=``, its phones with spaces between them; or in one piece, which is split into
            letters (``kubənɛtiz``; write a diphthong or an affricate with a tie bar). Without ``=`` they are guessed.
        g2p: what guesses.
        inventory: the model's phones, to which others are mapped; None keeps all phones.
        candidates: maximum number of guesses; unlikely ones are left out.
        notation: of the phones, see ``Lexicon.load``.

    Raises:
        LexiconError: the word is empty or has a space in it, the phones are empty or not IPA, or they have to be
            guessed and there is nothing to guess with.
    """
    word, given, phones = text.partition("=")
    word = word.strip()
    if not word:
        raise LexiconError(f"'{text}': no word before '='; write WORD=PHONES or WORD")
    if word.split() != [word]:
        raise LexiconError(
            f"'{text}': a word has no spaces in it (got '{word}'); join its parts, or add them one by one"
        )
    notes = []
    if given:
        read = read_phones(phones, notation, inventory)
        if not read:
            raise LexiconError(f"'{text}': no phones after '='; write them, or leave '=' out to have them guessed")
        options = [Pronunciation(read)]
    else:
        if g2p is None:
            raise LexiconError(
                f"'{word}' has no phones, and there is nothing to guess them with; write '{word}=PHONES', or give a "
                f"lexicon to learn from, a grapheme-to-phoneme model or a language that has spelling rules"
            )
        options = _likely(g2p.pronounce(word, candidates), word)
    options, replaced = _mapped(options, inventory)
    if not given:
        shown = ", ".join(" ".join(option.phones) for option in options)
        notes.append(f"'{word}' is pronounced by guess: {shown}" + (f"; {g2p.caution}" if g2p and g2p.caution else ""))
    if replaced:
        notes.append(f"'{word}': {describe_replacements(replaced)}")
    return NewWord(word, options, notes)


def parse_new_words(
    texts: Iterable[str],
    g2p: Pronouncer | None = None,
    inventory: PhoneInventory | None = None,
    *,
    candidates: int = 3,
    notation: Notation = "ipa",
) -> list[NewWord]:
    """Read several words, see ``parse_new_word``; a word that is given twice has both pronunciations.

    Raises:
        LexiconError: lists everything that is wrong with any of them.
    """
    words: dict[str, NewWord] = {}
    problems = []
    for text in texts:
        try:
            new = parse_new_word(text, g2p, inventory, candidates=candidates, notation=notation)
        except LexiconError as error:
            problems.append(str(error))
            continue
        old = words.setdefault(new.word, NewWord(new.word, [], []))
        known = {option.phones for option in old.pronunciations}
        old.pronunciations.extend(option for option in new.pronunciations if option.phones not in known)
        old.notes.extend(new.notes)
    if problems:
        raise LexiconError(
            problems[0] if len(problems) == 1 else list_problems(f"{len(problems)} bad words:", problems)
        )
    return list(words.values())


def read_phones(text: str, notation: Notation = "ipa", inventory: PhoneInventory | None = None) -> tuple[str, ...]:
    """Read phones with spaces between them; a piece of several letters is split unless the inventory has it whole.

    Raises:
        LexiconError: lists what cannot be read.
    """
    phones: list[str] = []
    problems = []
    for piece in text.split():
        if inventory is not None and piece in inventory:
            phones.append(piece)
            continue
        try:
            if notation == "arpabet":
                phones.append(arpabet_to_ipa(piece))
                continue
            ipa = xsampa_to_ipa(piece) if notation == "xsampa" else piece
            if inventory is not None and normalise_ipa(ipa) in inventory:
                phones.append(normalise_ipa(ipa))
            else:
                phones += split_ipa(ipa)
        except LexiconError as error:
            problems.append(str(error))
    if problems:
        heading = f"'{text.strip()}': {len(problems)} phones cannot be read:"
        raise LexiconError(problems[0] if len(problems) == 1 else list_problems(heading, problems))
    return tuple(phones)


def _likely(options: Sequence[Pronunciation], word: str) -> list[Pronunciation]:
    """Scale probabilities so that the best has 1.0, as lexicons have it, and leave out what is unlikely."""
    if not options:
        raise LexiconError(f"'{word}' cannot be pronounced by guess; write '{word}=PHONES'")
    best = max(option.probability for option in options)
    scaled = [Pronunciation(option.phones, round(option.probability / best, 4)) for option in options]
    return [option for option in scaled if option.probability >= MINIMUM_PROBABILITY]


def _mapped(
    options: Sequence[Pronunciation], inventory: PhoneInventory | None
) -> tuple[list[Pronunciation], dict[str, str]]:
    if inventory is None:
        return list(options), {}
    result: dict[tuple[str, ...], Pronunciation] = {}
    replaced: dict[str, str] = {}
    for option in options:
        phones, replacements = map_to_inventory(option.phones, inventory)
        replaced.update(replacements)
        result.setdefault(phones, Pronunciation(phones, option.probability))
    return list(result.values()), replaced
