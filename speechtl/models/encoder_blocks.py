"""The blocks of an encoder, as ``[model]`` describes them."""

from collections.abc import Callable

import tensorflow as tf

from speechtl.models.blocks import Block, linear_layers
from speechtl.models.blstm import blstm_blocks
from speechtl.models.config import EncoderConfig, ModelConfig
from speechtl.models.conformer import conformer_blocks
from speechtl.models.tdnn import tdnn_blocks
from speechtl.models.wav2vec2 import wav2vec2_blocks
from speechtl.models.weighted_sum import WeightedSum
from speechtl.models.whisper import whisper_blocks

_BUILD: dict[str, Callable[..., list[Block]]] = {
    "tdnn": tdnn_blocks,
    "blstm": blstm_blocks,
    "conformer": conformer_blocks,
    "whisper": whisper_blocks,
    "wav2vec2": wav2vec2_blocks,
}


def encoder_blocks(config: ModelConfig, inputs: int) -> tuple[list[Block], tuple[str, ...]]:
    """Build all blocks, with new weights.

    Args:
        config: ``[model]``.
        inputs: feature dimension.

    Returns:
        The blocks in order, and the names of those of ``[model.encoder]``.
    """
    blocks = _build(config.encoder, inputs)
    core = tuple(block.name for block in blocks)
    if config.sum_over:
        blocks.append(WeightedSum(blocks, config.sum_over))
    if config.top is not None:
        blocks += _build(config.top, blocks[-1].output_size)
    for block in blocks:
        for layer in linear_layers(block).values():
            layer.precision = tf.as_dtype(config.precision)
    return blocks, core


def _build(config: EncoderConfig, inputs: int) -> list[Block]:
    return _BUILD[config.kind](config, inputs)
