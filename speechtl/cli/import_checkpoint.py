"""``speechtl import``."""

from pathlib import Path
from typing import Annotated

import typer


def import_checkpoint(
    source: Annotated[
        str,
        typer.Argument(
            help="hf:owner/name on the Hugging Face hub, or a folder with config.json and model.safetensors."
        ),
    ],
    directory: Annotated[Path, typer.Argument(help="The new experiment directory.")],
    revision: Annotated[
        str | None,
        typer.Option("--revision", help="A branch, tag or commit on the hub; by default the newest version."),
    ] = None,
) -> None:
    """Import the encoder of a checkpoint (Whisper, wav2vec 2.0, XLS-R, MMS, HuBERT, WavLM, data2vec), to transfer from.

    Writes config.toml, weights.h5 and a model card. A config may also name SOURCE itself as the source of a method.
    """
    import speechtl

    result = speechtl.import_checkpoint(source, directory, revision=revision)
    version = f", version {result.revision}" if result.revision else ""
    print(
        f"{directory}: {result.family}{version}, {result.parameters:,} parameters, licence: {result.licence}\n"
        f"blocks: {', '.join(result.blocks)}"
    )
