"""``speechtl export``: a trained model in one file that starts at once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechtl.cli import options


def export(
    model: Annotated[Path, typer.Argument(help="Experiment directory of a trained model.")],
    file: Annotated[Path, typer.Argument(help="The file to write, NAME.speechtl.")],
    precision: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option("--precision", help="Of the stored weights: the smaller, the more is lost (see --dev)."),
    ] = "float16",
    speaker: options.Speaker = None,
    dev: Annotated[
        list[Path] | None,
        typer.Option("--dev", help="Data directory to measure the phone error rate on, before and after. Repeatable."),
    ] = None,
) -> None:
    """Write a model into one file, which transcribe, decode and align take in place of MODEL, without TensorFlow.

    The file also serves as the source of a config.
    """
    import speechtl

    print(speechtl.export(model, file, precision=precision, speaker=speaker, dev=dev or ()).describe())
