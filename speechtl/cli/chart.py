"""``speechtl chart``: a table of points becomes a picture."""

from pathlib import Path
from typing import Annotated

import typer


def chart(
    table: Annotated[Path, typer.Argument(help="Lines of name, x, y [, low, high] with tabs between them.")],
    picture: Annotated[Path, typer.Argument(help="SVG file to write.")],
    title: Annotated[str, typer.Option("--title", help="Above the picture.")] = "",
    x_name: Annotated[str, typer.Option("--x", help="What x is.")] = "x",
    y_name: Annotated[str, typer.Option("--y", help="What y is.")] = "y",
    log_x: Annotated[bool, typer.Option("--log-x", help="Logarithmic x axis.")] = False,
) -> None:
    """Draw curves with bands as an SVG image that stands alone.

    Lines with one name are one curve; several with one x are one point, with the range as its band (runs with other
    seeds, for example). A name that begins with '=' is drawn black, for comparison.
    """
    from speechtl.errors import DataError
    from speechtl.files import atomic_write
    from speechtl.report.curves import curves_chart, read_curves

    if not table.is_file():
        raise DataError(f"{table}: missing; give a table of points")
    image = curves_chart(title or table.stem, read_curves(table), x_name, y_name, log_x=log_x)
    with atomic_write(picture) as file:
        file.write(image)
    typer.echo(picture)
