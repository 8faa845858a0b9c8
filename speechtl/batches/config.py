"""Sections that say what a model is trained on and how it is fed."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from speechtl.config import Section


class DataConfig(Section):
    """One ``[[data]]`` table: the speech of one language.

    ``lexicon`` turns the words of ``text`` into phones; without one, ``text`` holds phones already. The model knows the
    ``phones`` of the training transcripts, or those of the whole lexicon, which a few transcripts may not cover.
    ``weight`` scales how often the pipeline draws from this language. Data directories may be given as one path or as a
    list.

    ``unlabelled`` speech is mixed into the same batches; its transcripts are not read and need not exist, so only loss
    terms of transfer methods learn from it. A language without ``train`` has no head of its own, unless a method takes
    one from its source.

    ``head`` names the head that the language is trained with, by default one of its own. A head that several languages
    share has the phones of all of them: with ``head = "ipa"`` everywhere, the model has one inventory.

    ``in_graph`` computes features from the audio in every epoch, with tensorflow-io, instead of reading stored ones:
    for corpora too large to store features of. Their normalisation must be ``global``, ``utterance`` or ``none``.
    """

    language: str = "und"
    head: str | None = None
    train: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    lexicon: str | None = None
    phones: Literal["transcripts", "lexicon"] = "transcripts"
    notation: Literal["ipa", "arpabet", "xsampa"] = "ipa"
    stress: Literal["drop", "keep"] = "drop"
    tone: Literal["keep", "drop", "separate"] = "keep"
    weight: float = Field(default=1.0, gt=0)
    in_graph: bool = False

    @property
    def head_name(self) -> str:
        """Name of the head."""
        return self.head or self.language

    @field_validator("train", "unlabelled", "dev", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> "DataConfig":
        if self.phones == "lexicon" and self.lexicon is None:
            raise ValueError('phones = "lexicon" without a lexicon; name one, or leave phones out')
        return self


class NormalisationConfig(Section):
    """``[normalisation]``: mean (and variance) normalisation of the features.

    ``speaker`` takes the statistics that ``speechtl features`` stored for each speaker; ``global`` those of all
    training speech, kept with the experiment; ``utterance`` those of the utterance itself.
    """

    kind: Literal["speaker", "global", "utterance", "none"] = "speaker"
    variance: bool = True


class AugmentationConfig(Section):
    """``[augmentation]``: noise, then SpecAugment (Park et al. 2019), masks of zeros, on normalised features.

    A time mask is at most ``time_width`` frames and at most ``time_fraction`` of the utterance, rounded up;
    ``frequency_width`` is in bins. ``noise`` is the share of utterances that get noise (log mel energies only, not
    MFCC): half of them that of a steady, coloured source, half another utterance of the batch, as of people in the
    background. ``noise_level`` is the range of its level, in standard deviations from the mean of the features.
    """

    frequency_masks: int = Field(default=2, ge=0)
    frequency_width: int = Field(default=15, ge=0)
    time_masks: int = Field(default=2, ge=0)
    time_width: int = Field(default=40, ge=0)
    time_fraction: float = Field(default=0.15, ge=0, le=1)
    noise: float = Field(default=0.0, ge=0, le=1)
    noise_level: tuple[float, float] = (-2.5, 0.0)


class BatchConfig(Section):
    """``[batches]``.

    A batch holds utterances of similar length and at most ``frames`` feature frames, padding included, over all
    replicas. ``temperature`` sets the share of each language: share ∝ (weight · utterances) ^ temperature, so 1 is
    natural and 0 is equal.
    """

    frames: int = Field(default=6400, gt=0)
    utterances: int = Field(default=64, gt=0)
    shuffle_pool: int = Field(default=512, gt=0)
    temperature: float = Field(default=1.0, ge=0, le=1)
