"""The ``[training]`` section."""

from typing import Literal

from pydantic import Field, model_validator

from speechtl.config import Section


class TrainingConfig(Section):
    """Duration, learning rate, early stopping and checkpoints.

    Attributes:
        epochs: passes over the training speech.
        learning_rate: peak of AdamW's rate. It rises linearly over the first ``warmup`` of all steps (a fraction) and
            decays along a cosine to ``final_rate`` times the peak.
        warmup: see above.
        final_rate: see above.
        weight_decay: decoupled decay (Loshchilov & Hutter 2019), not applied to biases and normalisation.
        clip_norm: maximum global norm of the gradient.
        patience: epochs without a lower dev loss before training stops; 0 disables early stopping.
        average: number of epochs whose weights are averaged into the final model.
        average_of: which ones: the last, or those with the lowest dev loss.
        criterion: ``"ctc"``, on transcripts; or ``"framewise"``, cross entropy in every frame, on the phone alignment
            that each training directory has in ``phones.ctm`` (as ``speechtl align`` writes it). The latter is for
            small vocabularies: each phone is learned where it occurs, not where its word is recognised. Dev loss and
            PER are those of CTC.
        prior_weight: with ``"framewise"``, share of the phones' log priors that is left out of what the model learns.
        choose_pronunciations: epochs (counted from 1) after which each word with several pronunciations is assigned the
            one that fits its recording best.
        checkpoint_minutes: maximum time between checkpoints within an epoch.
        deterministic: the same seed gives the same weights, at some cost on GPUs.
        jit: compile training steps with XLA; slower on CPUs.
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
    criterion: Literal["ctc", "framewise"] = "ctc"
    prior_weight: float = Field(default=0.0, ge=0, le=1)
    choose_pronunciations: tuple[int, ...] = ()
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    deterministic: bool = True
    jit: bool = False

    @model_validator(mode="after")
    def _check(self) -> "TrainingConfig":
        if self.criterion == "framewise" and self.choose_pronunciations:
            raise ValueError('an alignment has chosen the pronunciations; with criterion = "framewise" leave this out')
        if self.criterion == "ctc" and self.prior_weight:
            raise ValueError('prior_weight needs criterion = "framewise"')
        return self
