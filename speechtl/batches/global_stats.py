"""CMVN statistics of all training speech, for global normalisation."""

from collections.abc import Sequence

import numpy as np

from speechtl.batches.config import BatchConfig, DataConfig, NormalisationConfig
from speechtl.batches.pipeline import make_dataset, read_batches
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Normaliser, Source
from speechtl.data.datadir import DataDir
from speechtl.data.shard_index import is_shard_set
from speechtl.errors import ConfigError, list_problems
from speechtl.features.archives import read_double_matrix
from speechtl.features.cmvn import accumulate, add
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import check_features
from speechtl.progress import progress_bar


def global_stats(data: Sequence[DataConfig], features: FeatureConfig) -> np.ndarray:
    """Return the sum of the speakers' statistics in all training speech, labelled or not: ``(2, bins + 1)``.

    Speech whose features are computed in the graph is read once if it has no stored statistics.

    Raises:
        ConfigError: data directories without statistics; all are listed.
        DataError: stored features were computed with another configuration than the model's.
    """
    problems, stats = [], []
    for table in data:
        for path in (*table.train, *table.unlabelled):
            directory = DataDir.load(path)
            check_features(directory, features)
            stats += [read_double_matrix(place) for place in directory.cmvn_scp.values()]
            if (table.in_graph or is_shard_set(path)) and not directory.cmvn_scp:
                stats.append(_stats_of_audio(table, path, features))
            elif not directory.cmvn_scp:
                problems.append(f"{path}/cmvn.scp: missing; run speechtl features {path}")
    if problems:
        raise ConfigError(list_problems("global normalisation needs the statistics of all training data", problems))
    return add(stats)


def _stats_of_audio(table: DataConfig, path: str, features: FeatureConfig) -> np.ndarray:
    """Read all audio of a directory once to compute its statistics."""
    source = Source([], table, Normaliser(NormalisationConfig(kind="none")), features, unlabelled=[path], report=False)
    plan = plan_once([source.frames], BatchConfig(), [source.shards])
    with progress_bar(f"statistics of {path}", len(source)) as advance:
        parts = []
        for batch in read_batches(make_dataset(source, plan, features.dimension), source, plan):
            for matrix, length in zip(batch.features.numpy(), batch.lengths.numpy(), strict=True):
                parts.append(accumulate(matrix[:length]))
                advance()
    return add(parts)
