"""From transcripts to the unit numbers that a model is trained on."""

import dataclasses
from collections.abc import Mapping

from speechtl.errors import LexiconError, list_problems
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.missing_words import spelling_hint
from speechtl.lang.phone_inventory import PhoneInventory

# Of an utterance: for each word, for each of its pronunciations, the unit numbers.
Variants = list[list[list[int]]]


@dataclasses.dataclass(frozen=True)
class Labelling:
    """How transcripts become labels.

    Attributes:
        inventory: phones to unit numbers.
        lexicon: words to phones; None if transcripts are phones.
    """

    inventory: PhoneInventory
    lexicon: Lexicon | None = None

    def variants(self, texts: Mapping[str, str], language: str) -> list[Variants]:
        """Return the pronunciations of every word of every utterance as unit numbers.

        Args:
            texts: utterance -> transcript, which may be empty.
            language: their language, for the errors.

        Raises:
            LexiconError: words without a pronunciation, or phones that the inventory lacks; all are listed.
        """
        # Transcripts are split again each time, since their words take many times the memory.
        if self.lexicon is None:
            used = {word for text in texts.values() for word in text.split()}
            unknown = sorted(used - set(self.inventory.phones))
            if unknown:
                heading = f"language {language}: phones in text that the inventory lacks (or set lexicon for words)"
                raise LexiconError(list_problems(heading, unknown))
            encoded = {phone: [self.inventory.encode([phone])] for phone in used}
        else:
            encoded = self._encode_words(self.lexicon, texts, language)
        return [[encoded[word] for word in text.split()] for text in texts.values()]

    def _encode_words(self, lexicon: Lexicon, texts: Mapping[str, str], language: str) -> dict[str, list[list[int]]]:
        first: dict[str, str] = {}
        for name, text in texts.items():
            for word in text.split():
                first.setdefault(word, name)
        unknown = sorted(first.keys() - set(lexicon.words))
        if unknown:
            count = f"{len(unknown)}; add them to the lexicon"
            lines = [f"{word} (first in {first[word]}{spelling_hint(word, lexicon)})" for word in unknown]
            raise LexiconError(list_problems(f"language {language}: words without a pronunciation: {count}", lines))
        pronunciations = {word: [option.phones for option in lexicon.pronounce(word)] for word in first}
        phones = {phone for options in pronunciations.values() for option in options for phone in option}
        foreign = sorted(phones - set(self.inventory.phones))
        if foreign:
            needs = {phone: word for word, said in pronunciations.items() for option in said for phone in option}
            lines = [
                f"{phone} (in '{needs[phone]}', first in {first[needs[phone]]}): "
                f"nearest here: {' '.join(self.inventory.nearest(phone))}"
                for phone in foreign
            ]
            heading = (
                f"language {language}: phones of the lexicon that the model's inventory lacks; a model in training has "
                'those of its training transcripts, or with phones = "lexicon" in [[data]] all of the lexicon:'
            )
            raise LexiconError(list_problems(heading, lines))
        return {word: [self.inventory.encode(option) for option in options] for word, options in pronunciations.items()}
