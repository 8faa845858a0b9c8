"""``speechtl features``: compute the features of data directories."""

from pathlib import Path
from typing import Annotated

import typer

from speechtl.cli import options


def features(
    data: Annotated[list[Path], typer.Argument(help="Data directories.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="In place of --config, the model that is to read them: experiment directory, file of speechtl export, "
            "or name of one of speechtl models.",
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="TOML file; its [features] table is used.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override one setting: features.num_mel_bins=40. Repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the archives. Default: feats inside each data directory.")
    ] = None,
    jobs: Annotated[int, typer.Option("--nj", min=1, help="Processes, one thread each.")] = 1,
    cluster: options.Cluster = None,
    channel: options.Channel = None,
    allow_pipes: options.AllowPipes = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Recompute everything, even with another configuration.")
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="End with exit code 0 even if some utterances could not be read.")
    ] = False,
) -> None:
    """Compute features and CMVN statistics; run again, it continues where it stopped.

    They are those of a --model, those of [features] in a --config, or filter banks (fbank) of 80 bins.

    Utterances that cannot be read are left out of feats.scp and listed at the end, with exit code 1.
    """
    from speechtl.cluster.open_workers import open_workers
    from speechtl.config import override, parse, read_toml
    from speechtl.data.datadir import DataDir
    from speechtl.errors import ConfigError, DataError, counted, list_problems
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.features.compute import compute_features
    from speechtl.features.config import FeatureConfig
    from speechtl.pieces import limit_threads
    from speechtl.pretrained.model_path import config_path

    if model is not None and config is not None:
        raise ConfigError("--model and --config both say which features; give one of them")
    stored = ExperimentDirectory(config_path(model)).features.model_dump() if model is not None else {}
    table = override(read_toml(config) if config else {"features": stored}, settings or [])
    if channel is not None:
        table.setdefault("features", {})["channel"] = options.channel_number(channel)
    section = parse(FeatureConfig, table.get("features", {}), f"{config or '--set'}: [features]")
    limit_threads()
    problems = []
    with open_workers(cluster, jobs) as workers:
        for data_dir in [DataDir.load(path) for path in data]:
            path = data_dir.path
            # Each its own folder, so that removing one data set's features does not touch the other's.
            feature_dir = path / "feats" if out is None else out if len(data) == 1 else out / path.absolute().name
            summary = compute_features(
                data_dir, section, feature_dir, workers=workers, allow_pipes=allow_pipes, overwrite=overwrite
            )
            typer.echo(
                f"{path}: {summary.computed} utterances computed, {summary.reused} reused, {summary.frames} frames, "
                f"{summary.seconds / 3600:.2f} h, {section.dimension} {section.kind} values per frame"
            )
            if summary.silent:
                line = counted("nothing but digital silence", dict.fromkeys(summary.silent, ""), "utterance")
                typer.echo(f"warning: {path}: {line}", err=True)
            problems += [f"{path}: utterance '{key}': {reason}" for key, reason in summary.broken.items()]
    if problems:
        heading = f"{len(problems)} utterances without features; all others are done"
        if not skip_broken:
            raise DataError(list_problems(heading, problems))
        typer.echo(f"warning: {list_problems(heading, problems)}", err=True)
