"""Features of batches, computed from audio in tar shards."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from speechtl.audio.tar_part import TarPart
from speechtl.batches.config import NormalisationConfig
from speechtl.batches.graph_reader import GraphReader
from speechtl.batches.plan import PlannedBatch
from speechtl.batches.shard_copies import shard_copies
from speechtl.data.datadir import Utterance
from speechtl.features.compute_parts import load_utterance
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute
from speechtl.remote_file import is_remote


class ShardReader(GraphReader):
    """Read utterances in the order of the plan, decode them with libsndfile and compute features in the graph.

    Shards that are elsewhere are copied one after the other while batches are made of those before.

    Attributes:
        numbers: ``(utterances,)`` the shard of each; those that are in none form made-up shards.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        features: FeatureConfig,
        normalisation: NormalisationConfig,
        global_stats: np.ndarray | None,
    ):
        super().__init__(utterances, features, normalisation, global_stats)
        self.parts = [TarPart.parse(utterance.audio) for utterance in utterances]
        found: dict[object, int] = {}
        # As many utterances outside as are worth a shard.
        keys = [index // 512 if part is None else part.file for index, part in enumerate(self.parts)]
        self.numbers = np.array([found.setdefault(key, len(found)) for key in keys], np.int32)

    def _prepare(self) -> None:
        """Nothing is decoded in the graph."""

    @contextlib.contextmanager
    def opened(self, batches: Sequence[PlannedBatch]) -> Iterator[Callable[[int, np.ndarray], list[bytes]]]:
        """Yield a function from the number of a batch and some of its utterances to their audio files.

        It is called for one batch after the other. Utterances in no shard have ``b""``.
        """
        files = [
            {part.file for index in batch.utterances if (part := self.parts[index]) and is_remote(part.file)}
            for batch in batches
        ]
        with shard_copies(files) as copies:

            def contents(number: int, part: np.ndarray) -> list[bytes]:
                local = copies(number)
                found = [self.parts[index] for index in part]
                return [b"" if one is None else one.read(local.get(one.file)) for one in found]

            yield contents

    def read(self, indices: tf.Tensor, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return features as `GraphReader.read` does; ``contents`` are the audio files, ``(batch,)`` strings."""
        waveforms, samples = tf.numpy_function(self._decode, [indices, contents], [tf.float32, tf.int32])
        waveforms, samples = tf.ensure_shape(waveforms, (None, None)), tf.ensure_shape(samples, (None,))

        def features(one: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            return self._normalise(compute(one[0][: one[1]], self.config))

        return self._padded(features, (waveforms, samples), indices)

    def _decode(self, indices: np.ndarray, contents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return waveforms side by side, ``(batch, samples)``, and the number of samples of each."""
        waveforms = [
            load_utterance(self.utterances[index], self.config, content=content or None)
            for index, content in zip(indices, contents, strict=True)
        ] or [np.zeros(self.config.frame_length, np.float32)]
        lengths = np.array([len(one) for one in waveforms], np.int32)
        padded = np.zeros((len(lengths), lengths.max()), np.float32)
        for row, waveform in zip(padded, waveforms, strict=True):
            row[: len(waveform)] = waveform
        return padded, lengths
