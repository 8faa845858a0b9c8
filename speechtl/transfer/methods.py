"""Every transfer method, told apart by ``method`` in its ``[[transfer]]`` table."""

from typing import Annotated

from pydantic import Field

from speechtl.transfer.attributes import Attributes
from speechtl.transfer.conservative_training import ConservativeTraining
from speechtl.transfer.domain_adversarial import DomainAdversarial
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.layer_transfer import LayerTransfer
from speechtl.transfer.multitask import Multitask
from speechtl.transfer.progressive import Progressive
from speechtl.transfer.self_taught import SelfTaught
from speechtl.transfer.speaker_layers import SpeakerLayers
from speechtl.transfer.weight_interpolation import WeightInterpolation
from speechtl.transfer.word_embedding import WordEmbeddings

Method = Annotated[
    FineTuning
    | ConservativeTraining
    | DomainAdversarial
    | LayerTransfer
    | Multitask
    | Progressive
    | SelfTaught
    | SpeakerLayers
    | WeightInterpolation
    | Attributes
    | WordEmbeddings,
    Field(discriminator="method"),
]
