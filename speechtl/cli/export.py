"""``speechtl export``: a trained model in one file that starts at once, or in a format of other tools."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechtl.cli import options


def export(
    model: Annotated[
        str, typer.Argument(help="Experiment directory of a trained model, or name of one of speechtl models.")
    ],
    out: Annotated[
        Path | None,
        typer.Argument(
            help="The file to write, NAME.speechtl; a new folder with --format; left out, the directory itself is made "
            "to run without TensorFlow, as train and adapt do.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Literal["speechtl", "saved-model", "onnx", "litert"],
        typer.Option("--format", help="speechtl, or what other tools run: features to posteriors of one language."),
    ] = "speechtl",
    precision: Annotated[
        Literal["float32", "float16", "int8"] | None,
        typer.Option(
            "--precision",
            help="Of the stored weights of a file, float16 by default: the smaller, the more is lost (see --dev).",
        ),
    ] = None,
    speaker: options.Speaker = None,
    language: Annotated[str | None, typer.Option("--language", help="With --format, whose phones.")] = None,
    dev: Annotated[
        list[Path] | None,
        typer.Option("--dev", help="Data directory to measure the phone error rate on, before and after. Repeatable."),
    ] = None,
) -> None:
    """Write a model into one file, which transcribe, decode and align take in place of MODEL, without TensorFlow.

    The file also serves as the source of a config.
    """
    import speechtl

    exported = speechtl.export(
        model, out, form=form, precision=precision, speaker=speaker, language=language, dev=dev or ()
    )
    print(exported.describe())
