"""From posteriors to words, phones and their errors."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.decode import decode
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.decoding.phone_runs import find_phones
from speechtl.grammar.ngram_model import NgramModel
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.scoring.error_rate import ErrorRate, error_rate
from speechtl.scoring.pronunciation_match import reference_phones


@dataclasses.dataclass(frozen=True)
class Scores:
    """The errors of one model on some speech.

    Attributes:
        words: of the words; None where the transcripts are phones.
        phones: of the phones that are found without a lexicon, as the config's ``phone_decision`` says, against the
            pronunciations that fit them best.
    """

    words: ErrorRate | None
    phones: ErrorRate

    @property
    def main(self) -> ErrorRate:
        """Words where there are words, phones otherwise."""
        return self.phones if self.words is None else self.words


class Scorer:
    """Decodes and counts errors, always in the same way."""

    def __init__(
        self,
        inventory: PhoneInventory,
        lexicon: Lexicon | None,
        lm: NgramModel | None,
        config: DecodingConfig,
    ):
        """Build the search once.

        Args:
            inventory: of the model's head.
            lexicon: of the words; None where transcripts are phones.
            lm: the language model, or None.
            config: of the search.

        Raises:
            LexiconError: phones that the model lacks, or no words.
        """
        self.inventory, self.lexicon, self.config = inventory, lexicon, config
        self.decoder = LexiconDecoder(lexicon, inventory, lm, config) if lexicon is not None else None

    def hypotheses(self, posteriors: Mapping[str, np.ndarray], times: bool = False) -> dict[str, Hypothesis]:
        """Decode words; ``times`` gives them spans and confidence."""
        if self.decoder is None:
            return {}
        found = decode(posteriors.items(), self.decoder, times=times, jobs=os.cpu_count() or 1)
        return {name: options[0] for name, options in found}

    def score(self, references: Mapping[str, str], posteriors: Mapping[str, np.ndarray]) -> Scores:
        """Count the errors on utterances that both have."""
        scored = {name: matrix for name, matrix in posteriors.items() if name in references}
        decision = self.config.phone_decision
        found = {name: find_phones(matrix, self.inventory, decision) for name, matrix in scored.items()}
        phones = {name: " ".join(labels) for name, labels in found.items()}
        text = {name: references[name] for name in scored}
        if self.lexicon is None:
            return Scores(None, error_rate(text, phones, "phone"))
        words = {name: " ".join(one.words) for name, one in self.hypotheses(scored).items()}
        known = {name: " ".join(w for w in line.split() if w in self.lexicon) for name, line in text.items()}
        spoken = reference_phones(known, phones, self.lexicon)
        return Scores(error_rate(text, words), error_rate(spoken, phones, "phone"))
