"""A corpus to align: transcripts, features, and what they mean."""

import dataclasses
import logging

from speechtl.alignment.ctc_aligner import Spoken
from speechtl.data.datadir import DataDir
from speechtl.errors import list_problems
from speechtl.features.config import FeatureConfig
from speechtl.features.frame_clock import FrameClock
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.missing_words import spelling_hint
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.phone_mapping import MissingPhones, fit_lexicon

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Transcribed speech, and the model's view of it.

    Attributes:
        data: with transcripts and features.
        inventory: the phones of the model's units.
        lexicon: pronunciations of the words; None where the transcripts are phones.
        features: the configuration that the features of ``data`` were computed with.
        subsampling: frames of features per frame of posteriors.
        missing_phones: of the lexicon, that the model lacks; see `fit_lexicon`.
    """

    data: DataDir
    inventory: PhoneInventory
    lexicon: Lexicon | None
    features: FeatureConfig
    subsampling: int
    missing_phones: MissingPhones = "nearest"

    @property
    def clock(self) -> FrameClock:
        """The time of its frames."""
        return FrameClock.of(self.features, self.subsampling)

    def spoken(self, utterance: str) -> Spoken:
        """Return what is known of an utterance: its transcript, and its entry in ``utt2dur`` if there is one."""
        return Spoken(utterance, self.data.text.get(utterance, ""), self.data.utt2dur.get(utterance))

    def with_lexicon_of_transcripts(self) -> "Corpus":
        """Return the corpus with the words of its transcripts alone in the lexicon, in phones of the model.

        Replaced phones and missing words are logged.
        """
        if self.lexicon is None:
            return self
        needed = sorted({word for text in self.data.text.values() for word in text.split()})
        kept = Lexicon()
        kept.entries = {word: self.lexicon.entries[word] for word in needed if word in self.lexicon}
        kept = fit_lexicon(kept, self.inventory, self.missing_phones)
        missing = [word for word in needed if word not in self.lexicon]
        if missing:
            heading = f"{len(missing)} words are not in the lexicon; add them (speechtl lexicon add, g2p):"
            _logger.warning(
                list_problems(heading, [word + spelling_hint(word, self.lexicon) for word in missing], limit=20)
            )
        return dataclasses.replace(self, lexicon=kept)
