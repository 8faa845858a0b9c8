"""Words that a lexicon does not have yet: ``Kubernetes=k u b ə n ɛ t i z``, or ``Kubernetes`` alone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from speechtl.errors import LexiconError, list_problems
from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
from speechtl.g2p.spelling_rules import SpellingRules
from speechtl.lang.ipa import normalise_ipa, split_ipa
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.lexicon_file import Notation, Pronunciation
from speechtl.lang.notations import arpabet_to_ipa, xsampa_to_ipa
from speechtl.lang.phone_mapping import describe_replacements, map_to_inventory
from speechtl.lang.phones import PhoneInventory

# Candidates less likely than this, against the best, are not worth the confusion that they bring.
MINIMUM_PROBABILITY = 0.1


class Pronouncer(Protocol):
    """What guesses pronunciations from spelling: ``GraphemeToPhoneme`` or ``SpellingRules``."""

    @property
    def caution(self) -> str:
        """Why the guesses are to be looked at, in one line; empty if they are good in general."""

    def pronounce(self, word: str, n: int = 3) -> list[Pronunciation]:
        """Return up to ``n`` pronunciations, best first."""


class NewWord(NamedTuple):
    """A word to add to a lexicon.

    Attributes:
        word: as it will be written.
        pronunciations: best first, the best with probability 1.0.
        notes: what the user should know: that the pronunciation is guessed, what was replaced; one line each.
    """

    word: str
    pronunciations: list[Pronunciation]
    notes: list[str]


def choose_pronouncer(
    lexicon: Lexicon | None = None, *, model: str | Path | None = None, rules: str | None = None
) -> Pronouncer | None:
    """Return what guesses pronunciations: spelling rules, else a model that was stored, else one that is trained now.

    Args:
        lexicon: to learn from where nothing else is given.
        model: the file of a ``GraphemeToPhoneme``.
        rules: the code of a language that has spelling rules, see ``SpellingRules``.

    Returns:
        None where there is nothing to guess with: none of the three, or a lexicon of no words.

    Raises:
        LexiconError: both a model and rules, no such rules, or the model cannot be read.
    """
    if model is not None and rules is not None:
        raise LexiconError(f"a model ({model}) and spelling rules ({rules}) to guess with; give one of them")
    if rules is not None:
        return SpellingRules.load(rules)
    if model is not None:
        return GraphemeToPhoneme.load(model)
    return GraphemeToPhoneme.train(lexicon) if lexicon is not None and len(lexicon) else None


def count_missing(lexicon: Lexicon, sentences: Iterable[Sequence[str]]) -> tuple[Counter[str], int, int]:
    """Count the words of a text that a lexicon lacks.

    Returns:
        How often each missing word occurs; how many words the text has, and how many different ones.
    """
    counts = Counter(word for sentence in sentences for word in sentence)
    missing = Counter({word: count for word, count in counts.items() if word not in lexicon})
    return missing, counts.total(), len(counts)


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
        text: the word, and behind ``=`` its phones with spaces between them; or in one piece, which is split into
            letters (``kubənɛtiz``; write a diphthong or an affricate with a tie bar). Without ``=`` they are guessed.
        g2p: what guesses.
        inventory: the model's phones, to which others are mapped; None keeps all phones.
        candidates: at most so many guesses; unlikely ones are left out.
        notation: how the phones are written, see ``Lexicon.load``.

    Raises:
        LexiconError: the word is empty or has a space in it, the phones are empty or not IPA, or they have to be
            guessed and nothing is there to guess with.
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
            raise LexiconError(f"'{text}': no phones behind '='; write them, or leave '=' out to have them guessed")
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
