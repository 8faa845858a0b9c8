"""Sections for the training data and its batches."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from speechtl.config import Section
from speechtl.files import file_name


class DataConfig(Section):
    """One ``[[data]]`` table: the speech of one language.

    ``lexicon`` maps the words of ``text`` to phones; without one, ``text`` contains phones. The inventory of the model
    is the ``phones`` of the training transcripts, or of the whole lexicon, which a few transcripts may not cover.
    ``weight`` scales how often utterances of this language are drawn. Data directories may be given as one path or as a
    list.

    ``unlabelled`` speech is mixed into the same batches; its transcripts are not read and need not exist, so it is used
    only by loss terms of transfer methods. A language without ``train`` has no head, unless a method takes one from its
    source.

    ``head`` is the name of the head of the language, by default one per language. A head shared by several languages
    has the phones of all of them: with ``head = "ipa"`` everywhere, the model has a single inventory.

    ``in_graph`` computes features from the audio in every epoch, with tensorflow-io, instead of reading stored ones:
    for corpora whose features are too large to be stored. Their normalisation must be ``global``, ``utterance`` or
    ``none``.

    ``service`` is the address of a tf.data service (``grpc://host:port``), whose workers compute these features.

    In place of a data directory there may be a set of shards (``speechtl data shard``): its folder, or its address,
    which begins with ``http://``, ``https://``, ``s3://`` or ``gs://``. Features are computed as with ``in_graph``, but
    audio may be of any format.
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
    service: str = Field(default="", pattern=r"^$|^grpc://[^/\s]+:[0-9]+$")

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
        for key, name in (("language", self.language), ("head", self.head_name)):
            # Files of an experiment have these names.
            if not name or file_name(name) != name:
                raise ValueError(f"{key} '{name}' cannot be the name of a file (no '/', '%' and no full stop in front)")
        if self.phones == "lexicon" and self.lexicon is None:
            raise ValueError('phones = "lexicon" without a lexicon; name one, or leave phones out')
        if self.service and not self.in_graph:
            raise ValueError("service computes features in training; set in_graph = true, or leave service out")
        return self


class NormalisationConfig(Section):
    """``[normalisation]``: mean (and variance) normalisation of the features.

    ``speaker`` uses the statistics that ``speechtl features`` stored for each speaker; ``global`` those of all training
    speech, stored in the experiment; ``utterance`` those of the utterance itself.
    """

    kind: Literal["speaker", "global", "utterance", "none"] = "speaker"
    variance: bool = True


class AugmentationConfig(Section):
    """``[augmentation]``: additive noise, then SpecAugment (Park et al. 2019) on normalised features.

    A time mask has at most ``time_width`` frames and at most ``time_fraction`` of the utterance, rounded up;
    ``frequency_width`` is in bins. ``noise`` is the fraction of utterances with added noise (log mel energies only, not
    MFCC): half of them steady, coloured noise, half another utterance of the batch, as background speech.
    ``noise_level`` is the range of its level, in standard deviations from the mean of the features.

    ``after`` names the frozen block whose outputs are masked instead of the features, so that they can be computed once
    (``training.cache_frozen``); widths are then in its frames and units.
    """

    frequency_masks: int = Field(default=2, ge=0)
    frequency_width: int = Field(default=15, ge=0)
    time_masks: int = Field(default=2, ge=0)
    time_width: int = Field(default=40, ge=0)
    time_fraction: float = Field(default=0.15, ge=0, le=1)
    noise: float = Field(default=0.0, ge=0, le=1)
    noise_level: tuple[float, float] = (-2.5, 0.0)
    after: str = "input"

    @model_validator(mode="after")
    def _check(self) -> "AugmentationConfig":
        if self.noise and self.after != "input":
            raise ValueError("noise is added to features; set noise to 0, or leave out after")
        return self

    @property
    def changes_nothing(self) -> bool:
        """Whether there are neither masks nor noise."""
        masks = self.frequency_masks * self.frequency_width + self.time_masks * self.time_width * self.time_fraction
        return masks == 0 and self.noise == 0


class BatchConfig(Section):
    """``[batches]``.

    A batch holds utterances of similar length and at most ``frames`` feature frames, padding included, over all
    replicas. ``temperature`` controls the share of each language: share ∝ (weight · utterances) ^ temperature, so 1
    is the natural distribution and 0 the uniform one.

    Of speech in shards, the utterances of as many ``shards`` at a time are in random order: more mix better, and take
    more space while they are read from elsewhere.
    """

    frames: int = Field(default=6400, gt=0)
    utterances: int = Field(default=64, gt=0)
    shuffle_pool: int = Field(default=512, gt=0)
    temperature: float = Field(default=1.0, ge=0, le=1)
    shards: int = Field(default=8, gt=0)
