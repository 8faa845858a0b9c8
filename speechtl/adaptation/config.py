"""How to adapt, and what to do by default."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from speechtl.config import Section, override, parse
from speechtl.errors import ConfigError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.transformer import TransformerBlock
from speechtl.models.wav2vec2_config import Wav2Vec2Config
from speechtl.models.whisper import WhisperConfig
from speechtl.training.config import CacheFrozen, Factor
from speechtl.transfer.conservative_training import ConservativeTraining
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.method import TransferMethod
from speechtl.transfer.methods import METHODS as TRANSFER_METHODS

# By method, what suits ten utterances: chosen on the dev speakers of the recipes (their ADAPT.md).
METHODS: dict[str, dict[str, Any]] = {
    name: dict(method.adaptation) for name, method in TRANSFER_METHODS.items() if method.adaptation is not None
}
# Of conservative training, by distance.
_WEIGHTS = {"output": 0.5, "parameter": 1.0}


class AdaptationConfig(Section):
    """Settings of an adaptation.

    Attributes:
        method: the transfer method: ``fine_tuning`` of all weights; ``conservative_training``, the same with a penalty
            on the distance to the source; ``layer_transfer``, fine-tuning of all but some blocks; or speaker layers
            (``lhuc``, ``lin``, ``adapter``, ``lora``) on a frozen source.
        blocks: those that are frozen (``layer_transfer``) or that get speaker layers.
        layers: of ``adapter`` and ``lora``, the linear layers within blocks; by default those of the method.
        rank: of ``adapter`` and ``lora``.
        alpha: of ``lora``; its product is multiplied by ``alpha / rank``.
        distance: to the source, of its posteriors (``output``) or its weights (``parameter``).
        weight: of the distance to the source in the loss; by default that of the method, 0 for all but conservative
            training, and 0.5 for all methods on a foundation encoder.
        learning_rate: initial rate; it decays along a cosine to a tenth.
        optimizer: ``sgd``, plain gradient descent, or ``adam``. In the few steps there are, Adam moves every weight by
            about the learning rate, whether or not the recordings are informative about it; gradient descent moves
            those that matter.
        rates: factors of the learning rate by patterns over weight paths, as in ``[training]``.
        layer_decay: factor of the learning rate between an encoder block and the one below, as in ``[training]``.
        epochs: maximum; held-out speech decides when to stop (``standard_errors``).
        frames: of a batch.
        dropout: whether the model's dropout is active.
        replay: utterances of the source's training speech in each batch, where available, with as many of the
            speaker's, repeated if necessary. They keep the model from fitting the few recorded words alone.
        augment: whether features are masked (SpecAugment, as in the source's training).
        folds: of the cross-validation on the recordings.
        standard_errors: None, and the lowest held-out loss decides when to stop, and a single error more than before
            keeps the source. A number, and all epochs are trained, unless there are more held-out errors than before by
            more than so many standard errors: then the source is kept.
        epochs_alone: for a single utterance, of which nothing can be held out.
        cache_frozen: whether the outputs of the first blocks, where they stay frozen, are computed once, as in
            ``[training]``.
        seed: of batches, dropout, masks and new weights.
    """

    method: str
    blocks: str | tuple[str, ...] | None = None
    layers: str | tuple[str, ...] | None = None
    rank: int = Field(default=4, gt=0)
    alpha: float | None = Field(default=None, gt=0)
    distance: Literal["output", "parameter"] = "output"
    weight: float = Field(default=0.0, ge=0)
    learning_rate: float = Field(gt=0)
    optimizer: Literal["sgd", "adam"] = "sgd"
    rates: dict[str, Factor] = Field(default_factory=dict)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    epochs: int = Field(default=6, gt=0)
    frames: int = Field(default=1500, gt=0)
    dropout: bool = True
    replay: int = Field(default=0, ge=0)
    augment: bool = False
    folds: int = Field(default=3, ge=2)
    standard_errors: float | None = Field(default=None, ge=0)
    epochs_alone: int = Field(default=4, ge=0)
    cache_frozen: CacheFrozen = "auto"
    seed: int = 1

    @model_validator(mode="before")
    @classmethod
    def _default_weight(cls, table: Any) -> Any:
        if isinstance(table, dict) and table.get("method") == "conservative_training" and "weight" not in table:
            return table | {"weight": _WEIGHTS.get(table.get("distance", "output"), 0.0)}
        return table

    @field_validator("method")
    @classmethod
    def _known(cls, method: str) -> str:
        if method not in METHODS:
            raise ValueError(f"unknown method; known: {', '.join(METHODS)}")
        return method

    @property
    def stored_alone(self) -> bool:
        """Whether the speaker is a small file that is loaded on top of the source."""
        return TRANSFER_METHODS[self.method].stored_alone

    def transfer(self, source: str) -> list[TransferMethod]:
        """Return the transfer methods, for a model that has the weights of ``source`` already."""
        distance = ConservativeTraining(source=source, distance=self.distance, weight=self.weight)
        methods: list[TransferMethod] = [distance] if self.weight else []
        kind = TRANSFER_METHODS[self.method]
        if kind not in (FineTuning, ConservativeTraining):
            blocks = self.blocks or METHODS[self.method].get("blocks")
            given = {"method": self.method, "source": source, "blocks": blocks}
            given |= {"layers": self.layers, "rank": self.rank, "alpha": self.alpha}
            fields = {name: value for name, value in given.items() if name in kind.model_fields and value is not None}
            methods.insert(0, kind.model_validate(fields))
        return methods


# By the maximum number of seconds of speech: the method, and settings that override those above. A transform of the
# features has few weights and cannot memorise words: with ten recordings it corrects errors in words that were not
# recorded, where fine-tuning improves the recorded words at their expense.
BY_SECONDS: tuple[tuple[float, str, dict[str, Any]], ...] = (
    (4.0, "lin", {"learning_rate": 1e-3, "weight": 0.5, "epochs": 6}),
    (float("inf"), "lin", {}),
)


# Of a model on a foundation encoder, which a transform of the features would run from end to end in every step. What is
# the same for all methods, and what some have besides: chosen on dev speakers (recipes/base, Speakers).
DEFAULT_ON_ENCODER = "lora"
ON_ENCODER: dict[str, Any] = {
    "weight": 0.5,
    "augment": True,
    "epochs": 10,
    "epochs_alone": 3,
}
# Where all epochs did no harm on the dev speakers, held-out recordings only guard; of the others they say when to stop.
METHODS_ON_ENCODER: dict[str, dict[str, Any]] = {
    "lora": {"rank": 16, "learning_rate": 3e-3, "standard_errors": 2.0},
    "layer_transfer": {"standard_errors": 2.0},
    "adapter": {"rank": 16, "standard_errors": 2.0},
    "lin": {"standard_errors": 2.0},
    "lhuc": {"learning_rate": 0.3},
}
# With less than half a minute, no settings of LoRA mended words; these are the ones that did no harm.
FEW_SECONDS = 25.0
FEW_ON_ENCODER: dict[str, dict[str, Any]] = {"lora": {"learning_rate": 1e-3}}


def choose_config(
    seconds: float, method: str | None = None, settings: tuple[str, ...] = (), model: AcousticModel | None = None
) -> AdaptationConfig:
    """Return the settings for an amount of speech.

    Args:
        seconds: of speech to learn from.
        method: None for the one that suits this amount of speech, and the model.
        settings: ``key=value``, overriding the method's defaults.
        model: the source's; None for one without a foundation encoder.

    Raises:
        ConfigError: an unknown method or a wrong setting.
    """
    if model is not None and isinstance(model.config.encoder, WhisperConfig | Wav2Vec2Config):
        name = method or DEFAULT_ON_ENCODER
        suited = _suited_to_encoder(name, seconds, model)
    else:
        name, suited = next((name, suited) for most, name, suited in BY_SECONDS if seconds <= most)
        if method is not None:
            name, suited = method, {}
    if name not in METHODS:
        raise ConfigError(f"--method {name}: unknown; known: {', '.join(METHODS)}")
    table = override({"method": name, **METHODS[name], **suited}, settings)
    return parse(AdaptationConfig, table, f"method {name}")


def _suited_to_encoder(method: str, seconds: float, model: AcousticModel) -> dict[str, Any]:
    """Return what suits a method on a foundation encoder: its last transformer block and what stands on it learn.

    Methods of the whole network, or of its input, go through all blocks.
    """
    suited = ON_ENCODER | METHODS_ON_ENCODER.get(method, {})
    if seconds <= FEW_SECONDS:
        suited |= FEW_ON_ENCODER.get(method, {})
    if method == "conservative_training":
        del suited["weight"]  # It has its own, by distance.
    places = [place for place, block in enumerate(model.blocks) if isinstance(block, TransformerBlock)]
    if method in ("lora", "adapter", "lhuc"):
        suited["blocks"] = model.block_names[places[-1] :]
    elif method == "layer_transfer":  # Those that stay as they are.
        suited["blocks"] = model.block_names[: places[-1]]
    return suited
