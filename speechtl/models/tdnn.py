"""Time-delay neural network: residual dilated convolutions over time."""

from typing import Literal

import tensorflow as tf
from pydantic import Field

from speechtl.config import Section
from speechtl.models.blocks import Block, DilatedConv, dense, dropout, layer_norm, mask
from speechtl.models.subsampling import Subsampling, SubsamplingConfig


class TdnnConfig(Section):
    """``[model.encoder]`` with ``kind = "tdnn"``: one residual block per entry of ``dilations``.

    With ``bottleneck`` the convolution of each block projects to that width and a linear layer back, which allows more
    blocks for the same cost (the shape of TDNN-F, Povey et al. 2018, without its orthogonality constraint).
    """

    kind: Literal["tdnn"] = "tdnn"
    size: int = Field(default=384, gt=0)
    dilations: tuple[int, ...] = (1, 1, 2, 2, 3, 3, 4)
    kernel: int = Field(default=3, gt=0)
    bottleneck: int = Field(default=0, ge=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    subsampling: SubsamplingConfig = SubsamplingConfig()


class TdnnBlock(Block):
    """``x + dropout(f(norm(x)))``, with ``f`` a dilated convolution, a ReLU and, after a bottleneck, a projection."""

    def __init__(self, config: TdnnConfig, dilation: int, name: str):
        super().__init__(name=name)
        self.rate, self.output_size = config.dropout, config.size
        self.norm = layer_norm(config.size, "norm")
        self.conv = DilatedConv(config.size, config.bottleneck or config.size, config.kernel, dilation)
        self.widen = dense(config.bottleneck, config.size, "widen") if config.bottleneck else None
        self.finish()

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:  # noqa: D102
        outputs = tf.nn.relu(self.conv(mask(self.norm(inputs), lengths)))
        if self.widen is not None:
            outputs = self.widen(outputs)
        return inputs + dropout(outputs, self.rate, seed, 0)


def tdnn_blocks(config: TdnnConfig, inputs: int) -> list[Block]:
    """Build the blocks ``subsampling, tdnn1, tdnn2, ...`` for features with ``inputs`` bins."""
    blocks: list[Block] = [Subsampling(config.subsampling, inputs, config.size)]
    blocks += [TdnnBlock(config, dilation, f"tdnn{number}") for number, dilation in enumerate(config.dilations, 1)]
    return blocks
