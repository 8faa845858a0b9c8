"""Every transfer method, discriminated by ``method`` in its ``[[transfer]]`` table.

Importing this file also registers how the layers that methods attach are restored from stored weights.
"""

from typing import Annotated, get_args

from pydantic import Field

from speechtl.transfer.adapter import Adapter
from speechtl.transfer.attributes import Attributes
from speechtl.transfer.conservative_training import ConservativeTraining
from speechtl.transfer.distillation import Distillation
from speechtl.transfer.domain_adversarial import DomainAdversarial
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.layer_transfer import LayerTransfer
from speechtl.transfer.lhuc import Lhuc
from speechtl.transfer.lin import Lin
from speechtl.transfer.lora import Lora
from speechtl.transfer.method import TransferMethod
from speechtl.transfer.multitask import Multitask
from speechtl.transfer.progressive import Progressive
from speechtl.transfer.self_taught import SelfTaught
from speechtl.transfer.weight_interpolation import WeightInterpolation
from speechtl.transfer.word_embedding import WordEmbeddingTransfer

Method = Annotated[
    FineTuning
    | ConservativeTraining
    | LayerTransfer
    | Lhuc
    | Lin
    | Adapter
    | Lora
    | DomainAdversarial
    | Multitask
    | Progressive
    | SelfTaught
    | Distillation
    | WeightInterpolation
    | Attributes
    | WordEmbeddingTransfer,
    Field(discriminator="method"),
]

# By the name in configs, in the order above.
METHODS: dict[str, type[TransferMethod]] = {
    method.model_fields["method"].default: method for method in get_args(get_args(Method)[0])
}
