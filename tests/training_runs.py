"""Trainings in tests: the weights and the log they leave, and runs that are killed."""

import json
from pathlib import Path

import numpy as np
import pytest

from speechtl.experiment.train import train
from speechtl.models.weights import load_arrays
from speechtl.training.trainer import Trainer

# Of one epoch, as far as it can be without anything that depends on later ones.
SHORT = ["training.epochs=1", "training.average=1", "training.choose_pronunciations=[]"]


class Killed(Exception):
    pass


def weights(path):
    """Return the weights of a finished experiment, by path."""
    return load_arrays(Path(path) / "weights.h5")[0]


def events(path, kind=None):
    """Return the events of a training log, all or those of a kind."""
    lines = (Path(path) / "log.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if kind in (None, event["event"])]


def assert_same(first, second):
    """Compare weights by path, to the bit."""
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def train_killed(config, directory, *lives):
    """Train; the run is killed after each of these numbers of steps and continued at last to the end.

    Its state is written after every step, however seldom the config says.
    """
    often = config.training.model_copy(update={"checkpoint_minutes": 1e-6})
    config = config.model_copy(update={"training": often})
    for steps in lives:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Trainer, "_step", _killed_after(steps))
            train(config, directory)
    return train(config, directory)


def _killed_after(steps):
    plain, left = Trainer._step, [steps]

    def step(self, *arguments):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return plain(self, *arguments)

    return step
