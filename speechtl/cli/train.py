"""``speechtl train``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechtl.cli import options


def train(
    config: Annotated[Path, typer.Argument(help="TOML file that describes the experiment.")],
    directory: Annotated[Path, typer.Argument(help="Experiment directory; a run that stopped there continues.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override one value of the config: section.key=value. Repeatable.")
    ] = None,
    cluster_from: Annotated[
        Literal["slurm"] | None,
        typer.Option(help="slurm: train together with the other tasks of this srun, on one machine or several."),
    ] = None,
    export: options.Export = True,
) -> None:
    """Train an acoustic model, or continue where a run stopped.

    Uses all GPUs of this machine; with TF_CONFIG in the environment, or --cluster-from, several machines.
    """
    import speechtl

    chosen = (*(settings or ()), *(() if export else ("training.export=false",)))
    result = speechtl.train(config, directory, settings=chosen, cluster_from=cluster_from)
    parts = [f"dev loss {result.dev_loss:.3f}"] if result.dev_loss is not None else []
    parts += [f"dev PER {result.dev_per:.2f} %"] if result.dev_per is not None else []
    print(f"{directory}: {', '.join(parts) or 'done'}")
