"""Features of batches, computed from audio inside the graph instead of read from archives."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from speechtl.batches.config import NormalisationConfig
from speechtl.batches.plan import PlannedBatch
from speechtl.data.datadir import DataDir, Utterance
from speechtl.data.durations import measure
from speechtl.errors import ConfigError, DataError, list_problems
from speechtl.features.cmvn import mean_and_scale
from speechtl.features.compute_parts import load_utterance
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute
from speechtl.features.in_graph import require_decodable, sides, waveform_in_graph


class GraphReader:
    """Decode utterances and compute normalised features with TensorFlow operations only."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        features: FeatureConfig,
        normalisation: NormalisationConfig,
        global_stats: np.ndarray | None,
    ):
        """Check that all audio can be decoded in a graph.

        Args:
            utterances: in the order of the indices of `read`.
            features: the features to compute.
            normalisation: ``utterance``, ``global`` or ``none``; statistics of speakers exist for stored features only.
            global_stats: ``(2, bins + 1)`` for ``global``.

        Raises:
            ConfigError: normalisation by speaker.
            DataError: tensorflow-io is missing, or audio that it cannot decode (all are listed).
        """
        if normalisation.kind == "speaker":
            raise ConfigError(
                "data.in_graph: features computed in the graph have no stored statistics of speakers; set "
                'normalisation.kind to "global", "utterance" or "none"'
            )
        self.utterances, self.config, self.normalisation = utterances, features, normalisation
        if normalisation.kind == "global" and global_stats is not None:
            mean, scale = mean_and_scale(global_stats, normalisation.variance)
            self.mean, self.scale = tf.constant(mean, tf.float32), tf.constant(scale, tf.float32)
        self._prepare()

    def _prepare(self) -> None:
        utterances = self.utterances
        require_decodable(utterances)
        self.audio = tf.constant([utterance.audio for utterance in utterances])
        self.start = tf.constant([utterance.start or 0.0 for utterance in utterances], tf.float64)
        ends = [np.inf if utterance.end is None else utterance.end for utterance in utterances]
        self.end = tf.constant(ends, tf.float64)
        self.speed = tf.constant([utterance.speed for utterance in utterances], tf.float64)
        self.side = tf.constant(sides(utterances))

    @contextlib.contextmanager
    def opened(self, batches: Sequence[PlannedBatch]) -> Iterator[Callable[[int, np.ndarray], list[bytes]]]:
        """Yield a function from the number of a batch and some of its utterances to what `read` needs of each."""
        yield lambda number, part: [b""] * len(part)

    def read(self, indices: tf.Tensor, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the features of a part of a batch; of no utterance, there is one row of length 0.

        Args:
            indices: ``(batch,)`` utterances.
            contents: ``(batch,)`` strings, from `opened`.

        Returns:
            ``(batch, frames, bins)`` float32, one frame or more, zero-padded; and ``(batch,)`` int32 lengths.
        """
        # No utterance: it computes the first one and hides it.
        shown = tf.cond(tf.size(indices) > 0, lambda: indices, lambda: tf.zeros(1, tf.int32))
        return self._padded(self._read_one, shown, indices)

    def _padded(
        self, features: Callable[[Any], tf.Tensor], elements: Any, indices: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute and pad the features of elements, which are of utterances or in place of none."""
        signature = tf.RaggedTensorSpec((None, self.config.dimension), tf.float32, ragged_rank=0)
        ragged = tf.map_fn(features, elements, fn_output_signature=signature)
        padded = ragged.to_tensor()
        lacking = 1 - tf.minimum(tf.shape(padded)[1], 1)
        lengths = tf.cast(ragged.row_lengths(), tf.int32) * tf.cast(tf.size(indices) > 0, tf.int32)
        return tf.pad(padded, [[0, 0], [0, lacking], [0, 0]]), lengths

    def explain(self, error: tf.errors.OpError, batch: Iterable[tuple[str, int]]) -> DataError:
        """Return what the audio of a batch, which stopped the graph, has done wrong.

        Args:
            error: of the graph, which does not name the utterance.
            batch: ids and indices of its utterances.
        """
        problems = []
        for name, index in batch:
            try:
                load_utterance(self.utterances[index], self.config)
            except DataError as problem:
                problems.append(f"{name}: {problem}")
        advice = (
            "audio that cannot be read in the graph; mend it, leave the utterances out (speechtl data subset "
            "--exclude ID,ID), or store features (speechtl features), which goes on without them"
        )
        # What only the graph cannot read, such as a wrong length in a header.
        return DataError(list_problems(advice, problems or [str(error.message).strip().splitlines()[0]]))

    def _read_one(self, index: tf.Tensor) -> tf.Tensor:
        place = (self.audio[index], self.start[index], self.end[index], self.speed[index], self.side[index])
        return self._normalise(compute(waveform_in_graph(*place, self.config), self.config))

    def _normalise(self, features: tf.Tensor) -> tf.Tensor:
        if self.normalisation.kind == "none":
            return features
        if self.normalisation.kind == "global":
            return (features - self.mean) * self.scale
        # In float64 and with Kaldi's floor, as for stored features.
        wide = tf.cast(features, tf.float64)
        mean = tf.reduce_mean(wide, axis=0)
        centred = wide - mean
        if self.normalisation.variance:
            variance = tf.reduce_mean(tf.square(wide), axis=0) - tf.square(mean)
            centred = centred * tf.math.rsqrt(tf.maximum(variance, 1e-20))
        return tf.cast(centred, tf.float32)


def expected_frames(data: DataDir, config: FeatureConfig) -> tuple[dict[str, int], dict[str, str]]:
    """Return the number of frames of every utterance of a data directory, from durations only.

    Returns:
        utterance -> frames, and of those whose audio cannot be read, the reason.
    """
    seconds, faults = measure(data)
    return {name: config.num_frames(round(one * config.sample_rate)) for name, one in seconds.items()}, faults
