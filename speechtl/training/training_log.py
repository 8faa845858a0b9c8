"""The log of a training run: ``log.jsonl`` and TensorBoard summaries."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from speechtl.errors import DataError
from speechtl.growing_file import GrowingFile, objects, whole_lines
from speechtl.layout import ExperimentLayout
from speechtl.training.state import Progress


class TrainingLog:
    """Append events to ``log.jsonl`` and scalars to ``tensorboard/``.

    Attributes:
        path: of the log.
        lines: of the log so far.
    """

    def __init__(self, directory: Path, progress: Progress):
        """Continue the log of a run, dropping later entries of a killed run.

        Raises:
            DataError: something cannot be written, or the log is damaged.
        """
        layout = ExperimentLayout(directory)
        self.path = layout.log
        kept = whole_lines(self.path) if progress.step else []
        if progress.logged >= 0:
            kept = kept[: progress.logged]
        else:
            events = objects(kept, self.path, "remove these lines to continue the run")
            kept = [line for line, event in zip(kept, events) if _step(event) <= progress.step]
        self._file = GrowingFile(self.path, kept)
        self.lines = len(kept)
        with _explained(layout.tensorboard):
            self._summaries = tf.summary.create_file_writer(os.fspath(layout.tensorboard))

    def write(self, event: str, step: int, **values: Any) -> None:
        """Write one event; numbers become TensorBoard scalars named ``event/name``.

        Raises:
            DataError: something cannot be written.
        """
        rounded = {key: round(value, 6) if isinstance(value, float) else value for key, value in values.items()}
        self._file.add(json.dumps({"event": event, "step": step, **rounded}, ensure_ascii=False))
        self.lines += 1
        with _explained(self.path.parent / "tensorboard"), self._summaries.as_default(step=step):
            for key, value in values.items():
                if isinstance(value, int | float):
                    tf.summary.scalar(f"{event}/{key}", value)

    def close(self) -> None:
        """Flush and close both.

        Raises:
            DataError: something cannot be written.
        """
        self._file.close()
        with _explained(self.path.parent / "tensorboard"):
            self._summaries.close()


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as error:
        advice = "free some space and run the command again"
        raise DataError(f"{path}: cannot write: {error.message}; {advice}") from error


def describe_epoch(entry: Mapping[str, Any], epochs: int) -> str:
    """Return one line that summarises an epoch."""
    text = f"epoch {entry['epoch']}/{epochs}: train loss {entry['train_loss']:.3f}"
    if "dev_loss" in entry:
        text += f", dev loss {entry['dev_loss']:.3f}"
    if "dev_per" in entry:
        text += f", dev PER {entry['dev_per']:.2f} %"
    if "dev_pfer" in entry:
        text += f", PFER {entry['dev_pfer']:.2f} %"
    by_language = [name for name in entry if name.startswith("dev_per_")]
    rates = [f"{name.removeprefix('dev_per_')} {entry[name]:.2f}" for name in by_language]
    if rates:
        text += f" ({', '.join(rates)})"
    return text


def _step(event: dict[str, Any]) -> float:
    """Return the step of an event; one without any stays where it is."""
    step = event.get("step", 0)
    return step if isinstance(step, int | float) else 0
