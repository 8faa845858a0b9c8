"""``speechtl data import`` and ``speechtl data export``: data of other tools."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechtl.cli.console import size_of
from speechtl.cli.data import AllowPipes, Destination, Overwrite, Source

# Spelled out, so that --help loads nothing; a test compares them with what there is.
From = Literal["kaldi", "table", "nemo", "lhotse", "commonvoice", "ljspeech", "audiofolder", "mfa"]
To = Literal["csv", "tsv", "nemo", "lhotse", "commonvoice", "ljspeech", "mfa", "mfa-textgrid", "audiofolder"]


def import_data(
    source: Annotated[Path, typer.Argument(help="File or folder of another tool.")],
    destination: Destination,
    kind: Annotated[
        From | None, typer.Option("--from", help="What SOURCE is; by default told from its content.")
    ] = None,
    speaker: Annotated[
        str | None, typer.Option(help="Speaker of recordings that SOURCE names none for; of a folder of audio, of all.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Language of all utterances, unless SOURCE says it.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a data directory of what another tool wrote; audio stays where it is.

    CSV, TSV and tables with | or ; (LJSpeech, Piper, Coqui), manifests of NeMo and lhotse, Common Voice, folders of
    audio with .txt, .lab or .TextGrid beside (Montreal Forced Aligner), Hugging Face's audio folders, Kaldi and ESPnet.
    """
    from speechtl.data.datadir import require_vacant
    from speechtl.exchange.import_data import import_data

    require_vacant(destination, overwrite=overwrite, sources=[source])
    imported = import_data(source, destination, kind=kind, speaker=speaker, language=language)
    for note in imported.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(size_of(destination, imported.data))


def export_data(
    source: Source,
    out: Annotated[Path, typer.Argument(help="File (csv, tsv, nemo) or folder (all others) to write.")],
    kind: Annotated[To, typer.Option("--to", help="What to write.")],
    allow_pipes: AllowPipes = False,
) -> None:
    """Write a data directory as other tools read it.

    csv, tsv, nemo and lhotse name the audio where it is; commonvoice, ljspeech, audiofolder (Hugging Face), mfa (.lab)
    and mfa-textgrid are folders with a copy of it.
    """
    from speechtl.data.datadir import DataDir
    from speechtl.exchange.export_data import export_data

    data = DataDir.load(source)
    for note in export_data(data, out, kind, allow_pipes=allow_pipes):
        typer.echo(f"note: {note}", err=True)
    typer.echo(size_of(out, data))
