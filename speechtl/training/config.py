"""The ``[training]`` section."""

from typing import Literal

from pydantic import Field, model_validator

from speechtl.config import Section


class TrainingConfig(Section):
    """How long, how fast, when to stop and what to keep.

    Attributes:
        epochs: passes over the training speech.
        learning_rate: peak of AdamW's rate; it rises linearly over ``warmup`` of all steps and falls along a cosine to
            ``final_rate`` times the peak.
        weight_decay: decoupled decay (Loshchilov & Hutter 2019), not on biases and normalisation.
        clip_norm: largest global norm of a gradient.
        patience: epochs without a better dev loss before training stops; 0 never stops early.
        average: weights of so many epochs are averaged into the final model,
        average_of: those with the best dev loss, or the last ones.
        criterion: ``"ctc"``, on transcripts; or ``"frames"``, cross entropy in every frame, on the phones in time that
            each training directory has in ``phones.ctm`` (as ``speechtl align`` writes it). The latter is for few
            words: phones are learnt where they are, not where their word is recognised. Dev loss and PER are CTC's.
        prior_weight: with ``"frames"``, how much of the phones' frequencies is left out of what the model learns.
        choose_pronunciations: after these epochs (counted from 1), each word with several pronunciations is trained
            on the one that its recording fits best.
        checkpoint_minutes: longest time between checkpoints within an epoch.
        deterministic: the same seed gives the same weights, at some cost on GPUs.
        jit: compile steps with XLA; slower on CPUs.
    """

    epochs: int = Field(default=30, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    final_rate: float = Field(default=0.01, ge=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=5.0, gt=0)
    patience: int = Field(default=0, ge=0)
    average: int = Field(default=5, gt=0)
    average_of: Literal["best", "last"] = "last"
    criterion: Literal["ctc", "frames"] = "ctc"
    prior_weight: float = Field(default=0.0, ge=0, le=1)
    choose_pronunciations: tuple[int, ...] = ()
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    deterministic: bool = True
    jit: bool = False

    @model_validator(mode="after")
    def _check(self) -> "TrainingConfig":
        if self.criterion == "frames" and self.choose_pronunciations:
            raise ValueError('an alignment has chosen the pronunciations; with criterion = "frames" leave this out')
        if self.criterion == "ctc" and self.prior_weight:
            raise ValueError('prior_weight needs criterion = "frames"')
        return self
