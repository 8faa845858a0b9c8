"""Outputs of a block averaged over each utterance: one point per utterance."""

import numpy as np
import tensorflow as tf

from speechtl.batches.config import BatchConfig
from speechtl.batches.pipeline import make_dataset, read_batches
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Source
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import mean_over_time


def pooled_outputs(model: AcousticModel, source: Source, block: str, config: BatchConfig) -> np.ndarray:
    """Return the mean of a block's outputs over the frames of each utterance, in the order of the source.

    Args:
        model: the model; where the language has a private block, that one is used.
        source: the utterances; they need no transcripts.
        block: name of the block.
        config: batch sizes.

    Returns:
        ``(utterances, size)`` float32.
    """
    signature = (tf.TensorSpec((None, None, model.inputs)), tf.TensorSpec((None,), tf.int32))

    @tf.function(input_signature=signature, autograph=False)
    def pooled(features: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        encoded = model.encode(features, lengths, language=source.language)
        return mean_over_time(encoded.outputs[block], encoded.lengths[block])

    points = np.zeros((len(source), model.block(block).output_size), np.float32)
    plan = plan_once([source.frames], config)
    for batch in read_batches(make_dataset(source, plan, model.inputs), source, plan):
        points[batch.utterances.numpy()] = pooled(batch.features, batch.lengths).numpy()
    return points
