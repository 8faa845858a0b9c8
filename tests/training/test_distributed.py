"""Two replicas train as one does: two processes, and two devices of one process; and one of two processes dies."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from training_runs import weights

from speechtl.experiment.config import load_config
from speechtl.experiment.train import train

SCRIPT = """
import os
import signal
import sys
import tensorflow as tf
config, directory, devices, lives = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if devices > 1:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    import speechtl.experiment.train
    names = [f"CPU:{number}" for number in range(devices)]
    speechtl.experiment.train._strategy = lambda: tf.distribute.MirroredStrategy(names)
from speechtl.experiment.config import load_config
from speechtl.experiment.train import train
import speechtl.training.trainer
import time
write = speechtl.training.trainer.save_arrays
def write_slowly(*arguments):  # the other worker must wait for the chief's files
    time.sleep(0.7)
    write(*arguments)
if devices == 1:
    speechtl.training.trainer.save_arrays = write_slowly
if lives:
    import speechtl.training.worker_watch
    speechtl.training.worker_watch._EVERY = speechtl.training.worker_watch._NOTICE = 0.5
step = speechtl.training.trainer.Trainer._step
def mortal_step(*arguments):
    global lives
    lives -= 1
    if not lives:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*arguments)
speechtl.training.trainer.Trainer._step = mortal_step
from speechtl.errors import SpeechtlError
try:
    train(load_config(config), directory)
except SpeechtlError as error:
    sys.exit(f"error: {error}")
"""


def start(config, directory, devices=1, cluster=None, index=0, lives=0):
    environment = dict(os.environ)
    environment.pop("TF_CONFIG", None)
    if cluster:
        environment["TF_CONFIG"] = json.dumps(
            {"cluster": {"worker": cluster}, "task": {"type": "worker", "index": index}}
        )
    command = [sys.executable, "-c", SCRIPT, str(config), str(directory), str(devices), str(lives)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE if lives else None, text=True)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def single(make_config, source, tmp_path):
    """Return a config, the same in two parts per batch, and the weights that one replica trains, in this process."""
    # What depends on the replica (dropout) is off; masks do not depend on it.
    rates = {"rates": {"heads/*": 0.5}, "layer_decay": 0.8, "unfreeze": {"first:2": 2}}
    teacher = {"method": "distillation", "source": str(source), "pairs": {"tdnn1": "tdnn2"}}
    quiet = {"model__encoder": {"dropout": 0.0}, "model": {"head_dropout": 0.0}}
    config = make_config(**quiet, training=rates, transfer=teacher)
    parts = make_config(**quiet, training=rates | {"accumulate": 2}, transfer=teacher, name="parts.toml")
    train(load_config(config), tmp_path / "single")
    return config, parts, weights(tmp_path / "single")


def test_two_processes_and_two_devices_train_as_one(single, tmp_path):
    config, parts, expected = single
    cluster = [f"127.0.0.1:{port}" for port in free_ports(4)]
    workers = [start(parts, tmp_path / "workers", cluster=cluster[:2], index=index) for index in range(2)]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    # The second one dies at its fifth step, in the second epoch; the first one says so, and goes on alone later.
    mortal = [
        start(config, tmp_path / "alone", cluster=cluster[2:], index=index, lives=(99, 5)[index]) for index in range(2)
    ]
    mortal[1].wait(timeout=300)
    _, said = mortal[0].communicate(timeout=60)
    assert mortal[0].returncode == 1 and f"worker 1 ({cluster[3]}) has died" in said
    assert (tmp_path / "alone" / "state" / "checkpoint.h5").exists() and not (
        tmp_path / "alone" / "weights.h5"
    ).exists()
    train(load_config(config), tmp_path / "alone")
    assert start(config, tmp_path / "devices", devices=2).wait() == 0
    for name in ("workers", "devices", "alone"):
        found = weights(tmp_path / name)
        assert found.keys() == expected.keys()
        for path, array in expected.items():
            np.testing.assert_allclose(found[path], array, atol=2e-3, err_msg=f"{name}: {path}")
