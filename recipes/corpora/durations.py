"""How long recordings are, and parts that last so many minutes. Needs soundfile."""

import random
from collections.abc import Sequence
from pathlib import Path

import soundfile
from data_dirs import Utterance


def seconds_of(path: Path) -> float:
    """Return how long a recording is; 0 if it is empty."""
    return float(soundfile.info(path).duration)


def nested_parts(utterances: Sequence[Utterance], minutes: Sequence[int], seed: int) -> dict[str, list[Utterance]]:
    """Return parts ``train_1min``, ... of so many minutes, each of which contains the shorter ones.

    The utterances are taken in one random order until the minutes are reached. Speech that is shorter than some of the
    ``minutes`` has no such parts.
    """
    ordered = sorted(utterances, key=lambda utterance: utterance.id)
    shuffled = random.Random(seed).sample(ordered, len(ordered))
    parts: dict[str, list[Utterance]] = {}
    taken: list[Utterance] = []
    seconds = 0.0
    wanted = sorted(minutes)
    for utterance in shuffled:
        taken.append(utterance)
        seconds += seconds_of(utterance.audio)
        while wanted and seconds >= 60 * wanted[0]:
            parts[f"train_{wanted.pop(0)}min"] = list(taken)
    return parts
