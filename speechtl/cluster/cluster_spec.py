"""What ``--cluster`` says."""

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from speechtl.errors import ConfigError

OWN_PORT = "127.0.0.1:0"
"""Where Dask's pages about a scheduler listen: for this machine alone, and not where others do."""

Kind = Literal["local", "address", "queue", "kubernetes"]

QUEUES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "slurm": ("SLURMCluster", "sbatch"),
        "sge": ("SGECluster", "qsub"),
        "pbs": ("PBSCluster", "qsub"),
        "lsf": ("LSFCluster", "bsub"),
    }
)
"""Engine -> dask-jobqueue's class for it, and the command that submits a job."""

# Option -> what dask-jobqueue calls it; what an engine lacks is refused by name.
_QUEUE_OPTIONS = {
    "slurm": {"partition": "queue", "account": "account"},
    "sge": {"queue": "queue", "project": "project", "resources": "resource_spec"},
    "pbs": {"queue": "queue", "account": "account", "resources": "resource_spec"},
    "lsf": {"queue": "queue", "project": "project"},
}
_ALL_QUEUES = ("cores", "memory", "walltime", "interface", "local_directory", "log_directory", "python")
_KUBERNETES = ("image", "workers", "namespace", "name")
_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")
_KNOWN = "local:8, tcp://scheduler:8786, slurm:partition=cpu,jobs=40 (likewise sge, pbs, lsf), kubernetes:image=NAME"


@dataclasses.dataclass(frozen=True)
class ClusterSpec:
    """A cluster.

    Attributes:
        kind: processes of this ``local`` machine; a scheduler that runs at an ``address``; jobs of a ``queue``; or
            pods of ``kubernetes``.
        engine: of a queue, a key of `QUEUES`.
        address: of the scheduler.
        fewest: workers, jobs or pods at least; a queue starts lost ones again.
        most: likewise at most.
        options: of the engine, by Dask's names.
    """

    kind: Kind
    engine: str = ""
    address: str = ""
    fewest: int = 1
    most: int = 1
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)


def parse_cluster(text: str) -> ClusterSpec:
    """Read what ``--cluster`` says.

    Raises:
        ConfigError: an engine or option that there is not, or a number that is none; says what there is.
    """
    engine, colon, rest = text.partition(":")
    if engine in _SCHEMES and rest.startswith("//"):
        if not re.fullmatch(r"//[^/\s]+:[0-9]+", rest):
            raise ConfigError(f"--cluster {text}: expected the address of a scheduler, such as tcp://scheduler:8786")
        return ClusterSpec("address", address=text)
    if engine == "local" and colon:
        count = _number(text, "local", rest)
        return ClusterSpec("local", fewest=count, most=count)
    if engine not in (*QUEUES, "kubernetes") or not colon:
        raise ConfigError(f"--cluster {text}: no such engine; expected {_KNOWN}")
    given = _options(text, rest)
    name = "workers" if engine == "kubernetes" else "jobs"
    fewest, most = _range(text, name, given.pop(name, "1"))
    if engine == "kubernetes":
        _refuse_unknown(text, given, ("workers", *_KUBERNETES))
        if "image" not in given:
            raise ConfigError(f"--cluster {text}: give the container image that has speechtl: kubernetes:image=NAME")
        return ClusterSpec("kubernetes", engine, "", fewest, most, given)
    names = {key: key for key in _ALL_QUEUES} | _QUEUE_OPTIONS[engine]
    _refuse_unknown(text, given, ("jobs", *names))
    if "cores" in given:
        _number(text, "cores", given["cores"])
    return ClusterSpec("queue", engine, "", fewest, most, {names[key]: value for key, value in given.items()})


def _options(text: str, rest: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in rest.split(",") if part]
    wrong = [key for key, equals, value in pairs if not (equals and value)]
    if wrong:
        raise ConfigError(f"--cluster {text}: '{wrong[0]}': expected key=value, with commas between them")
    return {key: value for key, _, value in pairs}


def _refuse_unknown(text: str, given: Mapping[str, str], known: tuple[str, ...]) -> None:
    unknown = sorted(given.keys() - set(known))
    if unknown:
        advice = "; whatever else a job needs goes into ~/.config/dask/jobqueue.yaml, which Dask reads"
        raise ConfigError(
            f"--cluster {text}: no option {', '.join(unknown)}; there are {', '.join(dict.fromkeys(known))}"
            f"{'' if text.startswith('kubernetes') else advice}"
        )


def _number(text: str, what: str, given: str) -> int:
    if not (given.isascii() and given.isdecimal() and int(given)):
        raise ConfigError(f"--cluster {text}: {what}: expected a number from 1, got '{given}'")
    return int(given)


def _range(text: str, what: str, given: str) -> tuple[int, int]:
    """Return ``40`` or ``2-40`` as the fewest and the most."""
    low, dash, high = given.partition("-")
    fewest = _number(text, what, low)
    most = _number(text, what, high) if dash else fewest
    if most < fewest:
        raise ConfigError(f"--cluster {text}: {what}: {fewest} is more than {most}")
    return fewest, most
