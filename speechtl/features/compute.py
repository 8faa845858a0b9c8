"""Compute and store the features of a data directory."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechtl.data.datadir import DataDir
from speechtl.data.shard_index import is_shard_set
from speechtl.data.table_kinds import format_seconds
from speechtl.data.tables import write_table
from speechtl.errors import ConfigError, DataError, list_problems
from speechtl.features import cmvn
from speechtl.features.archives import append_matrix, free_archive, read_double_matrix
from speechtl.features.compute_parts import compute_parts, describe, in_groups
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import (
    Part,
    Stored,
    differences,
    read_parts,
    remove_superseded,
)
from speechtl.files import atomic_write, replacing_together
from speechtl.pieces import Here, Workers
from speechtl.remote_file import address
from speechtl.staging import sweep

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class FeatureSummary:
    """Summary of a run of `compute_features`.

    Attributes:
        computed: number of utterances computed in this run.
        reused: number of utterances computed earlier.
        frames: frames of both together.
        seconds: duration of both together.
        broken: utterance -> reason why it has no features.
        silent: utterances that are nothing but digital silence; they have features, of faint noise.
    """

    computed: int
    reused: int
    frames: int
    seconds: float
    broken: dict[str, str]
    silent: list[str]


def compute_features(
    data_dir: DataDir,
    config: FeatureConfig,
    feature_dir: str | Path,
    *,
    workers: Workers | None = None,
    allow_pipes: bool = False,
    overwrite: bool = False,
    all_tables: bool = False,
    in_numpy: bool = False,
) -> FeatureSummary:
    """Compute the features of all utterances and add them to the data directory.

    Archives are written to ``feature_dir`` part by part. The next run continues an interrupted one, and recomputes
    utterances whose audio, segment or speed has changed since. At the end ``feats.scp``, ``utt2num_frames``,
    ``utt2dur`` and ``cmvn.scp`` (per speaker) are written into the data directory, and the statistics of all speakers
    together as ``global_cmvn_<name>.mat`` into ``feature_dir``. An utterance that cannot be read is reported in the
    summary and omitted from these tables; if no utterance can be read, the tables are not changed.

    Args:
        data_dir: the data directory; also updated in memory.
        config: the features to compute.
        feature_dir: folder for the archives; several data directories may share one.
        workers: that compute them; None for this process.
        allow_pipes: run the shell commands in ``wav.scp``.
        overwrite: whether to recompute everything.
        all_tables: write the other tables, too, which are not there yet or are those of other recordings.
        in_numpy: compute them as recognition does, without TensorFlow, which takes seconds to load and may be missing;
            they are the same but for rounding.

    Returns:
        A summary.

    Raises:
        ConfigError: the stored features were computed with another configuration and ``overwrite`` is off.
        DataError: features cannot be written (full disk). Finished parts are kept, and the next run continues. Or it is
            a set of shards.
    """
    if is_shard_set(data_dir.path):
        place = address(data_dir.path)
        raise DataError(
            f"{place}: is a set of shards, which has no place for features; training computes them. To store them, "
            f"make a data directory first: speechtl data combine OUT {place}"
        )
    feature_dir = Path(feature_dir)
    parts = read_parts(feature_dir)
    if not overwrite:
        _check_config(parts, config, data_dir, feature_dir)
    known: dict[str, Stored] = {}
    for part in [] if overwrite else parts:
        if part.config == config.model_dump():
            known.update(part.utterances)
    items = [describe(utterance) for utterance in data_dir.utterances()]
    missing = {
        item.utterance.id
        for item in items
        if (there := known.get(item.utterance.id)) is None or there.origin != item.origin
    }
    groups = [[item for item in group if item.utterance.id in missing] for group in in_groups(items)]
    number = max((part.number for part in parts), default=-1) + 1
    broken, findings = compute_parts(
        [group for group in groups if group], config, feature_dir, number, workers or Here(), allow_pipes, in_numpy
    )
    # A worker that was lost may have left a part unfinished after the others had begun to write here.
    sweep(feature_dir)
    findings.log(_logger, str(data_dir.path))

    for part in read_parts(feature_dir, number):
        known.update(part.utterances)
    stored = {key: known[key] for key in data_dir.utterance_ids if key in known and key not in broken}
    if stored:  # Otherwise the audio is unreachable, perhaps temporarily: the old features are kept.
        _enter(data_dir, stored, feature_dir, all_tables)
        # Broken utterances keep their old features until they are repaired, unless everything is recomputed.
        remove_superseded(parts, missing - (set() if overwrite else broken.keys()))
    computed = len(missing) - len(broken)
    return FeatureSummary(
        computed=computed,
        reused=len(stored) - computed,
        frames=sum(item.frames for item in stored.values()),
        seconds=sum(item.seconds for item in stored.values()),
        broken=dict(sorted(broken.items())),
        silent=[key for key, item in stored.items() if item.silent],
    )


def _check_config(parts: Sequence[Part], config: FeatureConfig, data_dir: DataDir, feature_dir: Path) -> None:
    """Refuse to mix features of two configurations."""
    for part in parts:
        different = differences(part.config, config)
        if different and not part.utterances.keys().isdisjoint(data_dir.utt2spk):
            problems = [f"features.{name}: stored {stored!r}, now {wanted!r}" for name, stored, wanted in different]
            raise ConfigError(
                list_problems(
                    f"{feature_dir}: holds features of another configuration; add --overwrite to recompute them, or "
                    "choose another folder with --out",
                    problems,
                )
            )


def _enter(data_dir: DataDir, stored: dict[str, Stored], feature_dir: Path, all_tables: bool) -> None:
    """Write the tables that refer to the stored features, and the statistics of the speakers."""
    name = data_dir.path.absolute().name
    ark_path = feature_dir.absolute() / f"cmvn_{name}.ark"
    speakers: dict[str, np.ndarray] = {}
    for speaker, utterances in data_dir.spk2utt.items():
        stats = [read_double_matrix(stored[utterance].stats) for utterance in utterances if utterance in stored]
        if stats:
            speakers[speaker] = cmvn.add(stats)
    # The other one stays: tables of subsets may lead there.
    free, _ = free_archive(ark_path, data_dir.path / "cmvn.scp")
    with atomic_write(free, "wb") as ark:
        data_dir.cmvn_scp = {speaker: f"{free}:{append_matrix(ark, speaker, one)}" for speaker, one in speakers.items()}
    with atomic_write(feature_dir / f"global_cmvn_{name}.mat", "wb") as file:
        append_matrix(file, "", cmvn.add(speakers.values()))
    data_dir.feats_scp = {key: item.features for key, item in stored.items()}
    data_dir.utt2num_frames = {key: item.frames for key, item in stored.items()}
    data_dir.utt2dur = {key: item.seconds for key, item in stored.items()}
    if all_tables:
        data_dir.save(data_dir.path)
    else:
        with replacing_together(data_dir.path) as folder:
            write_table(folder / "cmvn.scp", data_dir.cmvn_scp)
            write_table(folder / "utt2num_frames", {key: str(item.frames) for key, item in stored.items()})
            write_table(folder / "utt2dur", {key: format_seconds(item.seconds) for key, item in stored.items()})
            write_table(folder / "feats.scp", data_dir.feats_scp)
    write_table(ark_path.with_suffix(".scp"), data_dir.cmvn_scp)
