"""Features of batches, computed from audio by the workers of a tf.data service."""

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from speechtl.batches.config import NormalisationConfig
from speechtl.batches.graph_reader import GraphReader
from speechtl.batches.plan import PlannedBatch
from speechtl.data.datadir import Utterance
from speechtl.errors import DataError
from speechtl.features.config import FeatureConfig

_logger = logging.getLogger(__name__)

_REACHED_WITHIN = 10.0  # Seconds in which a dispatcher answers.
# Batches that may come before the one that is waited for; then it is computed here.
_EARLY = 64
# Of all workers together, that are computed ahead.
_AHEAD = 16


class ServiceReader(GraphReader):
    """Have the features of whole batches computed elsewhere, and put these into the order of the plan.

    Only the features: which utterances a batch holds, their labels and augmentation are this process's, as without a
    service, and so are the batches that come out of it. The service gives every batch to one worker, whichever is free,
    and forgets those of a worker that is lost, which are computed here.

    Args:
        utterances: see `GraphReader`.
        features: likewise.
        normalisation: likewise.
        global_stats: likewise.
        service: address of the dispatcher, ``grpc://host:port``.

    Raises:
        DataError: nothing answers there; or see `GraphReader`.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        features: FeatureConfig,
        normalisation: NormalisationConfig,
        global_stats: np.ndarray | None,
        service: str,
    ):
        self.service = service
        _require(service)
        super().__init__(utterances, features, normalisation, global_stats)

    @contextlib.contextmanager
    def opened(self, batches: Sequence[PlannedBatch]) -> Iterator[Callable[[int, np.ndarray], list[bytes]]]:
        """Yield a function from the number of a batch and some of its utterances to their features, serialised."""
        computed = self._computed(batches)
        early: dict[int, dict[int, bytes]] = {}
        current: tuple[int, dict[int, bytes]] = (-1, {})

        def contents(number: int, part: np.ndarray) -> list[bytes]:
            nonlocal current
            if current[0] != number:
                while number not in early and len(early) < _EARLY:
                    found = next(computed, None)
                    if found is None:
                        break
                    if found[0] >= number:
                        early[found[0]] = found[1]
                current = number, early.pop(number, {})
            features = current[1]
            return [features[index] if index in features else self._serialised(index).numpy() for index in part]

        yield contents

    def read(self, indices: tf.Tensor, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return features as `GraphReader.read` does; ``contents`` are serialised features, ``(batch,)`` strings."""

        def features(content: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.io.parse_tensor(content, tf.float32), (None, self.config.dimension))

        nothing = tf.io.serialize_tensor(tf.zeros((1, self.config.dimension)))
        shown = tf.cond(tf.size(indices) > 0, lambda: contents, lambda: nothing[None])
        return self._padded(features, shown, indices)

    def _serialised(self, index: tf.Tensor) -> tf.Tensor:
        return tf.io.serialize_tensor(self._read_one(index))

    def _computed(self, batches: Sequence[PlannedBatch]) -> Iterator[tuple[int, dict[int, bytes]]]:
        """Yield numbers of batches and the features of their utterances, in any order, as long as the service works."""
        widest = max((len(batch.utterances) for batch in batches), default=0)
        table = np.full((len(batches), widest), -1, np.int32)
        for row, batch in zip(table, batches, strict=True):
            row[: len(batch.utterances)] = batch.utterances

        @tf.autograph.experimental.do_not_convert
        def compute(number: tf.Tensor, row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            indices = tf.boolean_mask(row, row >= 0)
            return number, indices, tf.map_fn(self._serialised, indices, fn_output_signature=tf.string)

        service = tf.data.experimental.service
        dataset = tf.data.Dataset.from_tensor_slices((np.arange(len(batches)), table)).map(compute)
        dataset = dataset.apply(
            service.distribute(service.ShardingPolicy.DYNAMIC, self.service, max_outstanding_requests=_AHEAD)
        )
        try:
            for number, indices, contents in dataset:
                yield int(number), dict(zip(indices.numpy().tolist(), contents.numpy().tolist(), strict=True))
        except tf.errors.OpError as error:
            # Audio that cannot be read, perhaps, which is then found by computing it here.
            reason = str(error.message).strip().splitlines()[0]
            _logger.warning(f"{self.service}: {reason}; the rest of the epoch's features are computed here")


def _require(service: str) -> None:
    host, _, port = service.partition("://")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_REACHED_WITHIN).close()
    except (OSError, ValueError) as error:
        raise DataError(
            f"data.service: no dispatcher of a tf.data service answers at {service} ({error}); start one, or leave "
            "service out"
        ) from error
