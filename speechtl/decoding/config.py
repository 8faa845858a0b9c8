"""The settings of decoding."""

from typing import Literal

import pydantic

from speechtl.config import Section

PhoneDecision = Literal["best_path", "pooled"]

# Fitted on AN4's dev speakers (recipes/an4); the default of models that were not tuned on speech like theirs.
_CONFIDENCE_WEIGHTS = (0.52, 0.44, 0.43)


class DecodingConfig(Section):
    """Settings of the search for words, the ``[decoding]`` table of a config.

    The search maximises, over word sequences and CTC alignments, in natural logarithms::

        acoustic_scale · (Σ log posterior(unit, frame) - blank_penalty · blank frames)
            + lm_weight · log P(words) + Σ log P(pronunciation | word) - word_insertion_penalty · words

    CTC posteriors are peaky, so ``lm_weight`` and the penalties matter more than the beam: choose them on held-out
    data (``speechtl decode --tune``).
    """

    mode: Literal["sentence", "isolated", "embedding"] = "sentence"
    """``"isolated"``: every utterance is exactly one word; the search is exact where all hypotheses, two for each
    phone of the lexicon, are at most 7,000, or ``max_active`` if that is more. ``"embedding"``: likewise one word, that
    whose pronunciation is nearest in the space of the method ``word_embedding``; there is no search, and no other
    setting matters."""
    beam: float = pydantic.Field(default=14.0, gt=0)
    """Hypotheses that score this much below the best one of a frame are dropped."""
    max_active: int = pydantic.Field(default=1500, ge=2)
    """At most about this many hypotheses survive a frame, whatever the beam says: where posteriors are poor, the time
    of the search is in proportion to it. Real speech with ``base`` and words of which any may follow any: 1,500 made
    no more word errors than 7,000 (``tests/benchmarks/README.md``)."""
    beam_delta: float = pydantic.Field(default=0.5, gt=0)
    """Where more than ``max_active`` hypotheses are within the beam, the next frame's beam is that of the hypotheses
    that survive, and so much more (as ``beam-delta`` of Kaldi's decoders). ``inf`` always takes the whole beam."""
    blank_margin: float = pydantic.Field(default=8.0, gt=0)
    """Frames in which the blank beats every phone by more than this (after ``blank_penalty``) are passed over without
    trying a phone (phone-synchronous decoding, Chen et al. 2016); most frames of a CTC model are such. On AN4's dev
    speakers, 5 and more changed no word. ``inf`` tries every frame, as an exact search does."""
    lm_weight: pydantic.FiniteFloat = pydantic.Field(default=1.0, ge=0)
    """Weight of the language model's log probability."""
    word_insertion_penalty: pydantic.FiniteFloat | None = None
    """Subtracted for every word: positive gives fewer and longer words. By default 0 with a language model and
    8 without one, where nothing else holds back a flood of short words."""
    blank_penalty: pydantic.FiniteFloat = 0.0
    """Subtracted from the log posterior of the blank in every frame: positive gives more phones."""
    phone_decision: PhoneDecision = "best_path"
    """How phones are found where no words are looked for. ``"best_path"``: the best unit of every frame. ``"pooled"``:
    a frame holds a phone if all phones together are more probable than the blank, and neighbours that sound alike are
    one phone unless both are sure (`phone_runs.pooled`); for languages that training did not have, whose sounds lie
    between its phones. Models that come with speechtl have it."""
    acoustic_scale: pydantic.FiniteFloat = pydantic.Field(default=1.0, gt=0)
    """Weight of the acoustic score. Apart from the beams, halving it is doubling the other weights."""
    oov_penalty: pydantic.FiniteFloat = 0.0
    """Subtracted for a word that the language model lacks, on top of its equal share of the model's ``<unk>``."""
    oov: Literal["words", "phones"] = "words"
    """``"phones"``: where no word fits, the phones themselves stand in the result, marked as out of vocabulary."""
    filler_penalty: pydantic.FiniteFloat = 2.0
    """Subtracted for every stretch of speech that is no word (``oov = "phones"``): positive gives fewer of them."""
    filler_phone_penalty: pydantic.FiniteFloat = 3.5
    """Subtracted for every phone of it, on top. Both were chosen on AN4's dev speakers with words taken out of the
    dictionary."""
    confidence_weights: tuple[pydantic.FiniteFloat, pydantic.FiniteFloat, pydantic.FiniteFloat] = _CONFIDENCE_WEIGHTS
    """What turns the evidence for a word into its confidence, see ``decoding.confidence``; ``speechtl decode --tune``
    fits it."""
    silence_phone: str = "sil"
    """A phone that is optional between words and at both ends. No effect where the model has no such phone."""

    def word_cost(self, with_language_model: bool) -> float:
        """Return the word insertion penalty that holds with or without a language model."""
        if self.word_insertion_penalty is not None:
            return self.word_insertion_penalty
        return 0.0 if with_language_model else 8.0
