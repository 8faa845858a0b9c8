"""``speechtl chart``: draw a table of points."""

from pathlib import Path
from typing import Annotated

import typer


def chart(
    table: Annotated[Path, typer.Argument(help="Lines of name, x, y [, low, high] with tabs between them.")],
    picture: Annotated[Path, typer.Argument(help="Picture to write: .svg or .png.")],
    title: Annotated[str, typer.Option("--title", help="Title of the picture.")] = "",
    x_name: Annotated[str, typer.Option("--x", help="Label of the x axis.")] = "x",
    y_name: Annotated[str, typer.Option("--y", help="Label of the y axis.")] = "y",
    log_x: Annotated[bool, typer.Option("--log-x", help="Logarithmic x axis.")] = False,
) -> None:
    """Draw curves with error bars as an SVG or PNG image for a README.

    Lines with one name are one curve; several with one x are one point, with their range as its error bar (runs with
    other seeds, for example). A name that begins with '=' is a reference: drawn black and dashed.
    """
    from speechtl.errors import DataError
    from speechtl.report.curves import draw_curves, read_curves
    from speechtl.report.picture import check_picture_path, save_picture

    check_picture_path(picture)
    if not table.is_file():
        raise DataError(f"{table}: missing; give a table of points")
    save_picture(draw_curves(title or table.stem, read_curves(table), x_name, y_name, log_x=log_x), picture)
    typer.echo(picture)
