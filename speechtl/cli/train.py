"""``speechtl train``."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="TOML file that describes the experiment.")],
    directory: Annotated[Path, typer.Argument(help="Experiment directory; a run that stopped there continues.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value over the config; may be repeated.")
    ] = None,
) -> None:
    """Train an acoustic model, or continue where a run stopped."""
    from speechtl.experiment.config import load_config
    from speechtl.experiment.train import train as run

    result = run(load_config(config, settings or ()), directory)
    parts = [f"dev loss {result['dev_loss']:.3f}"] if "dev_loss" in result else []
    parts += [f"dev PER {result['dev_per']:.2f} %"] if "dev_per" in result else []
    print(f"{directory}: {', '.join(parts) or 'done'}")
