"""How to adapt, and what to do by default."""

from typing import Any, Literal

from pydantic import Field

from speechtl.config import Section, override, parse
from speechtl.errors import ConfigError
from speechtl.transfer.conservative_training import ConservativeTraining
from speechtl.transfer.layer_transfer import LayerTransfer
from speechtl.transfer.method import TransferMethod
from speechtl.transfer.speaker_layers import SpeakerLayers

MethodName = Literal[
    "fine_tuning", "conservative", "conservative_parameters", "layers", "lhuc", "lin", "adapter", "lora"
]


class AdaptationConfig(Section):
    """Settings of an adaptation.

    Attributes:
        method: ``fine_tuning`` of all weights; ``conservative``, the same near the source's posteriors;
            ``conservative_parameters``, near its weights; ``layers``, fine-tuning of all but some blocks; or speaker
            layers of a kind, on a source that stays as it is.
        blocks: those that are frozen (``layers``) or that get speaker layers.
        rank: of ``adapter`` and ``lora``.
        weight: of the distance to the source; speaker layers may have one, too (to its posteriors).
        learning_rate: falling along a cosine to a tenth.
        optimizer: ``sgd``, plain gradient descent, or ``adam``. In the few steps there are, Adam moves every weight by
            the learning rate, whether the recordings have anything to say about it or not; gradient descent moves
            those that matter.
        epochs: at most; held-out speech says when to stop.
        frames: of a batch.
        dropout: whether the model's dropout is on.
        replay: utterances in each batch that the source was trained on, where those can be had; as many are the
            speaker's, if need be by repetition. They keep the model from hearing nothing but the few words learnt from.
        augment: whether features are masked (SpecAugment, as in the source's training).
        folds: parts that the recordings are dealt into; each is held out in turn.
        epochs_alone: for a single utterance, of which nothing can be held out.
        seed: of batches, dropout, masks and fresh weights.
    """

    method: MethodName
    blocks: str | tuple[str, ...] | None = None
    rank: int = Field(default=4, gt=0)
    weight: float = Field(default=0.0, ge=0)
    learning_rate: float = Field(gt=0)
    optimizer: Literal["sgd", "adam"] = "sgd"
    epochs: int = Field(default=6, gt=0)
    frames: int = Field(default=1500, gt=0)
    dropout: bool = True
    replay: int = Field(default=0, ge=0)
    augment: bool = False
    folds: int = Field(default=3, ge=2)
    epochs_alone: int = Field(default=4, ge=0)
    seed: int = 1

    @property
    def stored_alone(self) -> bool:
        """Whether the speaker is a small file on top of the source."""
        return self.method in ("lhuc", "lin", "adapter", "lora")

    def transfer(self, source: str) -> list[TransferMethod]:
        """Return the transfer methods, for a model that has the weights of ``source`` already."""
        methods: list[TransferMethod] = []
        if self.method == "layers":
            methods.append(LayerTransfer(source=source, blocks=self.blocks or "first:2"))
        elif self.stored_alone:
            methods.append(SpeakerLayers(kind=self.method, blocks=self.blocks, rank=self.rank))  # type: ignore[arg-type]
        if self.weight:
            distance: Literal["output", "parameter"] = "output"
            if self.method == "conservative_parameters":
                distance = "parameter"
            methods.append(ConservativeTraining(source=source, distance=distance, weight=self.weight))
        return methods


# For every method, what suits ten utterances: chosen on the dev speakers of the recipes (their ADAPT.md).
METHODS: dict[str, dict[str, Any]] = {
    "fine_tuning": {"learning_rate": 2e-2},
    "conservative": {"learning_rate": 2e-2, "weight": 0.5},
    "conservative_parameters": {"learning_rate": 2e-2, "weight": 1.0},
    "layers": {"learning_rate": 2e-2, "blocks": "first:2"},
    "lhuc": {"learning_rate": 1.0},
    "lin": {"learning_rate": 2e-3, "optimizer": "adam", "epochs": 10, "folds": 5},
    "adapter": {"learning_rate": 1e-3, "optimizer": "adam"},
    "lora": {"learning_rate": 1e-3, "optimizer": "adam", "rank": 2},
}

# Up to so many seconds of speech: the method, and settings over those above. A transform of the features has few
# weights and cannot learn words by heart: with ten recordings it mends errors in words that they have not, where
# fine-tuning trades those for the words that they have.
BY_SECONDS: tuple[tuple[float, str, dict[str, Any]], ...] = (
    (4.0, "lin", {"learning_rate": 1e-3, "weight": 0.5, "epochs": 6}),
    (float("inf"), "lin", {}),
)


def choose_config(seconds: float, method: str | None = None, settings: tuple[str, ...] = ()) -> AdaptationConfig:
    """Return the settings for an amount of speech.

    Args:
        seconds: of speech to learn from.
        method: if not the one that suits so much speech.
        settings: ``key=value`` over the method's.

    Raises:
        ConfigError: an unknown method or a wrong setting.
    """
    name, suited = next((name, suited) for most, name, suited in BY_SECONDS if seconds <= most)
    if method is not None:
        name, suited = method, {}
    if name not in METHODS:
        raise ConfigError(f"--method {name}: unknown; known: {', '.join(METHODS)}")
    table = override({"method": name, **METHODS[name], **suited}, settings)
    return parse(AdaptationConfig, table, f"method {name}")
