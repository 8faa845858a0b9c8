"""``--nj`` and ``--cluster``: who computes."""

import contextlib
from collections.abc import Iterator

from speechtl.cluster.cluster_spec import parse_cluster
from speechtl.errors import ConfigError
from speechtl.pieces import Here, Processes, Workers


@contextlib.contextmanager
def open_workers(cluster: str | None, processes: int = 1) -> Iterator[Workers]:
    """Yield what computes pieces; a cluster that was started for it is stopped at the end.

    Args:
        cluster: see `parse_cluster`; None for this machine without Dask.
        processes: of this machine; 1 is this one.

    Raises:
        ConfigError: the cluster is none, both are given, Dask is not installed, or the versions of workers differ.
        DataError: no scheduler or no worker can be reached.
    """
    if cluster is None:
        yield Here() if processes == 1 else Processes(processes)
        return
    spec = parse_cluster(cluster)
    if processes != 1:
        raise ConfigError("--cluster says how many workers there are; leave --nj out")
    try:
        from speechtl.cluster.dask_workers import dask_workers
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "speechtl":
            raise
        raise ConfigError(f"--cluster needs {error.name}: pip install 'speechtl[cluster]'") from error
    with dask_workers(spec) as workers:
        yield workers
