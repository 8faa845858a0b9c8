"""Compute features in pieces: utterances are divided into units, and each unit becomes one part of the archives."""

import contextlib
import dataclasses
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechtl.audio.digital_silence import fill_digital_silence
from speechtl.audio.findings import Findings
from speechtl.audio.voice_activity import DIGITAL_SILENCE, frame_levels
from speechtl.audio.waveform import read_waveform
from speechtl.data.datadir import Utterance
from speechtl.errors import DataError
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import write_part
from speechtl.pieces import Pace, Workers
from speechtl.progress import progress_bar
from speechtl.staging import staged_file

_GROUP_UTTERANCES, _GROUP_BYTES = 64, 10_000_000  # A group ends with the utterance that reaches one of them.
_UNIT_GROUPS = 300  # In a part, at most.
_FIRST_BYTES = 100_000_000  # Of audio, in a part, before it is known how long that takes.
_SENT_BYTES = 100_000_000  # Of audio, in a part that is sent by a worker that cannot write it itself.
_BATCH_SECONDS = 30.0  # Seconds of audio that are passed to TensorFlow at once.
# How audio is repaired when it is read: features that were computed from it otherwise are computed again.
_READING = 2


@dataclasses.dataclass(frozen=True)
class WorkItem:
    """One utterance to compute: its audio, the fingerprint of that audio and its size in bytes."""

    utterance: Utterance
    origin: str
    size: int


def describe(utterance: Utterance) -> WorkItem:
    """Fingerprint everything that the features of an utterance depend on, except the configuration."""
    size, changed = 0, 0
    if not utterance.audio.rstrip().endswith("|"):
        with contextlib.suppress(OSError):  # Reading it will report the error.
            status = os.stat(utterance.audio)
            size, changed = status.st_size, status.st_mtime_ns
    text = repr((_READING, utterance.audio, utterance.start, utterance.end, utterance.speed, size, changed))
    if utterance.channel is not None:
        text += f" channel {utterance.channel}"
    if utterance.start is not None and utterance.end is not None:
        size = min(size, int((utterance.end - utterance.start) * 32000))
    return WorkItem(utterance, hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16], size)


Group = list[WorkItem]
"""Utterances that TensorFlow may be given together: the last bits of features depend on it, on nothing else."""


def in_groups(items: Iterable[WorkItem]) -> Iterator[Group]:
    """Divide utterances into groups, in order, whoever computes them."""
    group: Group = []
    for item in items:
        group.append(item)
        if len(group) >= _GROUP_UTTERANCES or sum(one.size for one in group) >= _GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group


class _Unit(NamedTuple):
    """Utterances that become one part, and what names it: a worker that computes it again writes the same files."""

    groups: list[Group]
    number: int
    token: str


class _Computed(NamedTuple):
    """What came of a unit.

    Attributes:
        broken: utterance -> why it has no features.
        findings: what was repaired in the audio of the others.
        sent: the arguments of ``store`` of `write_part`, where the worker could not write the part itself.
    """

    broken: dict[str, str]
    findings: Findings
    sent: list[tuple[str, np.ndarray, float, bool, str]]


@dataclasses.dataclass(frozen=True)
class _UnitComputer:
    """Computes units.

    Attributes:
        config: of the features.
        feature_dir: folder of the parts.
        allow_pipes: run the shell commands in ``wav.scp``.
        in_numpy: without TensorFlow, as recognition computes them.
        probe: a file in that folder, which whoever does not see it must not write into; None for this machine.
    """

    config: FeatureConfig
    feature_dir: Path
    allow_pipes: bool
    in_numpy: bool
    probe: Path | None = None

    def __call__(self, unit: _Unit) -> _Computed:
        """Compute a part, and write it or send it back."""
        computed = _Computed({}, Findings(), [])
        found = self._compute(unit, computed)
        if self.probe is None or self.probe.exists():
            self.write(unit, found)
        else:
            computed.sent.extend(found)
        return computed

    def write(self, unit: _Unit, found: Iterable[tuple[str, np.ndarray, float, bool, str]]) -> None:
        """Write a part; a unit without any usable utterance has none."""
        with contextlib.ExitStack() as stack:
            store = None
            for one in found:
                if store is None:
                    store = stack.enter_context(write_part(self.feature_dir, unit.number, self.config, unit.token))
                store(*one)

    def _compute(self, unit: _Unit, computed: _Computed) -> Iterator[tuple[str, np.ndarray, float, bool, str]]:
        if self.in_numpy:
            from speechtl.features.signal_features import compute_many
        else:
            from speechtl.features.fbank import compute_many  # TensorFlow: seconds to import.
        for group in unit.groups:
            for batch in _load_batches(group, self.config, self.allow_pipes, computed.broken, computed.findings):
                matrices = compute_many([waveform for _, waveform, _ in batch], self.config)
                for (item, waveform, silent), matrix in zip(batch, matrices):
                    yield item.utterance.id, matrix, len(waveform) / self.config.sample_rate, silent, item.origin


def compute_parts(
    groups: Sequence[Group],
    config: FeatureConfig,
    feature_dir: Path,
    number: int,
    workers: Workers,
    allow_pipes: bool,
    in_numpy: bool = False,
) -> tuple[dict[str, str], Findings]:
    """Compute utterances and store them in new parts.

    Returns:
        The broken utterances and the reasons, and what was repaired in the audio of the others.
    """
    broken: dict[str, str] = {}
    findings = Findings()
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(progress_bar("features", sum(map(len, groups))))
        compute = _UnitComputer(config, feature_dir.absolute(), allow_pipes, in_numpy)
        heaviest = float("inf")
        if workers.elsewhere and groups:
            probe = stack.enter_context(staged_file(feature_dir.absolute() / "shared"))
            compute = dataclasses.replace(compute, probe=probe)
            heaviest = float("inf") if workers.see(probe) else _SENT_BYTES
        pace = Pace(workers, _weight, _FIRST_BYTES, most=_UNIT_GROUPS, heaviest=heaviest)
        units = (_Unit(piece, number + index, secrets.token_hex(3)) for index, piece in enumerate(pace.cut(groups)))
        for done in workers.run(compute, units):
            pace.learn(done.piece.groups, done.seconds)
            compute.write(done.piece, done.result.sent)
            broken.update(done.result.broken)
            findings.update(done.result.findings)
            advance(sum(map(len, done.piece.groups)))
    return broken, findings


def _weight(group: Group) -> float:
    # The size of what a pipe will give is not known.
    return sum(item.size + 10_000 for item in group)


def _load_batches(
    items: Sequence[WorkItem], config: FeatureConfig, allow_pipes: bool, broken: dict[str, str], findings: Findings
) -> Iterator[list[tuple[WorkItem, np.ndarray, bool]]]:
    """Yield utterances, their audio and whether it is silent, some seconds at a time.

    The reasons why utterances cannot be read are added to ``broken``.
    """
    batch: list[tuple[WorkItem, np.ndarray, bool]] = []
    samples = 0
    for item in items:
        try:
            waveform, silent = _load(item.utterance, config, allow_pipes, findings)
            if not config.num_frames(len(waveform)):
                raise DataError(
                    f"{item.utterance.audio}: too short for one frame (got {len(waveform)} samples at "
                    f"{config.sample_rate} Hz, expected {config.frame_length}); remove the utterance"
                )
        except DataError as error:
            broken[item.utterance.id] = str(error)
            continue
        batch.append((item, waveform, silent))
        samples += len(waveform)
        if samples >= _BATCH_SECONDS * config.sample_rate:
            yield batch
            batch, samples = [], 0
    if batch:
        yield batch


def load_utterance(
    utterance: Utterance, config: FeatureConfig, *, allow_pipes: bool = False, content: bytes | None = None
) -> np.ndarray:
    """Read the audio of one utterance as features are computed from it; see `read_waveform`.

    Args:
        utterance: the utterance.
        config: the features.
        allow_pipes: whether commands may be run.
        content: of its audio file, if it has been read already.

    Returns:
        float32 ``(samples,)`` at ``config.sample_rate``; digital silence is filled.

    Raises:
        DataError: the audio cannot be read; names the file, but not the utterance.
    """
    waveform = _waveform(utterance, config, allow_pipes, Findings(), content)
    return fill_digital_silence(waveform, config.sample_rate, utterance.audio)


def _load(
    utterance: Utterance, config: FeatureConfig, allow_pipes: bool, findings: Findings
) -> tuple[np.ndarray, bool]:
    """Read the audio of one utterance, and whether it is nothing but digital silence."""
    waveform = _waveform(utterance, config, allow_pipes, findings)
    silent = bool((frame_levels(waveform, config.sample_rate) <= DIGITAL_SILENCE).all())
    noted = None if silent else findings  # What is silent from end to end is said elsewhere.
    return fill_digital_silence(waveform, config.sample_rate, utterance.audio, noted), silent


def _waveform(
    utterance: Utterance, config: FeatureConfig, allow_pipes: bool, findings: Findings, content: bytes | None = None
) -> np.ndarray:
    if not utterance.audio:
        raise DataError(f"recording '{utterance.recording}' has no audio; add it to wav.scp")
    return read_waveform(
        utterance.audio,
        config.sample_rate,
        channel=config.channel,
        of_several=utterance.channel,
        start=utterance.start,
        end=utterance.end,
        speed=utterance.speed,
        allow_pipes=allow_pipes,
        findings=findings,
        content=content,
    )
