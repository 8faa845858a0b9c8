"""Two replicas train as one does: two processes, and two devices of one process; and one of two processes dies."""

import contextlib
import json
import socket
import subprocess
import sys

import numpy as np
import pytest
from training_runs import weights

from speechtl.experiment.config import load_config
from speechtl.experiment.train import train

# Trains in forks, since importing TensorFlow takes longer than that: reads a list of jobs, and answers with exit codes.
SCRIPT = """
import json
import os
import signal
import sys
import time
import tensorflow as tf
import speechtl.experiment.train
import speechtl.training.trainer
import speechtl.training.worker_watch
from speechtl.errors import SpeechtlError
from speechtl.experiment.config import load_config

write, step = speechtl.training.trainer.save_arrays, speechtl.training.trainer.Trainer._step
def write_slowly(*arguments):  # the other worker must wait for the chief's files
    time.sleep(0.7)
    write(*arguments)

def run(config, directory, said, devices=1, cluster=None, index=0, lives=0):
    signal.alarm(900)
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
    os.dup2(2, 1)
    os.environ.pop("TF_CONFIG", None)
    if cluster:
        task = {"type": "worker", "index": index}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": cluster}, "task": task})
        speechtl.training.trainer.save_arrays = write_slowly
    if devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
        names = [f"CPU:{number}" for number in range(devices)]
        speechtl.experiment.train._strategy = lambda: tf.distribute.MirroredStrategy(names)
    if lives:
        speechtl.training.worker_watch._EVERY = speechtl.training.worker_watch._NOTICE = 0.5
    def mortal_step(*arguments):
        nonlocal lives
        lives -= 1
        if not lives:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments)
    speechtl.training.trainer.Trainer._step = mortal_step
    try:
        speechtl.experiment.train.train(load_config(config), directory)
    except SpeechtlError as error:
        sys.exit(f"error: {error}")
    sys.exit()

for line in sys.stdin:
    children = []
    for job in json.loads(line):
        children.append(os.fork())
        if not children[-1]:
            run(**job)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]), flush=True)
"""


@contextlib.contextmanager
def trainings():
    """Yield a function that runs trainings side by side, each in a process, and returns their exit codes."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def run(*jobs):
            process.stdin.write(json.dumps(jobs) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield run
        process.stdin.close()


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
    rates = {"epochs": 2, "rates": {"heads/*": 0.5}, "layer_decay": 0.8, "unfreeze": {"first:2": 2}}
    rates["checkpoint_minutes"] = 1e-6
    teacher = {"method": "distillation", "source": str(source), "pairs": {"tdnn1": "tdnn2"}}
    quiet = {"model__encoder": {"dropout": 0.0}, "model": {"head_dropout": 0.0}}
    config = make_config(**quiet, training=rates, transfer=teacher)
    parts = make_config(**quiet, training=rates | {"accumulate": 2}, transfer=teacher, name="parts.toml")
    train(load_config(config), tmp_path / "single")
    return config, parts, weights(tmp_path / "single")


def test_two_processes_and_two_devices_train_as_one(single, tmp_path):
    config, parts, expected = single
    cluster = [f"127.0.0.1:{port}" for port in free_ports(4)]

    def jobs(config, name, cluster, lives):
        return [
            {
                **{"config": str(config), "directory": str(tmp_path / name), "said": str(tmp_path / f"{name}.{index}")},
                **{"cluster": cluster, "index": index, "lives": lives[index]},
            }
            for index in range(2)
        ]

    with trainings() as run:
        # Of the other two, the second one dies at its fifth step, in the second epoch; the first one says so.
        codes = run(*jobs(parts, "workers", cluster[:2], (0, 0)), *jobs(config, "mended", cluster[2:], (99, 5)))
        said = (tmp_path / "mended.0").read_text()
        assert codes == [0, 0, 1, -9], said
        assert f"worker 1 ({cluster[3]}) has died" in said
        mended = tmp_path / "mended"
        assert (mended / "state" / "checkpoint.h5").exists() and not (mended / "weights.h5").exists()
        # One process goes on alone, with two devices.
        alone = {"config": str(config), "directory": str(mended), "said": str(tmp_path / "alone"), "devices": 2}
        assert run(alone) == [0], (tmp_path / "alone").read_text()
    for name in ("workers", "mended"):
        found = weights(tmp_path / name)
        assert found.keys() == expected.keys()
        for path, array in expected.items():
            np.testing.assert_allclose(found[path], array, atol=2e-3, err_msg=f"{name}: {path}")
