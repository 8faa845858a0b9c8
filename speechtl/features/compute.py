"""Compute and store the features of a data directory."""

import contextlib
import dataclasses
import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from speechtl.audio.waveform import read_waveform
from speechtl.data.datadir import DataDir, Utterance
from speechtl.data.structure import format_seconds
from speechtl.data.tables import write_table
from speechtl.errors import ConfigError, DataError, list_problems
from speechtl.features import cmvn
from speechtl.features.archives import append_matrix, read_double_matrix, write_ark_scp
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import (
    Part,
    Stored,
    differences,
    read_parts,
    remove_abandoned,
    remove_superseded,
    write_part,
)
from speechtl.files import atomic_write
from speechtl.progress import progress_bar

_UNIT_UTTERANCES = 256  # What a killed run loses at most, per process ...
_UNIT_BYTES = 100_000_000  # ... and in audio.
_BATCH_SECONDS = 30.0  # Audio that is handed to TensorFlow at once.


@dataclasses.dataclass(frozen=True)
class FeatureSummary:
    """What a run of `compute_features` did.

    Attributes:
        computed: utterances computed now.
        reused: utterances found computed already.
        frames: frames of both.
        seconds: audio of both.
        broken: utterance -> why it has no features.
        silent: utterances whose samples are all equal; they have features.
    """

    computed: int
    reused: int
    frames: int
    seconds: float
    broken: dict[str, str]
    silent: list[str]


@dataclasses.dataclass(frozen=True)
class _Item:
    """One utterance to compute: its audio, the fingerprint of that audio and its size in bytes."""

    utterance: Utterance
    origin: str
    size: int


def compute_features(
    data_dir: DataDir,
    config: FeatureConfig,
    feature_dir: str | Path,
    *,
    jobs: int = 1,
    allow_pipes: bool = False,
    overwrite: bool = False,
) -> FeatureSummary:
    """Compute the features of all utterances and enter them into the data directory.

    Archives grow in ``feature_dir`` part by part. A run that was stopped is continued by the next one, and utterances
    whose audio, stretch or speed changed since are computed anew. At the end ``feats.scp``, ``utt2num_frames``,
    ``utt2dur`` and ``cmvn.scp`` (per speaker) are written into the data directory, and the statistics of all speakers
    together as ``global_cmvn_<name>.mat`` into ``feature_dir``. An utterance that cannot be read is reported in the
    summary and left out of these tables; if no utterance can be read, the tables stay as they were.

    Args:
        data_dir: the data directory; its tables in memory are updated too.
        config: which features.
        feature_dir: where the archives go; several data directories may share one.
        jobs: processes, each of which computes on one thread; 1 computes in this process.
        allow_pipes: run the shell commands in ``wav.scp``.
        overwrite: compute everything anew.

    Returns:
        What was done.

    Raises:
        ConfigError: the stored features were computed with another configuration and ``overwrite`` is off.
        DataError: features cannot be written (full disk). What was finished stays, and the next run continues.
    """
    feature_dir = Path(feature_dir)
    parts = read_parts(feature_dir)
    if not overwrite:
        _check_config(parts, config, data_dir, feature_dir)
    known: dict[str, Stored] = {}
    for part in [] if overwrite else parts:
        if part.config == config.model_dump():
            known.update(part.utterances)
    items = [_describe(utterance) for utterance in data_dir.utterances()]
    missing = [
        item for item in items if item.utterance.id not in known or known[item.utterance.id].origin != item.origin
    ]
    number = max((part.number for part in parts), default=-1) + 1
    broken = _compute_missing(missing, config, feature_dir, number, jobs, allow_pipes)

    fresh = [part for part in read_parts(feature_dir) if part.number >= number]
    for part in fresh:
        known.update(part.utterances)
    stored = {key: known[key] for key in data_dir.utterance_ids if key in known and key not in broken}
    if stored:  # Otherwise the audio is out of reach, perhaps for a moment: what there was stays.
        _enter(data_dir, stored, feature_dir)
        # Broken utterances keep their old features, for when they are mended, unless all is to be new.
        remove_superseded(parts, {item.utterance.id for item in missing} - (set() if overwrite else broken.keys()))
    remove_abandoned(feature_dir)
    computed = len(missing) - len(broken)
    return FeatureSummary(
        computed=computed,
        reused=len(stored) - computed,
        frames=sum(item.frames for item in stored.values()),
        seconds=sum(item.seconds for item in stored.values()),
        broken=dict(sorted(broken.items())),
        silent=[key for key, item in stored.items() if item.silent],
    )


def load_utterance(utterance: Utterance, config: FeatureConfig, *, allow_pipes: bool = False) -> np.ndarray:
    """Read the audio of one utterance; see `read_waveform`.

    Returns:
        float32 ``(samples,)`` at ``config.sample_rate``.

    Raises:
        DataError: the audio cannot be read; names the file, not the utterance.
    """
    if not utterance.audio:
        raise DataError(f"recording '{utterance.recording}' has no audio; add it to wav.scp")
    return read_waveform(
        utterance.audio,
        config.sample_rate,
        channel=config.channel,
        start=utterance.start,
        end=utterance.end,
        speed=utterance.speed,
        allow_pipes=allow_pipes,
    )


def limit_threads() -> None:
    """Make TensorFlow compute on one thread; must run before TensorFlow is imported.

    Processes that share a machine would otherwise each start a thread for every core.
    """
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"


def _prepare_worker() -> None:
    limit_threads()
    # One graphics card cannot serve several processes that each want all of its memory.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _check_config(parts: Sequence[Part], config: FeatureConfig, data_dir: DataDir, feature_dir: Path) -> None:
    """Refuse to mix features of two configurations."""
    for part in parts:
        different = differences(part.config, config)
        if different and not part.utterances.keys().isdisjoint(data_dir.utt2spk):
            problems = [f"features.{name}: stored {stored!r}, now {wanted!r}" for name, stored, wanted in different]
            raise ConfigError(
                list_problems(
                    f"{feature_dir}: holds features of another configuration; add --overwrite to compute them anew, or "
                    "choose another folder with --out",
                    problems,
                )
            )


def _describe(utterance: Utterance) -> _Item:
    """Fingerprint what the features of an utterance depend on, besides the configuration."""
    size, changed = 0, 0
    if not utterance.audio.rstrip().endswith("|"):
        with contextlib.suppress(OSError):  # Reading it will say what is wrong with it.
            status = os.stat(utterance.audio)
            size, changed = status.st_size, status.st_mtime_ns
    text = repr((utterance.audio, utterance.start, utterance.end, utterance.speed, size, changed))
    if utterance.start is not None and utterance.end is not None:
        size = min(size, int((utterance.end - utterance.start) * 32000))
    return _Item(utterance, hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16], size)


def _divide(items: Sequence[_Item], jobs: int) -> Iterator[list[_Item]]:
    """Cut the work into units, each to become one part; several for every process, so that all end together."""
    most = max(1, min(_UNIT_UTTERANCES, -(-len(items) // (4 * jobs)) if jobs > 1 else _UNIT_UTTERANCES))
    unit: list[_Item] = []
    size = 0
    for item in items:
        if unit and (len(unit) >= most or size + item.size > _UNIT_BYTES):
            yield unit
            unit, size = [], 0
        unit.append(item)
        size += item.size
    if unit:
        yield unit


def _compute_missing(
    items: Sequence[_Item], config: FeatureConfig, feature_dir: Path, number: int, jobs: int, allow_pipes: bool
) -> dict[str, str]:
    """Compute utterances and store them in new parts; return the broken ones and why."""
    broken: dict[str, str] = {}
    units = list(_divide(items, jobs))
    arguments = [(unit, config, feature_dir, number + index, allow_pipes) for index, unit in enumerate(units)]
    with progress_bar("features", len(items)) as advance:
        if jobs == 1 or len(units) < 2:
            for argument in arguments:
                broken.update(_compute_unit(*argument))
                advance(len(argument[0]))
            return broken
        # Not forked, because TensorFlow may be running in this process and does not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(units)), context, _prepare_worker) as pool:
            pending: dict[Future[dict[str, str]], int] = {
                pool.submit(_compute_unit, *argument): len(argument[0]) for argument in arguments
            }
            try:
                while pending:
                    for future in wait(pending, return_when=FIRST_COMPLETED).done:
                        broken.update(future.result())
                        advance(pending.pop(future))
            except BrokenProcessPool as error:
                raise DataError(
                    "a process that computes features died (was it killed for want of memory?); run the command again "
                    "to continue, with fewer processes (--nj) if need be"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)
    return broken


def _compute_unit(
    items: Sequence[_Item], config: FeatureConfig, feature_dir: Path, number: int, allow_pipes: bool
) -> dict[str, str]:
    """Compute one part; return its broken utterances and why."""
    from speechtl.features.fbank import compute_many  # TensorFlow: seconds to import.

    broken: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        store = None
        for batch in _load_batches(items, config, allow_pipes, broken):
            matrices = compute_many([waveform for _, waveform in batch], config)
            if store is None:  # A unit without one good utterance leaves no part.
                store = stack.enter_context(write_part(feature_dir, number, config))
            for (item, waveform), matrix in zip(batch, matrices):
                silent = bool(waveform.min() == waveform.max())
                store(item.utterance.id, matrix, len(waveform) / config.sample_rate, silent, item.origin)
    return broken


def _load_batches(
    items: Sequence[_Item], config: FeatureConfig, allow_pipes: bool, broken: dict[str, str]
) -> Iterator[list[tuple[_Item, np.ndarray]]]:
    """Read audio, some seconds at a time; what cannot be read goes to ``broken``."""
    batch: list[tuple[_Item, np.ndarray]] = []
    samples = 0
    for item in items:
        try:
            waveform = load_utterance(item.utterance, config, allow_pipes=allow_pipes)
            if not config.num_frames(len(waveform)):
                raise DataError(
                    f"{item.utterance.audio}: too short for one frame (got {len(waveform)} samples at "
                    f"{config.sample_rate} Hz, expected {config.frame_length}); remove the utterance"
                )
        except DataError as error:
            broken[item.utterance.id] = str(error)
            continue
        batch.append((item, waveform))
        samples += len(waveform)
        if samples >= _BATCH_SECONDS * config.sample_rate:
            yield batch
            batch, samples = [], 0
    if batch:
        yield batch


def _enter(data_dir: DataDir, stored: dict[str, Stored], feature_dir: Path) -> None:
    """Write the tables that lead to the stored features, and the statistics of the speakers."""
    name = data_dir.path.absolute().name
    ark_path = feature_dir.absolute() / f"cmvn_{name}.ark"
    speakers: dict[str, np.ndarray] = {}
    for speaker, utterances in data_dir.spk2utt.items():
        stats = [read_double_matrix(stored[utterance].stats) for utterance in utterances if utterance in stored]
        if stats:
            speakers[speaker] = cmvn.add(stats)
    with write_ark_scp(ark_path, ark_path.with_suffix(".scp")) as write:
        data_dir.cmvn_scp = {speaker: write(speaker, stats) for speaker, stats in speakers.items()}
    with atomic_write(feature_dir / f"global_cmvn_{name}.mat", "wb") as file:
        append_matrix(file, "", cmvn.add(speakers.values()))
    data_dir.feats_scp = {key: item.features for key, item in stored.items()}
    data_dir.utt2num_frames = {key: item.frames for key, item in stored.items()}
    data_dir.utt2dur = {key: item.seconds for key, item in stored.items()}
    # feats.scp last: who finds it finds the rest.
    write_table(data_dir.path / "cmvn.scp", data_dir.cmvn_scp)
    write_table(data_dir.path / "utt2num_frames", {key: str(item.frames) for key, item in stored.items()})
    write_table(data_dir.path / "utt2dur", {key: format_seconds(item.seconds) for key, item in stored.items()})
    write_table(data_dir.path / "feats.scp", data_dir.feats_scp)
