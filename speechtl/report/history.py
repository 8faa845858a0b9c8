"""The history of a training run, read from ``log.jsonl``."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechtl.errors import ModelError, list_problems
from speechtl.files import read_bytes

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class History:
    """The events of a training run, each as it was logged.

    Attributes:
        epochs: ``epoch`` (from 1), ``train_loss`` and, with held-out speech, ``dev_loss``, ``dev_per`` and
            ``dev_pfer`` (percent).
        steps: every 20 updates: ``frames_per_second``, ``gradient_norm`` and the loss terms by name.
        pronunciations: each time pronunciations were chosen again: ``changed`` words, and ``epoch``.
        final: of the averaged weights: ``epochs_averaged``, ``dev_loss``, ``dev_per``; None while training goes on.
    """

    epochs: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    pronunciations: list[dict[str, Any]]
    final: dict[str, Any] | None

    @property
    def step_names(self) -> list[str]:
        """Names of all numbers that steps log, in the order of their first appearance."""
        return list(dict.fromkeys(name for entry in self.steps for name in entry if name not in ("event", "step")))

    @property
    def best_epoch(self) -> dict[str, Any] | None:
        """The epoch with the lowest dev PER; None without held-out speech."""
        measured = [entry for entry in self.epochs if "dev_per" in entry]
        return min(measured, key=lambda entry: entry["dev_per"], default=None)


def read_history(path: Path) -> History:
    """Read ``log.jsonl``; events of other kinds than those of `History` are passed over.

    Raises:
        ModelError: the log is missing, cannot be read, has bad lines (all are listed) or no training in it.
    """
    advice = "give the directory of an experiment that speechtl train made"
    raw = read_bytes(path, error=ModelError, advice=advice)
    *lines, rest = raw.split(b"\n")
    events: list[dict[str, Any]] = []
    problems = []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(_parse(line))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error} (got {line[:60].decode('utf-8', 'replace')!r})")
    if rest:
        problems.append(f"{path}:{len(lines) + 1}: half a line; training was killed while it wrote, or is writing now")
    if problems:
        heading = f"{path}: damaged; continue the run with speechtl train, or remove these lines:"
        raise ModelError(list_problems(heading, problems))
    history = _sort(events)
    if not history.epochs and not history.steps:
        raise ModelError(f"{path}: no training in it yet; wait for the first 20 steps of speechtl train")
    return history


def curve(entries: Iterable[Mapping[str, Any]], x: str, y: str, limit: int = 120) -> list[Point]:
    """Return the points of one curve; beyond ``limit`` of them, means of neighbours. What is not finite is left out."""
    points = [(float(entry[x]), float(entry[y])) for entry in entries if isinstance(entry.get(y), int | float)]
    points = [point for point in points if math.isfinite(point[1])]
    size = math.ceil(len(points) / limit)
    return [_mean(points[start : start + size]) for start in range(0, len(points), max(size, 1))]


def _mean(points: Sequence[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON in UTF-8") from error
    numbers = ("step", "epoch") if isinstance(event, dict) and event.get("event") == "epoch" else ("step",)
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise ValueError("not an event")
    lacking = [name for name in numbers if not isinstance(event.get(name), int)]
    if lacking:
        raise ValueError(f"an event without '{lacking[0]}'")
    return event


def _sort(events: Iterable[dict[str, Any]]) -> History:
    history = History([], [], [], None)
    for event in events:
        kind = event["event"]
        if kind == "epoch":
            history.epochs.append(event)
        elif kind == "step":
            history.steps.append(event)
        elif kind == "pronunciations":
            # Chosen between two epochs, after the one logged last.
            history.pronunciations.append({**event, "epoch": history.epochs[-1]["epoch"] if history.epochs else 0})
        elif kind == "final":
            history = dataclasses.replace(history, final=event)
    return history
