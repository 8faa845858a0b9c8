"""``speechtl train``."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="TOML file that describes the experiment.")],
    directory: Annotated[Path, typer.Argument(help="Experiment directory; a run that stopped there continues.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override one value of the config: section.key=value. Repeatable.")
    ] = None,
) -> None:
    """Train an acoustic model, or continue where a run stopped."""
    import speechtl

    result = speechtl.train(config, directory, settings=settings or ())
    parts = [f"dev loss {result.dev_loss:.3f}"] if result.dev_loss is not None else []
    parts += [f"dev PER {result.dev_per:.2f} %"] if result.dev_per is not None else []
    print(f"{directory}: {', '.join(parts) or 'done'}")
