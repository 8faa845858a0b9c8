"""Frame labels from an alignment, for frame-wise training."""

from collections.abc import Sequence
from pathlib import Path

from speechtl.batches.source import Source
from speechtl.data.ctm import TimedLabel, read_ctm
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems
from speechtl.features.config import FeatureConfig
from speechtl.features.frame_clock import FrameClock
from speechtl.lang.phone_inventory import PhoneInventory

PHONES_FILE = "phones.ctm"
"""In a data directory: the phones of its utterances with their times, as written by ``speechtl align``."""


def label_frames(
    source: Source, directories: Sequence[str | Path], inventory: PhoneInventory, features: FeatureConfig
) -> None:
    """Replace a source's labels by the unit of every frame, 0 (the blank) outside all phones.

    Args:
        source: its labels are replaced, and its pronunciation variants removed.
        directories: its labelled data directories, each with a ``phones.ctm``.
        inventory: phones to unit numbers.
        features: configuration of the features, for the times of frames.

    Raises:
        DataError: a directory without ``phones.ctm``; utterances missing in it, or phones that the inventory lacks (all
            are listed).
    """
    timed: dict[str, list[TimedLabel]] = {}
    wanted: set[str] = set()
    problems = []
    for directory in map(Path, directories):
        if not (directory / PHONES_FILE).is_file():
            problems.append(f"{directory / PHONES_FILE}: missing; copy the one that speechtl align wrote there")
            continue
        data = DataDir.load(directory)
        found = read_ctm(directory / PHONES_FILE, data)
        timed |= found
        wanted |= data.utt2spk.keys()
        foreign = {one.label for labels in found.values() for one in labels} - set(inventory.phones)
        problems += [f"{directory / PHONES_FILE}: the model has no phone '{phone}'" for phone in sorted(foreign)]
    if not problems:
        problems = [f"{name}: not in {PHONES_FILE}" for name in source.utterance_ids if name not in timed]
    if problems:
        heading = f"language {source.language}: {len(problems)} problems with the times of phones"
        raise DataError(list_problems(f'{heading}; training.criterion = "framewise" needs them', problems))
    unit_of = {phone: unit for unit, phone in enumerate(inventory.phones, start=1)}
    clock = FrameClock.of(features)
    for index, name in enumerate(source.utterance_ids):
        if name not in timed:
            continue  # unlabelled speech
        labels = [0] * int(source.frames[index])
        for (first, last), one in zip(clock.spans(timed[name], len(labels)), timed[name], strict=True):
            labels[first:last] = [unit_of[one.label]] * (last - first)
        source.labels[index] = labels
    source.variants = [[] for _ in source.utterance_ids]
