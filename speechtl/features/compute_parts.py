"""Compute features in parallel: utterances are divided into units, and each unit becomes one part of the archives."""

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

from speechtl.audio.digital_silence import fill_digital_silence
from speechtl.audio.findings import Findings
from speechtl.audio.voice_activity import DIGITAL_SILENCE, frame_levels
from speechtl.audio.waveform import read_waveform
from speechtl.data.datadir import Utterance
from speechtl.errors import DataError
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import write_part
from speechtl.progress import progress_bar

_UNIT_UTTERANCES = 256  # Upper limits of what a killed run loses, per process, in utterances ...
_UNIT_BYTES = 100_000_000  # ... and in bytes of audio.
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


def _divide(items: Sequence[WorkItem], jobs: int) -> Iterator[list[WorkItem]]:
    """Divide the work into units, one for each part; several per process, so that all processes finish together."""
    most = max(1, min(_UNIT_UTTERANCES, -(-len(items) // (4 * jobs)) if jobs > 1 else _UNIT_UTTERANCES))
    unit: list[WorkItem] = []
    size = 0
    for item in items:
        if unit and (len(unit) >= most or size + item.size > _UNIT_BYTES):
            yield unit
            unit, size = [], 0
        unit.append(item)
        size += item.size
    if unit:
        yield unit


def compute_parts(
    items: Sequence[WorkItem], config: FeatureConfig, feature_dir: Path, number: int, jobs: int, allow_pipes: bool
) -> tuple[dict[str, str], Findings]:
    """Compute utterances and store them in new parts.

    Returns:
        The broken utterances and the reasons, and what was repaired in the audio of the others.
    """
    broken: dict[str, str] = {}
    findings = Findings()
    units = list(_divide(items, jobs))
    arguments = [(unit, config, feature_dir, number + index, allow_pipes) for index, unit in enumerate(units)]
    with progress_bar("features", len(items)) as advance:
        if jobs == 1 or len(units) < 2:
            for argument in arguments:
                _add(_compute_unit(*argument), broken, findings)
                advance(len(argument[0]))
            return broken, findings
        # Not forked, because TensorFlow may be running in this process, and does not support forking.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(units)), context, _prepare_worker) as pool:
            pending: dict[Future[tuple[dict[str, str], Findings]], int] = {
                pool.submit(_compute_unit, *argument): len(argument[0]) for argument in arguments
            }
            try:
                while pending:
                    for future in wait(pending, return_when=FIRST_COMPLETED).done:
                        _add(future.result(), broken, findings)
                        advance(pending.pop(future))
            except BrokenProcessPool as error:
                raise DataError(
                    "a process that computes features died (perhaps killed for lack of memory); run the command again "
                    "to continue, with fewer processes (--nj) if need be"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)
    return broken, findings


def _add(unit: tuple[dict[str, str], Findings], broken: dict[str, str], findings: Findings) -> None:
    broken.update(unit[0])
    findings.update(unit[1])


def _compute_unit(
    items: Sequence[WorkItem], config: FeatureConfig, feature_dir: Path, number: int, allow_pipes: bool
) -> tuple[dict[str, str], Findings]:
    """Compute one part; return its broken utterances and the reasons, and what was repaired in the others."""
    from speechtl.features.fbank import compute_many  # TensorFlow: seconds to import.

    broken: dict[str, str] = {}
    findings = Findings()
    with contextlib.ExitStack() as stack:
        store = None
        for batch in _load_batches(items, config, allow_pipes, broken, findings):
            matrices = compute_many([waveform for _, waveform, _ in batch], config)
            if store is None:  # A unit without any usable utterance creates no part.
                store = stack.enter_context(write_part(feature_dir, number, config))
            for (item, waveform, silent), matrix in zip(batch, matrices):
                store(item.utterance.id, matrix, len(waveform) / config.sample_rate, silent, item.origin)
    return broken, findings


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
    return _load(utterance, config, allow_pipes, Findings(), content)[0]


def _load(
    utterance: Utterance,
    config: FeatureConfig,
    allow_pipes: bool,
    findings: Findings,
    content: bytes | None = None,
) -> tuple[np.ndarray, bool]:
    """Read the audio of one utterance, and whether it is nothing but digital silence."""
    if not utterance.audio:
        raise DataError(f"recording '{utterance.recording}' has no audio; add it to wav.scp")
    waveform = read_waveform(
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
    silent = bool((frame_levels(waveform, config.sample_rate) <= DIGITAL_SILENCE).all())
    noted = None if silent else findings  # What is silent from end to end is said elsewhere.
    return fill_digital_silence(waveform, config.sample_rate, utterance.audio, noted), silent


def limit_threads() -> None:
    """Restrict TensorFlow to one thread; must be called before TensorFlow is imported.

    Otherwise every process would start a thread for every core.
    """
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"


def _prepare_worker() -> None:
    limit_threads()
    # Several processes cannot share one GPU if each allocates all of its memory.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
