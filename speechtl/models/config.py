"""The ``[model]`` section."""

from typing import Annotated, Literal

from pydantic import Field

from speechtl.config import Section
from speechtl.models.blstm import BlstmConfig
from speechtl.models.conformer import ConformerConfig
from speechtl.models.tdnn import TdnnConfig
from speechtl.models.wav2vec2_config import Wav2Vec2Config
from speechtl.models.whisper import WhisperConfig

EncoderConfig = Annotated[
    TdnnConfig | BlstmConfig | ConformerConfig | WhisperConfig | Wav2Vec2Config, Field(discriminator="kind")
]
TopConfig = Annotated[TdnnConfig | BlstmConfig | ConformerConfig, Field(discriminator="kind")]


class ModelConfig(Section):
    """``[model]``.

    Attributes:
        encoder: ``[model.encoder]``; its ``kind`` says which.
        sum_over: blocks of the encoder whose outputs are summed with learned weights (`WeightedSum`, the block
            ``sum``): ``"all"``, or names; none by default, so that the last block's output is taken.
        top: ``[model.top]``: more blocks on top of the encoder, of a kind of its own; none by default.
        head_dropout: dropout rate before the output layer of each head.
        precision: of the factors of the matrix products in the encoder's linear and convolution layers, which take most
            of the time. Sums, weights, normalisation and heads are float32. Where the processor multiplies bfloat16
            natively (AMX, GPUs) training is much faster with it, elsewhere slower.
    """

    encoder: EncoderConfig = TdnnConfig()
    sum_over: str | tuple[str, ...] = ()
    top: TopConfig | None = None
    head_dropout: float = Field(default=0.1, ge=0, lt=1)
    precision: Literal["float32", "bfloat16"] = "float32"
