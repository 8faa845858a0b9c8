"""What a block makes of whole utterances: one point each, the mean over its frames."""

import numpy as np
import tensorflow as tf

from speechtl.batches.config import BatchConfig
from speechtl.batches.pipeline import make_dataset
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Source
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import mean_over_time


def pooled_outputs(model: AcousticModel, source: Source, block: str, config: BatchConfig) -> np.ndarray:
    """Return the means of a block's outputs over the frames of each utterance, in the source's order.

    Args:
        model: whose block; the language's own one where there is one.
        source: the utterances; they need no transcripts.
        block: its name.
        config: batch sizes.

    Returns:
        ``(utterances, size)`` float32.
    """
    signature = (tf.TensorSpec((None, None, model.inputs)), tf.TensorSpec((None,), tf.int32))

    @tf.function(input_signature=signature, autograph=False)
    def pooled(features, lengths):
        encoded = model.encode(features, lengths, language=source.language)
        return mean_over_time(encoded.outputs[block], encoded.lengths[block])

    points = np.zeros((len(source), model.block(block).output_size), np.float32)
    for batch in make_dataset(source, plan_once([source.frames], config), model.inputs):
        points[batch.utterances.numpy()] = pooled(batch.features, batch.lengths).numpy()
    return points
