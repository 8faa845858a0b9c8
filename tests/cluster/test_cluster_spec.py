"""What --cluster may say, and what is submitted to queues; no scheduler of them is needed."""

import os
import stat
import sys

import pytest

from speechtl.cluster.cluster_spec import ClusterSpec, parse_cluster
from speechtl.cluster.job_queue import job_options
from speechtl.cluster.open_workers import open_workers
from speechtl.errors import ConfigError, DataError
from speechtl.pieces import Here, Processes

dask_jobqueue = pytest.importorskip("dask_jobqueue")


def test_every_kind_of_cluster():
    assert parse_cluster("local:8") == ClusterSpec("local", fewest=8, most=8)
    assert parse_cluster("tls://[::1]:8786").address == "tls://[::1]:8786"
    queue = parse_cluster("slurm:partition=cpu,jobs=4-40,cores=16,memory=64GB")
    assert queue == ClusterSpec("queue", "slurm", "", 4, 40, {"queue": "cpu", "cores": "16", "memory": "64GB"})
    pods = parse_cluster("kubernetes:image=ours/speechtl:1,workers=10,namespace=speech")
    assert (pods.kind, pods.fewest, pods.most) == ("kubernetes", 10, 10)
    assert pods.options == {"image": "ours/speechtl:1", "namespace": "speech"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spark:8", "no such engine; expected local:8, tcp://scheduler:8786, slurm:partition=cpu,jobs=40"),
        ("slurm", "no such engine"),
        ("local:none", "expected a number from 1, got 'none'"),
        ("local:0", "expected a number from 1, got '0'"),
        ("tcp://scheduler", "expected the address of a scheduler, such as tcp://scheduler:8786"),
        ("slurm:cpu", "'cpu': expected key=value"),
        ("slurm:queue=cpu", "no option queue; there are jobs, cores, memory, walltime"),
        ("pbs:partition=cpu", "no option partition; .*jobqueue.yaml, which Dask reads"),
        ("slurm:jobs=many", "jobs: expected a number from 1, got 'many'"),
        ("slurm:jobs=5-2", "jobs: 5 is more than 2"),
        ("slurm:cores=2.5", "cores: expected a number"),
        ("kubernetes:workers=3", "give the container image that has speechtl"),
    ],
)
def test_what_is_none_is_told(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_cluster(text)


def test_without_a_cluster_it_is_this_machine():
    with open_workers(None) as workers:
        assert isinstance(workers, Here)
    with open_workers(None, 3) as workers:
        assert isinstance(workers, Processes) and workers.count == 3
    with pytest.raises(ConfigError, match="leave --nj out"), open_workers("local:2", 3):
        pass


def test_dask_is_named_if_it_is_missing(monkeypatch):
    monkeypatch.delitem(sys.modules, "speechtl.cluster.dask_workers", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    message = r"--cluster needs distributed: pip install 'speechtl\[cluster\]'"
    with pytest.raises(ConfigError, match=message), open_workers("local:2"):
        pass


def test_nobody_at_the_address(monkeypatch):
    from speechtl.cluster import dask_workers

    monkeypatch.setattr(dask_workers, "_REACHED_WITHIN", 0.5)
    with pytest.raises(DataError, match="no scheduler answers there; start one"), open_workers("tcp://127.0.0.1:9"):
        pass


SCRIPTS = {
    "slurm:partition=cpu,account=asr,cores=4,memory=8GB,walltime=2:00:00": (
        "SLURMCluster",
        ["#SBATCH -p cpu", "#SBATCH -A asr", "#SBATCH --cpus-per-task=4", "#SBATCH --mem=8G", "#SBATCH -t 2:00:00"],
    ),
    "sge:queue=cpu.q,project=asr,resources=h_vmem=8G,memory=8GB": (
        "SGECluster",
        ["#$ -q cpu.q", "#$ -P asr", "#$ -l h_vmem=8G"],
    ),
    "pbs:queue=cpu,account=asr,resources=select=1:ncpus=4:mem=8GB,cores=4,walltime=2:00:00": (
        "PBSCluster",
        ["#PBS -q cpu", "#PBS -A asr", "#PBS -l select=1:ncpus=4:mem=8GB", "#PBS -l walltime=2:00:00"],
    ),
    "lsf:queue=cpu,project=asr,cores=4,memory=8GB": (
        "LSFCluster",
        ["#BSUB -q cpu", '#BSUB -P "asr"', "#BSUB -n 4"],
    ),
}


@pytest.mark.parametrize("text", SCRIPTS)
def test_the_script_of_a_job(text, tmp_path, monkeypatch):
    name, lines = SCRIPTS[text]
    if name == "LSFCluster":
        # Which unit LSF counts memory in is asked of the machine.
        monkeypatch.setattr(dask_jobqueue.lsf, "lsf_detect_units", lambda: "mb")
    spec = parse_cluster(text)
    job = getattr(dask_jobqueue, name).job_cls
    options = job_options(spec)
    options.pop("scheduler_options")
    script = job("tcp://here:8786", name="one", **options).job_script()
    written = script.splitlines()
    assert [line for line in lines if line not in written] == []
    cores = int(spec.options.get("cores", 1))
    assert "export OMP_NUM_THREADS=1" in written and "export TF_NUM_INTRAOP_THREADS=1" in written
    assert f"{sys.executable} -m distributed.cli.dask_worker tcp://here:8786" in script
    # A process for each core: pieces are computed by one thread each.
    assert "--nthreads 1" in script
    assert cores == 1 or f"--nworkers {cores}" in script


def test_dask_s_own_configuration_is_kept():
    import dask

    with dask.config.set({"jobqueue.slurm.job-script-prologue": ["module load python"], "jobqueue.slurm.cores": 8}):
        options = job_options(parse_cluster("slurm:partition=cpu"))
    assert options["cores"] == options["processes"] == 8
    assert options["job_script_prologue"][-1] == "module load python"
    assert "export OMP_NUM_THREADS=1" in options["job_script_prologue"]


def _command(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_what_the_queue_answers_is_told(tmp_path, monkeypatch):
    _command(tmp_path, "sbatch", "echo 'invalid partition specified: gpu' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    message = r"the queue does not take the job: .*invalid partition specified: gpu"
    with pytest.raises(ConfigError, match=message), open_workers("slurm:partition=gpu"):
        pass
    monkeypatch.setenv("PATH", "/nowhere")
    message = "no command qsub; run this where jobs can be submitted"
    with pytest.raises(ConfigError, match=message), open_workers("sge:queue=all.q"):
        pass


def test_jobs_that_are_submitted_compute(tmp_path, monkeypatch):
    # A queue of one line: the script runs at once, and its number is that of its process.
    _command(
        tmp_path,
        "sbatch",
        f'cp "$1" {tmp_path}/job.sh; setsid sh {tmp_path}/job.sh >{tmp_path}/log 2>&1 &\necho "Submitted batch job $!"',
    )
    _command(tmp_path, "scancel", 'kill -- "-$1"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with open_workers("slurm:partition=cpu,jobs=1") as workers:
        done = list(workers.run(os.getenv, ["OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS"]))
    assert [one.result for one in done] == ["1", "1"]
    assert "#SBATCH -p cpu" in (tmp_path / "job.sh").read_text()
