"""CMVN statistics of all training speech, for global normalisation."""

from collections.abc import Sequence

import numpy as np

from speechtl.batches.config import DataConfig
from speechtl.data.datadir import DataDir
from speechtl.errors import ConfigError, list_problems
from speechtl.features.archives import read_double_matrix
from speechtl.features.cmvn import accumulate, add
from speechtl.features.config import FeatureConfig
from speechtl.features.in_graph import features_dataset
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
            if table.in_graph and not directory.cmvn_scp:
                stats.append(_stats_in_graph(directory, features))
            elif not directory.cmvn_scp:
                problems.append(f"{path}/cmvn.scp: missing; run speechtl features {path}")
    if problems:
        raise ConfigError(list_problems("global normalisation needs the statistics of all training data", problems))
    return add(stats)


def _stats_in_graph(directory: DataDir, features: FeatureConfig) -> np.ndarray:
    """Read all audio of a directory once to compute its statistics."""
    with progress_bar(f"statistics of {directory.path}", len(directory)) as advance:
        parts = []
        for element in features_dataset(directory, features):
            parts.append(accumulate(element["features"].numpy()))
            advance()
    return add(parts)
