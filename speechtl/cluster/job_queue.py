"""Workers as jobs of Slurm, SGE, PBS or LSF, by dask-jobqueue."""

import shutil
from typing import Any

import dask
import dask_jobqueue
from distributed.core import Status

from speechtl.cluster.cluster_spec import OWN_PORT, QUEUES, ClusterSpec
from speechtl.errors import ConfigError
from speechtl.pieces import ONE_THREAD


def job_queue(spec: ClusterSpec, refusals: list[str]) -> Any:
    """Start a scheduler here, and submit jobs that are workers of it; jobs that end early are submitted again.

    Args:
        spec: the queue.
        refusals: to which is added what the queue answers when it does not take a job.

    Raises:
        ConfigError: this machine cannot submit jobs, or the options are wrong.
    """
    name, command = QUEUES[spec.engine]
    if shutil.which(command) is None:
        raise ConfigError(f"--cluster {spec.engine}: no command {command}; run this where jobs can be submitted")
    cluster_class = getattr(dask_jobqueue, name)

    plain: Any = cluster_class.job_cls

    class Job(plain):
        """A job that says why it cannot start, which otherwise would only be in Dask's log."""

        async def start(self) -> None:
            try:
                await super().start()
            except (RuntimeError, ValueError, OSError) as error:
                # Of what dask-jobqueue says, the last part is the command's own words.
                refusals.append(" ".join(str(error).rpartition("stderr:")[2].split()))
                # Closing a cluster insists that jobs which did not start have failed.
                self.status = Status.failed
                raise

    try:
        cluster = cluster_class(job_cls=Job, **job_options(spec))
    except ValueError as error:
        raise ConfigError(f"--cluster {spec.engine}: {' '.join(str(error).split())}") from error
    cluster.adapt(minimum_jobs=spec.fewest, maximum_jobs=spec.most)
    return cluster


def job_options(spec: ClusterSpec) -> dict[str, Any]:
    """Return the arguments of dask-jobqueue's class: processes of one thread, and the environment that says so.

    What is not given is what Dask's configuration says (``~/.config/dask/jobqueue.yaml``), or else one core and 4 GB
    for each.
    """
    configured = dask.config.get(f"jobqueue.{spec.engine}")
    options: dict[str, Any] = dict(spec.options)
    cores = int(options.pop("cores", None) or configured.get("cores") or 1)
    exports = [f"export {name}={value}" for name, value in ONE_THREAD.items()]
    return options | {
        "cores": cores,
        "processes": cores,
        "memory": options.get("memory") or configured.get("memory") or f"{4 * cores} GB",
        "job_script_prologue": [*exports, *configured.get("job-script-prologue", [])],
        "scheduler_options": {"dashboard_address": OWN_PORT, **configured.get("scheduler-options", {})},
    }
