"""The workers of a Slurm job, as TensorFlow wants to be told of them (``TF_CONFIG``)."""

import json
import re
from collections.abc import Iterator, Mapping

from speechtl.errors import ConfigError

# Ports for jobs without reserved ones: above those of services, below those that systems give to clients.
_FIRST_PORT, _PORTS = 20000, 12000
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_REPEATED = re.compile(r"([0-9]+)(?:\(x([0-9]+)\))?")


def slurm_cluster(environment: Mapping[str, str]) -> str:
    """Return ``TF_CONFIG`` for a task of ``srun``: every task is a worker, the first one is the chief.

    Ports are those that ``srun --resv-ports`` has reserved, else numbers that follow from the job's and the step's.

    Args:
        environment: with the variables that Slurm sets in a step: ``SLURM_PROCID``, ``SLURM_STEP_NODELIST`` and
            ``SLURM_STEP_TASKS_PER_NODE`` (those of the job where a step has none), ``SLURM_JOB_ID``.

    Raises:
        ConfigError: a variable is missing or cannot be read, or tasks are not placed node by node.
    """

    def variable(*names: str) -> str:
        for name in names:
            if environment.get(name):
                return environment[name]
        raise ConfigError(f"{names[0]} is not set; --cluster-from slurm is for commands that srun starts")

    def number(*names: str) -> int:
        value = variable(*names)
        if not (value.isascii() and value.isdigit()):
            raise ConfigError(f"{names[0]}={value}: expected a number")
        return int(value)

    nodes = hosts(variable("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"))
    counts = _counts(variable("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"))
    if len(counts) != len(nodes):
        raise ConfigError(f"Slurm names {len(nodes)} nodes and tasks on {len(counts)}; start the job again")
    reserved = environment.get("SLURM_STEP_RESV_PORTS", "")
    if reserved:
        ports = [int(port) for port in _expanded(reserved, "SLURM_STEP_RESV_PORTS")]
    else:
        step = int(environment.get("SLURM_STEP_ID", "0")) if environment.get("SLURM_STEP_ID", "0").isdigit() else 0
        spread = (number("SLURM_JOB_ID", "SLURM_JOBID") * 64 + step * 8) % _PORTS
        ports = [_FIRST_PORT + (spread + place) % _PORTS for place in range(max(counts))]
    if len(ports) < max(counts):
        raise ConfigError(f"{max(counts)} tasks on a node, but {len(ports)} ports; reserve more (srun --resv-ports)")
    places = [(node, place) for node, count in enumerate(counts) for place in range(count)]
    rank = number("SLURM_PROCID")
    if rank >= len(places):
        raise ConfigError(f"SLURM_PROCID={rank}: Slurm says that there are {len(places)} tasks; start the job again")
    if environment.get("SLURM_NODEID") and number("SLURM_NODEID") != places[rank][0]:
        raise ConfigError("tasks are not placed node by node, which is expected; add srun --distribution=block")
    workers = [f"{nodes[node]}:{ports[place]}" for node, place in places]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}})


def hosts(nodes: str) -> list[str]:
    """Return the names that a node list of Slurm stands for: ``n[01-03,07],gpu1`` are ``n01 n02 n03 n07 gpu1``.

    Raises:
        ConfigError: it cannot be read.
    """
    found = []
    for one in _split(nodes):
        names = [""]
        end = 0
        for brackets in _BRACKETS.finditer(one):
            between, end = one[end : brackets.start()], brackets.end()
            numbers = list(_expanded(brackets[1], nodes))
            names = [name + between + number for name in names for number in numbers]
        rest = one[end:]
        if not one or "[" in rest or "]" in rest:
            raise ConfigError(f"'{nodes}': not a list of nodes as Slurm writes it")
        found += [name + rest for name in names]
    return found


def _split(nodes: str) -> list[str]:
    """Split at the commas outside brackets."""
    return re.split(r",(?![^\[]*\])", nodes.strip())


def _expanded(ranges: str, origin: str) -> Iterator[str]:
    """Yield the numbers of ``01-03,07``, with as many digits."""
    for part in ranges.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None or (found[2] and int(found[2]) < int(found[1])):
            raise ConfigError(f"'{origin}': '{part}' is not a range of numbers, as Slurm writes it")
        for number in range(int(found[1]), int(found[2] or found[1]) + 1):
            yield str(number).zfill(len(found[1]))


def _counts(tasks: str) -> list[int]:
    """Return the tasks of each node: of ``2(x3),1``, 2 2 2 1."""
    counts = []
    for part in tasks.split(","):
        found = _REPEATED.fullmatch(part.strip())
        if found is None:
            raise ConfigError(f"'{tasks}': not the tasks of nodes as Slurm writes them")
        counts += [int(found[1])] * int(found[2] or 1)
    return counts
