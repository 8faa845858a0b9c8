import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.errors import ConfigError
from speechtl.training.slurm_cluster import hosts, slurm_cluster

STEP = {"SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_PROCID": "0", "SLURM_NODEID": "0"}


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ("node1", ["node1"]),
        ("node[01-03,07]", ["node01", "node02", "node03", "node07"]),
        ("n[1-2],m5,o[3-4,6,7-9]", ["n1", "n2", "m5", "o3", "o4", "o6", "o7", "o8", "o9"]),
        ("gpu-[099-101].cluster,login", ["gpu-099.cluster", "gpu-100.cluster", "gpu-101.cluster", "login"]),
        ("rack[1-2]n[01-02]", ["rack1n01", "rack1n02", "rack2n01", "rack2n02"]),
    ],
)
def test_node_lists(nodes, expected):
    assert hosts(nodes) == expected


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 12)), min_size=1, max_size=4), st.integers(1, 4))
def test_ranges_keep_their_digits(ranges, width):
    text = ",".join(f"{first:0{width}d}-{first + more:0{width}d}" for first, more in ranges)
    expected = [f"n{number:0{width}d}" for first, more in ranges for number in range(first, first + more + 1)]
    assert hosts(f"n[{text}]") == expected


@pytest.mark.parametrize("nodes", ["", "n[1", "n[1-x]", "n[3-1]", "n1]", "a,,b", "n[]"])
def test_what_is_no_node_list_is_refused(nodes):
    with pytest.raises(ConfigError, match="as Slurm writes it"):
        hosts(nodes)


def test_every_task_is_a_worker_in_the_same_order():
    step = STEP | {"SLURM_STEP_NODELIST": "node[01-03]", "SLURM_STEP_TASKS_PER_NODE": "2(x2),1"}
    clusters = []
    for rank, node in enumerate([0, 0, 1, 1, 2]):
        found = json.loads(slurm_cluster(step | {"SLURM_PROCID": str(rank), "SLURM_NODEID": str(node)}))
        assert found["task"] == {"type": "worker", "index": rank}
        clusters.append(found["cluster"]["worker"])
    assert all(cluster == clusters[0] for cluster in clusters)
    assert [worker.split(":")[0] for worker in clusters[0]] == ["node01", "node01", "node02", "node02", "node03"]
    ports = [int(worker.split(":")[1]) for worker in clusters[0]]
    assert len(set(clusters[0])) == 5 and all(1024 < port < 32768 for port in ports)
    other = json.loads(slurm_cluster(step | {"SLURM_JOB_ID": "4712"}))["cluster"]["worker"]
    assert not set(other) & set(clusters[0])


def test_reserved_ports_and_the_job_where_a_step_says_nothing():
    job = {"SLURM_JOB_NODELIST": "a,b", "SLURM_TASKS_PER_NODE": "1(x2)", "SLURM_STEP_RESV_PORTS": "12004-12005"}
    found = json.loads(slurm_cluster(STEP | job))
    assert found["cluster"]["worker"] == ["a:12004", "b:12004"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SLURM_PROCID": ""}, "SLURM_PROCID is not set; --cluster-from slurm is for commands that srun starts"),
        ({"SLURM_PROCID": "1"}, "--distribution=block"),
        ({"SLURM_PROCID": "9"}, "there are 4 tasks"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2"}, "names 2 nodes and tasks on 1"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(y2)"}, "not the tasks of nodes"),
        ({"SLURM_STEP_RESV_PORTS": "12000"}, "reserve more"),
        ({"SLURM_JOB_ID": "x"}, "SLURM_JOB_ID=x: expected a number"),
    ],
)
def test_what_does_not_fit_is_said(change, message):
    step = STEP | {"SLURM_STEP_NODELIST": "n[1-2]", "SLURM_STEP_TASKS_PER_NODE": "2(x2)"}
    step |= {"SLURM_NODEID": "1"} if change.get("SLURM_PROCID") == "1" else {}
    with pytest.raises(ConfigError) as caught:
        slurm_cluster(step | change)
    assert message in str(caught.value)
