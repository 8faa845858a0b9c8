"""``speechtl report``: one HTML page per experiment, or one page of several."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    experiments: Annotated[list[Path], typer.Argument(metavar="EXP...", help="Experiment directories.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="One page that compares all of them; without it, EXP/report.html for each."),
    ] = None,
) -> None:
    """Write learning curves, error rates, speakers, worst utterances and confusions as an HTML page."""
    from speechtl.report.page import write_report

    pages = [(experiments, out)] if out else [([path], path / "report.html") for path in experiments]
    for paths, page in pages:
        write_report(paths, page)
        typer.echo(page)
