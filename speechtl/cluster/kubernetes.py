"""Workers as pods of Kubernetes, by dask-kubernetes and its operator."""

from typing import Any

from speechtl.cluster.cluster_spec import ClusterSpec
from speechtl.errors import ConfigError
from speechtl.pieces import ONE_THREAD


def kubernetes_cluster(spec: ClusterSpec) -> Any:
    """Ask the operator for a scheduler and workers; they are deleted at the end.

    Raises:
        ConfigError: dask-kubernetes is not installed, or Kubernetes cannot be reached.
    """
    try:
        from dask_kubernetes.operator import KubeCluster
    except ModuleNotFoundError as error:
        raise ConfigError(f"--cluster kubernetes needs {error.name}: pip install 'speechtl[kubernetes]'") from error
    options = {"name": "speechtl", "env": dict(ONE_THREAD), **spec.options}
    try:
        cluster = KubeCluster(n_workers=spec.fewest, **options)
    except Exception as error:
        # The errors of its clients have no class in common.
        raise ConfigError(f"--cluster kubernetes: {error}; is the operator of Dask installed there?") from error
    if spec.most > spec.fewest:
        cluster.adapt(minimum=spec.fewest, maximum=spec.most)
    return cluster
