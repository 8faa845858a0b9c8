"""The ``[training]`` section."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from speechtl.config import Section

Factor = Annotated[float, Field(gt=0)]
Epoch = Annotated[int, Field(gt=0)]
CacheFrozen = Literal["auto", "always", "never"]


class TrainingConfig(Section):
    """Duration, learning rate, early stopping and checkpoints.

    Attributes:
        epochs: passes over the training speech.
        learning_rate: peak of AdamW's rate. It rises linearly over the first ``warmup`` of all steps (a fraction) and
            decays along a cosine to ``final_rate`` times the peak.
        warmup: see above.
        final_rate: see above.
        weight_decay: decoupled decay (Loshchilov & Hutter 2019), not applied to biases and normalisation.
        rates: factors of the learning rate by shell-style patterns over weight paths, ``{"encoder/*" = 0.1}``; of
            several that match a weight, the last counts.
        layer_decay: each block of ``[model.encoder]`` has the learning rate of the one above it times this; the top
            one, what stands on it and attached layers have the whole (discriminative fine-tuning, Howard & Ruder 2018).
            Multiplied by ``rates``.
        unfreeze: the epoch (counted from 1) from which blocks learn, by names, ``"first:4"``, ``"encoder"`` or
            ``"all"``: ``{"encoder" = 2, "first:4" = 5}`` trains heads and attached layers alone at first, then the
            upper blocks, then all (gradual unfreezing, Howard & Ruder 2018). Of several that name a block, the last
            counts. Before, its weights have no gradient and no decay.
        clip_norm: maximum global norm of the gradient.
        accumulate: the parts into which every batch is divided, one computed after the other before the weights are
            updated: with ``batches.frames`` that many times larger, the memory stays the same.
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
        cache_frozen: whether the outputs of the first blocks, where they stay frozen, are computed once and stored in
            the user's cache (``$SPEECHTL_CACHE``), so that training a head on a foundation encoder costs what the head
            costs. ``"auto"``: where the blocks have no dropout and a million weights or more, which changes nothing but
            the time. ``"always"``: wherever possible; frozen blocks then run without dropout. ``"never"``. Masks on the
            features prevent it (``augmentation.after``), but not for the outputs of teachers (``distillation``), which
            hear the features without.
        checkpoint_minutes: maximum time between checkpoints within an epoch.
        deterministic: the same seed gives the same weights, at some cost on GPUs.
        jit: compile training steps with XLA; slower on CPUs.
        export: whether ``speechtl train`` exports the finished model into its directory, so that it recognises speech
            without TensorFlow.
    """

    epochs: int = Field(default=30, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    final_rate: float = Field(default=0.01, ge=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    rates: dict[str, Factor] = Field(default_factory=dict)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    unfreeze: dict[str, Epoch] = Field(default_factory=dict)
    clip_norm: float = Field(default=5.0, gt=0)
    accumulate: int = Field(default=1, gt=0)
    patience: int = Field(default=0, ge=0)
    average: int = Field(default=5, gt=0)
    average_of: Literal["best", "last"] = "last"
    criterion: Literal["ctc", "framewise"] = "ctc"
    prior_weight: float = Field(default=0.0, ge=0, le=1)
    choose_pronunciations: tuple[int, ...] = ()
    cache_frozen: CacheFrozen = "auto"
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    deterministic: bool = True
    jit: bool = False
    export: bool = True

    @model_validator(mode="after")
    def _check(self) -> "TrainingConfig":
        if self.criterion == "framewise" and self.choose_pronunciations:
            raise ValueError('an alignment has chosen the pronunciations; with criterion = "framewise" leave this out')
        if self.criterion == "ctc" and self.prior_weight:
            raise ValueError('prior_weight needs criterion = "framewise"')
        late = [blocks for blocks, epoch in self.unfreeze.items() if epoch > self.epochs]
        if late:
            raise ValueError(
                f"unfreeze: {', '.join(late)} would never learn in {self.epochs} epochs; train longer, or freeze them "
                "with a [[transfer]] method"
            )
        return self
